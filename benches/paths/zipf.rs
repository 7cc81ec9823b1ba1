//! What a service sees: few entries are asked for often, many seldom, and some are
//! removed. More than level 1 holds.

use std::sync::{Arc, LazyLock};

use benches::{Bench, Contender, Field, Path};
use cacheable_runtime::Runtime;
use redis::aio::MultiplexedConnection;
use tokio::task::JoinSet;

use crate::rivals::{self, MokaCache, QuickCache};
use crate::service::Service;
use crate::source::{Project, SOURCE};
use crate::wire::{self, Server};

const KEYS: u64 = 100_000;
const HELD: usize = 10_000;
/// What an entry of ours takes of level 1, about: its encoded size, its key, and what
/// is around it.
const WEIGHT: u64 = 600;
const EXPONENT: f64 = 0.99;

/// A power of two, so that going round costs nothing.
const DRAWS: usize = 1 << 20;

/// Which entry each operation is about, drawn before anything is measured.
static DRAWN: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let mut shares = Vec::with_capacity(KEYS as usize);
    let mut sum = 0.0;
    for rank in 1..=KEYS {
        sum += (rank as f64).powf(-EXPONENT);
        shares.push(sum);
    }
    (0..DRAWS as u64)
        .map(|number| {
            let at = (scrambled(number) >> 11) as f64 / (1_u64 << 53) as f64 * sum;
            shares.partition_point(|share| *share < at) as u32
        })
        .collect()
});

/// Numbers that look like drawn ones, the same in every run (`SplitMix64`).
fn scrambled(number: u64) -> u64 {
    let mut word = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// One operation in twenty removes the entry that it draws.
enum Step {
    Read(u64),
    Remove(u64),
}

fn step(number: u64) -> Step {
    let id = u64::from(DRAWN[number as usize % DRAWS]);
    if scrambled(number ^ 0x5bd1_e995).is_multiple_of(20) {
        Step::Remove(id)
    } else {
        Step::Read(id)
    }
}

/// Measures the path, if it was asked for.
pub(crate) fn run(bench: &mut Bench, server: &Server) {
    let keys = if bench.is_quick() { KEYS / 50 } else { KEYS };
    let path = Path::new("zipf").tasks(&[64]).timed().on(server);
    bench.path(&path, async || field(server, keys).await);
}

async fn field(server: &Server, filled: u64) -> Field {
    let both = Runtime::builder()
        .redis(server.url())
        .namespace("zipf")
        .local_capacity(HELD as u64 * WEIGHT)
        .require_connection();
    let both = Service::on(both.build().await.expect("the server was just started"));
    let alone = Runtime::builder().local_capacity(HELD as u64 * WEIGHT);
    let alone = Service::on(alone.build().await.expect("nothing has to be connected"));
    let by_hand: &ByHand = Box::leak(Box::new(ByHand {
        moka: MokaCache::new(HELD as u64),
        connection: server.connect().await,
    }));
    fill(filled, move |id| async move { drop(both.shared(id).await) }).await;
    fill(
        filled,
        move |id| async move { drop(alone.shared(id).await) },
    )
    .await;
    fill(filled, move |id| async move { drop(by_hand.get(id).await) }).await;
    let quick: &QuickCache<u64> = rivals::quick_cache_of(HELD);
    let moka: &MokaCache<u64> = Box::leak(Box::new(MokaCache::new(HELD as u64)));
    Field {
        note: format!(
            "{KEYS} projects, Zipf {EXPONENT}, level 1 holds {HELD}, 1 in 20 operations removes"
        ),
        contenders: vec![
            Contender::new("moka + redis by hand", move |n| async move {
                match step(n) {
                    Step::Read(id) => drop(by_hand.get(id).await),
                    Step::Remove(id) => by_hand.remove(id).await,
                }
            }),
            Contender::new("#[cacheable], both levels", move |n| through(both, n))
                .against("moka + redis by hand"),
            Contender::sync("quick_cache, in memory", move |n| match step(n) {
                Step::Read(id) => {
                    if quick.get(&id).is_none() {
                        quick.insert(id, Arc::clone(SOURCE.project(id)));
                    }
                }
                Step::Remove(id) => drop(quick.remove(&id)),
            }),
            Contender::new("moka, in memory", move |n| async move {
                match step(n) {
                    Step::Read(id) => {
                        if moka.get(&id).await.is_none() {
                            moka.insert(id, Arc::clone(SOURCE.project(id))).await;
                        }
                    }
                    Step::Remove(id) => moka.invalidate(&id).await,
                }
            })
            .against("quick_cache, in memory"),
            Contender::new("#[cacheable], embedded store", move |n| through(alone, n))
                .against("quick_cache, in memory"),
        ],
    }
}

async fn through(service: &Service, number: u64) {
    let done = match step(number) {
        Step::Read(id) => service.shared(id).await.map(drop),
        Step::Remove(id) => service.forget(id).await,
    };
    done.expect("every project is there");
}

/// Asks for every entry once, many at a time.
async fn fill<F>(keys: u64, ask: impl Fn(u64) -> F + Copy + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    const FILLERS: u64 = 64;
    let mut running = JoinSet::new();
    for first in 0..FILLERS {
        running.spawn(async move {
            for id in (first..keys).step_by(FILLERS as usize) {
                ask(id).await;
            }
        });
    }
    running.join_all().await;
}

/// Two levels as one would write them: nothing tells another process, and what was
/// loaded before a removal may be stored after it.
struct ByHand {
    moka: MokaCache<u64>,
    connection: MultiplexedConnection,
}

impl ByHand {
    async fn get(&self, id: u64) -> Arc<Project> {
        if let Some(project) = self.moka.get(&id).await {
            return project;
        }
        let key = format!("zipf:{id}");
        let standard = bincode::config::standard();
        let project = if let Some(bytes) = wire::get(&self.connection, &key).await {
            let decoded = bincode::serde::decode_from_slice(&bytes, standard);
            Arc::new(decoded.expect("it is a project").0)
        } else {
            let project = SOURCE.project(id);
            let bytes = bincode::serde::encode_to_vec(&**project, standard);
            wire::set(&self.connection, &key, &bytes.expect("it can be written")).await;
            Arc::clone(project)
        };
        self.moka.insert(id, Arc::clone(&project)).await;
        project
    }

    async fn remove(&self, id: u64) {
        let mut del = redis::cmd("DEL");
        del.arg(format!("zipf:{id}"));
        wire::ask::<()>(&self.connection, &del).await;
        self.moka.invalidate(&id).await;
    }
}
