//! Reads that are older than a removal that had returned before they began, when loads
//! and removals overlap.

mod ways;

use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use benches::{Bench, Served, Table, nanos};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::wire::Server;

/// Few, so that loads and removals of one meet.
const KEYS: u64 = 32;
const READERS: u64 = 64;
const WRITERS: u64 = 2;
/// How long a load takes, and a reader and a writer wait between two turns.
const LOAD: Duration = Duration::from_millis(1);
const READ_EVERY: Duration = Duration::from_millis(1);
const WRITE_EVERY: Duration = Duration::from_micros(1_500);

/// Measures both paths, if they were asked for.
pub(crate) fn run(bench: &mut Bench, server: &Server) {
    let note = "readers and writers in one process";
    path(bench, "stale/process", note, async || {
        server.clear();
        ways::in_one_process(server).await
    });
    let note = "writers here, readers with a connection and a level 1 of their own";
    path(bench, "stale/elsewhere", note, async || {
        server.clear();
        ways::elsewhere(server).await
    });
}

fn path(bench: &mut Bench, name: &str, note: &str, ways: impl AsyncFn() -> Vec<Way>) {
    if !bench.wants(name) {
        return;
    }
    let duration = Duration::from_millis(if bench.is_quick() { 200 } else { 3_000 });
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let mut table = Table::new(&["", "reads", "removals", "stale", "after 100 ms", "oldest"]);
    let mut figures = Vec::new();
    runtime.block_on(async {
        for way in ways().await {
            let way: &Way = Box::leak(Box::new(way));
            let seen = way.watch(duration).await;
            table.row(vec![
                way.name.to_owned(),
                seen.reads.to_string(),
                seen.removals.to_string(),
                seen.ages.len().to_string(),
                seen.later_than(Duration::from_millis(100)).to_string(),
                seen.ages
                    .iter()
                    .max()
                    .map_or_else(|| "–".to_owned(), |age| nanos(age.as_nanos() as f64)),
            ]);
            figures.push(seen.json(way.name));
        }
    });
    let note = format!(
        "{note}: {KEYS} keys, {READERS} readers, {WRITERS} writers, loads of {LOAD:?}, {duration:?}"
    );
    bench.report(name, &note, &table, json!({ "contenders": figures }));
}

/// The database, and when the removal that followed each write had returned.
struct Versions {
    current: Vec<AtomicU64>,
    removed: Vec<Mutex<Vec<Instant>>>,
}

impl Versions {
    fn new() -> Self {
        Self {
            current: (0..KEYS).map(|_| AtomicU64::new(0)).collect(),
            removed: (0..KEYS).map(|_| Mutex::default()).collect(),
        }
    }

    fn leaked() -> &'static Self {
        Box::leak(Box::new(Self::new()))
    }

    /// What a read of the database returns, a while after it was there.
    async fn load(&self, id: u64) -> u64 {
        let version = self.current[id as usize].load(Ordering::SeqCst);
        tokio::time::sleep(LOAD).await;
        version
    }

    fn write(&self, id: u64) {
        self.current[id as usize].fetch_add(1, Ordering::SeqCst);
    }

    fn removed(&self, id: u64) -> std::sync::MutexGuard<'_, Vec<Instant>> {
        self.removed[id as usize]
            .lock()
            .expect("nobody panics in here")
    }
}

type Act = Box<dyn Fn(u64) -> Pin<Box<dyn Future<Output = u64> + Send>> + Send + Sync>;

/// A cache in front of versions.
struct Way {
    name: &'static str,
    versions: &'static Versions,
    read: Act,
    /// Writes the next version, and removes what is cached.
    write: Act,
}

#[derive(Default)]
struct Seen {
    reads: u64,
    removals: u64,
    /// How long before it began the removal had returned that a read did not see.
    ages: Vec<Duration>,
}

impl Way {
    fn new<R, W>(
        name: &'static str,
        versions: &'static Versions,
        read: impl Fn(u64) -> R + Send + Sync + 'static,
        write: impl Fn(u64) -> W + Send + Sync + 'static,
    ) -> Self
    where
        R: Future<Output = u64> + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let write = move |id| {
            let writing = write(id);
            Box::pin(async move {
                writing.await;
                0_u64
            }) as Pin<Box<dyn Future<Output = u64> + Send>>
        };
        Self {
            name,
            versions,
            read: Box::new(move |id| Box::pin(read(id))),
            write: Box::new(write),
        }
    }

    async fn watch(&'static self, duration: Duration) -> Seen {
        let end = Instant::now() + duration;
        let mut running = JoinSet::new();
        for number in 0..READERS {
            running.spawn(self.read_until(end, number));
        }
        for number in 0..WRITERS {
            running.spawn(self.write_until(end, number));
        }
        let mut all = Seen::default();
        for seen in running.join_all().await {
            all.reads += seen.reads;
            all.removals += seen.removals;
            all.ages.extend(seen.ages);
        }
        all
    }

    async fn read_until(&self, end: Instant, number: u64) -> Seen {
        let mut seen = Seen::default();
        let mut ids = Ids(number);
        while Instant::now() < end {
            let id = ids.next_below(KEYS);
            let began = Instant::now();
            let version = (self.read)(id).await;
            seen.reads += 1;
            let next = self.versions.removed(id).get(version as usize).copied();
            let age = next.and_then(|removed| began.checked_duration_since(removed));
            seen.ages.extend(age);
            tokio::time::sleep(READ_EVERY).await;
        }
        seen
    }

    /// Every key has one writer, so that its removals return in order.
    async fn write_until(&self, end: Instant, number: u64) -> Seen {
        let mut seen = Seen::default();
        let mut ids = Ids(READERS + number);
        while Instant::now() < end {
            let id = ids.next_below(KEYS / WRITERS) * WRITERS + number;
            (self.write)(id).await;
            self.versions.removed(id).push(Instant::now());
            seen.removals += 1;
            tokio::time::sleep(WRITE_EVERY).await;
        }
        seen
    }
}

impl Seen {
    fn later_than(&self, age: Duration) -> usize {
        self.ages.iter().filter(|stale| **stale >= age).count()
    }

    fn json(&self, name: &str) -> Value {
        let oldest = self.ages.iter().max();
        json!({
            "name": name,
            "reads": self.reads,
            "removals": self.removals,
            "stale": self.ages.len(),
            "stale_after_100ms": self.later_than(Duration::from_millis(100)),
            "oldest_ns": oldest.map(|age| age.as_nanos() as u64),
        })
    }
}

/// Keys in an order that looks drawn.
struct Ids(u64);

impl Ids {
    fn next_below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}
