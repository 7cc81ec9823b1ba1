//! Callers and a writer at work while something fails, and what they noticed.

use std::env;
use std::future::Future;
use std::sync::Arc;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cacheable_tests::{Proxy, RedisServer, eventually, say};
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::service::{Service, Source, VALUES};
use crate::standstill::Standstill;

/// How long anything may take that must happen at last.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

const CALLERS: usize = 32;

/// Between two calls of one caller: figures are about calls, not about how
/// many of them a machine can make.
const THINK: Duration = Duration::from_millis(2);

/// For how long work goes on after the recovery.
const AFTERWARDS: Duration = Duration::from_millis(500);

/// The promise is 150 ms: the budget of a call, and room for its body. The rest
/// is room for a busy machine.
const SLOWEST: Duration = Duration::from_secs(2);

/// How long a server or a network fails without a break: longer than any bound.
/// `CACHEABLE_FAULTS=long` makes it longer still.
pub(crate) fn lasting() -> Duration {
    Duration::from_secs(if is_long() { 10 } else { 3 })
}

/// How long a fault is that shows at once what it does.
pub(crate) fn short() -> Duration {
    Duration::from_secs(if is_long() { 5 } else { 1 })
}

fn is_long() -> bool {
    env::var("CACHEABLE_FAULTS").is_ok_and(|length| length == "long")
}

/// Does something to the server again and again.
pub(crate) async fn again_and_again(length: Duration, pause: Duration, mut action: impl FnMut()) {
    let end = Instant::now() + length;
    while Instant::now() < end {
        tokio::task::block_in_place(&mut action);
        sleep(pause).await;
    }
}

/// See [`alone`].
pub(crate) type Alone = MutexGuard<'static, ()>;

/// Figures of two drills at once would be about each other.
pub(crate) async fn alone() -> Alone {
    static ALONE: Mutex<()> = Mutex::const_new(());
    ALONE.lock().await
}

/// One fault, from the work before it to the work after it.
pub(crate) struct Drill<'a> {
    name: &'static str,
    service: Arc<Service>,
    noticed: Arc<Noticed>,
    workers: Vec<JoinHandle<()>>,
    proxy: Option<&'a Proxy>,
    calls_per_second: f64,
    commands: Option<u64>,
    standstill: Standstill,
    _alone: Alone,
}

/// What callers noticed.
#[derive(Default)]
struct Noticed {
    stop: AtomicBool,
    calls: AtomicU64,
    stale: AtomicU64,
    /// In microseconds.
    slowest_read: AtomicU64,
    slowest_write: AtomicU64,
    writes: AtomicU64,
}

impl<'a> Drill<'a> {
    /// Work on a server directly.
    pub(crate) async fn on(server: &RedisServer, name: &'static str) -> Self {
        Self::start(name, server.url(), None).await
    }

    /// Work through a proxy, which counts the commands.
    pub(crate) async fn through(proxy: &'a Proxy, name: &'static str) -> Self {
        Self::start(name, proxy.url(), Some(proxy)).await
    }

    async fn start(name: &'static str, url: String, proxy: Option<&'a Proxy>) -> Self {
        let alone = alone().await;
        let service = Arc::new(Service::start(url, &Source::new()).await);
        let noticed = Arc::new(Noticed::default());
        let invalidated: Arc<[AtomicU64]> = (0..VALUES).map(|_| AtomicU64::new(0)).collect();
        let mut workers = Vec::new();
        for _ in 0..CALLERS {
            let (service, noticed) = (Arc::clone(&service), Arc::clone(&noticed));
            let invalidated = Arc::clone(&invalidated);
            workers.push(tokio::spawn(read(service, noticed, invalidated)));
        }
        let writer = write(Arc::clone(&service), Arc::clone(&noticed), invalidated);
        workers.push(tokio::spawn(writer));
        let drill = Self {
            name,
            service,
            noticed,
            workers,
            proxy,
            calls_per_second: 0.0,
            commands: None,
            standstill: Standstill::watch(),
            _alone: alone,
        };
        eventually("the work is under way", PATIENCE, async || {
            let remote = drill.service.runtime.observe().total().hits_remote;
            remote > 200 && drill.noticed.writes.load(Ordering::Relaxed) > 20
        })
        .await;
        drill
    }

    /// Lets the fault happen; it ends when the server can be used again.
    pub(crate) async fn during(mut self, fault: impl Future<Output = ()>) -> Self {
        let noticed = &self.noticed;
        for slowest in [&noticed.slowest_read, &noticed.slowest_write] {
            slowest.store(0, Ordering::Relaxed);
        }
        let commands = || self.proxy.map(|proxy| proxy.seen().total());
        let calls = || noticed.calls.load(Ordering::Relaxed);
        let (start, calls_before, commands_before) = (Instant::now(), calls(), commands());
        fault.await;
        self.calls_per_second = (calls() - calls_before) as f64 / start.elapsed().as_secs_f64();
        self.commands = commands()
            .zip(commands_before)
            .map(|(after, before)| after - before);
        self
    }

