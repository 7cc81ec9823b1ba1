//! A lock that nobody else wants, and one that everybody does.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use benches::{Bench, Contender, Field, Path, Served, Table, in_turns, nanos, percentile};
use cacheable_runtime::Locks;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Script};
use rslock::LockManager;
use serde_json::json;
use tokio::task::JoinSet;

use crate::wire::{self, Server};

const TASKS: [u64; 2] = [1, 64];

/// Long enough that no lock expires in a run.
const TTL: Duration = Duration::from_secs(10);

/// Acquire and release, each operation a name of its own.
pub(crate) fn alone(bench: &mut Bench, server: &Server) {
    let path = Path::new("lock").tasks(&TASKS).timed().on(server);
    bench.path(&path, async || {
        let by_hand = ByHand::on(server).await;
        let rslock: &LockManager = Box::leak(Box::new(LockManager::new(vec![server.url()])));
        let locks: &Locks = Box::leak(Box::new(server.runtime().await.locks()));
        Field {
            note: "acquire and release, every operation another name".to_owned(),
            contenders: vec![
                Contender::new("redis SET NX PX, script", move |n| {
                    by_hand.lock_and_unlock(n)
                }),
                Contender::new("rslock", move |n| async move {
                    let name = format!("rslock:{n}");
                    let lock = rslock.lock(name.as_str(), TTL).await;
                    rslock.unlock(&lock.expect("nobody has it")).await;
                })
                .against("redis SET NX PX, script"),
                Contender::new("locks, with a fence", move |n| async move {
                    let guard = locks.try_acquire(&format!("ours:{n}"), TTL).await;
                    let guard = guard.expect("the server answers");
                    guard.expect("nobody has it").release().await
                })
                .against("redis SET NX PX, script"),
            ],
        }
    });
}

/// The usual way: no fence, and nobody is woken up.
struct ByHand {
    connection: MultiplexedConnection,
    unlock: Script,
}

const UNLOCK: &str = r"
if redis.call('GET', KEYS[1]) == ARGV[1] then
    return redis.call('DEL', KEYS[1])
end
return 0
";

impl ByHand {
    async fn on(server: &Server) -> &'static Self {
        Box::leak(Box::new(Self {
            connection: server.connect().await,
            unlock: Script::new(UNLOCK),
        }))
    }

    async fn try_lock(&self, key: &str, owner: &str) -> bool {
        let mut set = Cmd::new();
        set.arg("SET").arg(key).arg(owner).arg("NX");
        set.arg("PX").arg(TTL.as_millis() as u64);
        let locked: Option<String> = wire::ask(&self.connection, &set).await;
        locked.is_some()
    }

    async fn unlock(&self, key: &str, owner: &str) {
        let mut unlock = self.unlock.key(key);
        unlock.arg(owner);
        let unlocked: redis::RedisResult<u64> =
            unlock.invoke_async(&mut self.connection.clone()).await;
        unlocked.expect("the server answers");
    }

    async fn lock_and_unlock(&self, number: u64) {
        let (key, owner) = (format!("hand:lock:{number}"), format!("{number:032}"));
        if self.try_lock(&key, &owner).await {
            self.unlock(&key, &owner).await;
        }
    }
}

const HANDOVER: &str = "lock/handover";
const CONTENDERS: usize = 8;
const SECTION: Duration = Duration::from_millis(3);

/// When the lock was let go last; whoever has it next takes the time.
#[derive(Default)]
struct Times {
    released: Mutex<Option<Instant>>,
    taken: Mutex<Vec<u32>>,
}

impl Times {
    async fn section(&self) {
        let released = self.released.lock().expect("no thread panics").take();
        if let Some(released) = released {
            let taken = u32::try_from(released.elapsed().as_nanos()).unwrap_or(u32::MAX);
            self.taken.lock().expect("no thread panics").push(taken);
        }
        tokio::time::sleep(SECTION).await;
        *self.released.lock().expect("no thread panics") = Some(Instant::now());
    }
}

/// From one holder to the next of eight, with sections of 3 ms; in each round
/// one contender is killed while it waits.
pub(crate) fn handover(bench: &mut Bench, server: &Server) {
    if !bench.wants(HANDOVER) {
        return;
    }
    server.clear();
    let (rounds, sections) = if bench.is_quick() { (1, 3) } else { (5, 25) };
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let names = ["redis, asked every 5-20 ms", "rslock", "locks"];
    let times: Vec<Arc<Times>> = names.iter().map(|_| Arc::default()).collect();
    runtime.block_on(async {
        let by_hand = ByHand::on(server).await;
        let mut rslock = LockManager::new(vec![server.url()]);
        // Its default is to give up after three attempts.
        rslock.set_retry(1_000, Duration::from_millis(200));
        let rslock: &LockManager = Box::leak(Box::new(rslock));
        let locks: &Locks = Box::leak(Box::new(server.runtime().await.locks()));
        for round in 0..rounds {
            for index in in_turns(names.len(), round) {
                let name = format!("handover:{index}:{round}");
                let times = Arc::clone(&times[index]);
                *times.released.lock().expect("no thread panics") = None;
                contend(sections, move |number| {
                    let (name, times) = (name.clone(), Arc::clone(&times));
                    async move {
                        match index {
                            0 => {
                                let owner = format!("{number:032}");
                                let mut pause = number;
                                while !by_hand.try_lock(&name, &owner).await {
                                    pause = pause.wrapping_mul(7) + 3;
                                    let pause = Duration::from_millis(5 + pause % 16);
                                    tokio::time::sleep(pause).await;
                                }
                                times.section().await;
                                by_hand.unlock(&name, &owner).await;
                            }
                            1 => {
                                let lock = rslock.lock(name.as_str(), TTL).await;
                                let lock = lock.expect("it is had at last");
                                times.section().await;
                                rslock.unlock(&lock).await;
                            }
                            _ => {
                                let guard = locks.acquire(&name, TTL, TTL).await;
                                let guard = guard.expect("it is had at last");
                                times.section().await;
                                drop(guard.release().await);
                            }
                        }
                    }
                })
                .await;
            }
        }
    });

    let mut table = Table::new(&["", "p50", "p90", "p99"]);
    let mut figures = Vec::new();
    for (name, times) in names.iter().zip(times) {
        let mut taken = times.taken.lock().expect("no thread panics").clone();
        taken.sort_unstable();
        let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|share| f64::from(percentile(&taken, share)));
        let mut row = vec![(*name).to_owned()];
        row.extend([p50, p90, p99].map(nanos));
        table.row(row);
        figures.push(json!({ "name": name, "p50_ns": p50, "p90_ns": p90, "p99_ns": p99 }));
    }
    let note = format!(
        "from release to the next holder, {CONTENDERS} contenders, sections of {SECTION:?}, one contender killed"
    );
    bench.report(
        HANDOVER,
        &note,
        &table,
        json!({ "note": note, "contenders": figures }),
    );
}

async fn contend<F>(sections: u64, section: impl Fn(u64) -> F + Clone + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut contenders = JoinSet::new();
    let mut killed = None;
    for contender in 0..CONTENDERS as u64 {
        let section = section.clone();
        let running = contenders.spawn(async move {
            for number in 0..sections {
                section(contender << 32 | number).await;
            }
        });
        killed.get_or_insert(running);
    }
    tokio::time::sleep(SECTION * 4).await;
    killed.expect("there are some").abort();
    while contenders.join_next().await.is_some() {}
}