    /// Waits until the server is used again, works on for a while, and judges.
    pub(crate) async fn recovers(self) {
        let start = Instant::now();
        let mut number = 0;
        let recovery = tokio::time::timeout(PATIENCE, async {
            while !self.is_used(number).await {
                number += 1;
                sleep(Duration::from_millis(2)).await;
            }
            start.elapsed()
        });
        let recovery = recovery.await.ok();
        sleep(AFTERWARDS).await;
        self.noticed.stop.store(true, Ordering::Relaxed);
        let mut errors = 0;
        for worker in self.workers {
            let ended = tokio::time::timeout(PATIENCE, worker).await;
            // Nothing that a method returns is an error here; a panic would be.
            errors += u64::from(ended.expect("a call hangs").is_err());
        }
        // Every invalidation has returned: nothing may stay as it was.
        let checks = (0..VALUES).map(|id| {
            let service = Arc::clone(&self.service);
            tokio::spawn(async move {
                let Ok(local) = service.read(id).await;
                let Ok(remote) = service.read_remote(id).await;
                local.min(remote) < service.source.version(id)
            })
        });
        for check in checks.collect::<Vec<_>>() {
            let old = check.await.expect("nothing panics");
            self.noticed.stale.fetch_add(old.into(), Ordering::Relaxed);
        }
        // The next one on this server does not wait for leases of this one.
        self.service.runtime.shutdown(PATIENCE).await;
        let [stale, slowest, slowest_write] = [
            &self.noticed.stale,
            &self.noticed.slowest_read,
            &self.noticed.slowest_write,
        ]
        .map(|figure| figure.load(Ordering::Relaxed));
        let [slowest, slowest_write] = [slowest, slowest_write].map(Duration::from_micros);
        row(&[
            self.name,
            &errors.to_string(),
            &milliseconds(Some(slowest)),
            &milliseconds(Some(slowest_write)),
            &format!("{:.0}", self.calls_per_second),
            &self.commands.map_or("-".to_owned(), |n| n.to_string()),
            &milliseconds(recovery),
            &stale.to_string(),
        ]);
        let name = self.name;
        assert_eq!(errors, 0, "{name}: callers saw errors");
        assert_eq!(stale, 0, "{name}: older than what was invalidated before");
        assert!(recovery.is_some(), "{name}: the server is not used again");
        let standstill = self.standstill.longest();
        assert!(
            slowest < SLOWEST + standstill,
            "{name}: a call took {slowest:?}, and the machine stood still for {standstill:?}; \
             the promise is 150 ms"
        );
    }

    async fn is_used(&self, number: u64) -> bool {
        let hits = || {
            let counts = self.service.runtime.observe().method("probe.probe");
            counts.hits_remote
        };
        let before = hits();
        for _ in 0..2 {
            let Ok(answer) = self.service.probe(number).await;
            assert_eq!(answer, number);
        }
        hits() > before
    }
}

async fn read(service: Arc<Service>, noticed: Arc<Noticed>, invalidated: Arc<[AtomicU64]>) {
    while !noticed.stop.load(Ordering::Relaxed) {
        let id = fastrand::usize(..VALUES);
        let least = invalidated[id].load(Ordering::SeqCst);
        let start = Instant::now();
        let Ok(version) = match fastrand::u8(..4) {
            0 => service.read_remote(id).await,
            _ => service.read(id).await,
        };
        noticed
            .slowest_read
            .fetch_max(micros(start), Ordering::Relaxed);
        noticed
            .stale
            .fetch_add((version < least).into(), Ordering::Relaxed);
        noticed.calls.fetch_add(1, Ordering::Relaxed);
        sleep(THINK).await;
    }
}

/// By entry and by pattern; what empties everything comes seldom, so that there
/// is something to be old.
async fn write(service: Arc<Service>, noticed: Arc<Noticed>, invalidated: Arc<[AtomicU64]>) {
    while !noticed.stop.load(Ordering::Relaxed) {
        let id = fastrand::usize(..VALUES);
        let turn = noticed.writes.fetch_add(1, Ordering::Relaxed);
        let start = Instant::now();
        let Ok(version) = match turn % 32 {
            0 => service.write_and_clear(id).await,
            odd if odd % 2 == 1 => service.write_and_sweep(id).await,
            _ => service.write(id).await,
        };
        noticed
            .slowest_write
            .fetch_max(micros(start), Ordering::Relaxed);
        invalidated[id].fetch_max(version, Ordering::SeqCst);
        sleep(THINK).await;
    }
}

fn micros(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn milliseconds(duration: Option<Duration>) -> String {
    duration.map_or("never".to_owned(), |duration| {
        format!("{:.1} ms", duration.as_secs_f64() * 1e3)
    })
}

/// One line of the table.
fn row(cells: &[&str; 8]) {
    static HEAD: Once = Once::new();
    let print = |cells: &[&str; 8]| {
        let [name, cells @ ..] = cells;
        let cells: Vec<_> = cells.iter().map(|cell| format!("{cell:>13}")).collect();
        say(&format!("{name:<32} | {}", cells.join(" | ")));
    };
    HEAD.call_once(|| {
        print(&[
            "fault",
            "errors",
            "slowest read",
            "slowest write",
            "reads/s",
            "commands",
            "recovery",
            "stale",
        ]);
    });
    print(cells);
}
