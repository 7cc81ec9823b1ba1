//! A check of the promises on the servers that are really there.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::Runtime;
use crate::cache::handle::Cache;
use crate::error::Error;
use crate::policy::Policy;
use crate::sync::{lock, random};

/// Reads and writes values of its own for a while, and counts what was old.
/// See [`Runtime::probe`].
#[derive(Debug)]
#[must_use = "a probe does nothing until it is run"]
pub struct Probe {
    runtime: Runtime,
    duration: Duration,
    readers: usize,
    writers: usize,
    keys: usize,
}

/// What a [`Probe`] saw.
///
/// A read is *old* when it began after a removal had returned, and gave what
/// was there before the write that the removal answered to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProbeReport {
    /// Reads, here and elsewhere.
    pub reads: u64,
    /// Writes, each with its removal.
    pub writes: u64,
    /// Removals that failed; what they would have removed counts for nothing.
    pub failures: u64,
    /// Old reads by the runtime that had made the removal. More than none is a
    /// broken promise.
    pub old_here: u64,
    /// Old reads by another runtime on the same server.
    pub old_elsewhere: u64,
    /// Those of them that began more than 10 ms after the removal had returned.
    pub old_after_10_ms: u64,
    /// Those of them that began more than 100 ms after.
    pub old_after_100_ms: u64,
    /// Those of them that began more than a second after.
    pub old_after_1_s: u64,
    /// How long after a removal had returned old reads began elsewhere: the
    /// median, over the old reads alone.
    pub window_p50: Duration,
    /// The 99th of a hundred.
    pub window_p99: Duration,
    /// The longest.
    pub window_max: Duration,
}

impl Runtime {
    /// A check of this cache with values of its own: it writes to a source in
    /// memory, removes by key, by tag and by pattern, reads meanwhile, here and
    /// through a second runtime on the same server, and says how many reads
    /// gave what had been removed. Its entries are called
    /// `cache:probe:…`, and it removes them in the end.
    ///
    /// ```
    /// use cacheable_runtime::Runtime;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cacheable_runtime::Error> {
    /// let runtime = Runtime::embedded();
    /// let report = runtime.probe().duration(Duration::from_millis(50)).run().await?;
    /// assert_eq!(report.old_here, 0);
    /// println!("{report}");
    /// # Ok(()) }
    /// ```
    pub fn probe(&self) -> Probe {
        Probe {
            runtime: self.clone(),
            duration: Duration::from_secs(3),
            readers: 4,
            writers: 2,
            keys: 32,
        }
    }
}

impl Probe {
    /// How long it reads and writes. Default: 3 s.
    pub fn duration(mut self, duration: Duration) -> Self {
        self.duration = duration;
        self
    }

    /// Tasks that read, in each of the two runtimes. Default: 4.
    pub fn readers(mut self, readers: usize) -> Self {
        self.readers = readers.max(1);
        self
    }

    /// Tasks that write. Default: 2.
    pub fn writers(mut self, writers: usize) -> Self {
        self.writers = writers.max(1);
        self
    }

    /// How many values there are; with fewer, more reads meet a removal.
    /// Default: 32.
    pub fn keys(mut self, keys: usize) -> Self {
        self.keys = keys.max(1);
        self
    }

    /// Runs the probe.
    ///
    /// # Errors
    /// The second runtime cannot be built. A server that fails meanwhile is no
    /// error: it is counted.
    ///
    /// # Cancellation
    /// Dropping this future ends the probe; its entries end by themselves
    /// within a minute.
    pub async fn run(self) -> Result<ProbeReport, Error> {
        let here = self.runtime.cache();
        // Without a server there is nobody else.
        let sibling = self.runtime.sibling().await?;
        let elsewhere = sibling.as_ref().map(Runtime::cache);
        let field = Arc::new(Field::new(self.keys));

        let mut tasks = tokio::task::JoinSet::new();
        for writer in 0..self.writers {
            tasks.spawn(Arc::clone(&field).write(here.clone(), writer));
        }
        for _ in 0..self.readers {
            tasks.spawn(Arc::clone(&field).read(here.clone(), Place::Here));
            if let Some(elsewhere) = &elsewhere {
                tasks.spawn(Arc::clone(&field).read(elsewhere.clone(), Place::Elsewhere));
            }
        }
        tokio::time::sleep(self.duration).await;
        field.over.store(true, Ordering::Relaxed);
        while let Some(ended) = tasks.join_next().await {
            ended.expect("no task of a probe panics or is aborted");
        }

        let report = field.report();
        drop(here.clear(format!("{}*", field.beginning)).await);
        if let Some(sibling) = sibling {
            sibling.shutdown(Duration::from_secs(1)).await;
        }
        Ok(report)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Here,
    Elsewhere,
}

/// What is written and read.
struct Field {
    /// What all keys begin with.
    beginning: String,
    sources: Vec<Source>,
    over: AtomicBool,
    reads: AtomicU64,
    writes: AtomicU64,
    failures: AtomicU64,
    old_here: AtomicU64,
    windows: Mutex<Vec<Duration>>,
}

/// One value, and when the removals for its versions returned.
#[derive(Default)]
struct Source {
    version: AtomicU64,
    /// Only one writes at a time, so that versions are removed in their order.
    writing: tokio::sync::Mutex<()>,
    /// When the removal for version `n + 1` returned, at `n`.
    removed: Mutex<Vec<Instant>>,
}

impl Field {
    fn new(keys: usize) -> Self {
        Self {
            beginning: format!("cache:probe:{:016x}:", random()),
            sources: (0..keys).map(|_| Source::default()).collect(),
            over: AtomicBool::new(false),
            reads: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            old_here: AtomicU64::new(0),
            windows: Mutex::default(),
        }
    }

    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    fn any(&self) -> usize {
        (random() % self.sources.len() as u64) as usize
    }

    fn key(&self, index: usize) -> String {
        format!("{}{index}:", self.beginning)
    }

    async fn write(self: Arc<Self>, cache: Cache, writer: usize) {
        for turn in writer.. {
            if !self.goes_on() {
                return;
            }
            let index = self.any();
            let (source, key) = (&self.sources[index], self.key(index));
            let _alone = source.writing.lock().await;
            source.version.fetch_add(1, Ordering::SeqCst);
            let removed = match turn % 3 {
                0 => cache.remove(&key).await.map(drop),
                1 => cache.invalidate_tag(&key).await,
                _ => cache.clear(format!("{key}*")).await.map(drop),
            };
            if removed.is_err() {
                self.failures.fetch_add(1, Ordering::Relaxed);
            }
            // A removal that failed is kept in mind, so it counts here; who is
            // elsewhere cannot know of it.
            lock(&source.removed).push(Instant::now());
            self.writes.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn read(self: Arc<Self>, cache: Cache, place: Place) {
        while self.goes_on() {
            // A hit at level 1 waits for nothing, and others are to run, too.
            tokio::task::yield_now().await;
            let index = self.any();
            let (source, key) = (&self.sources[index], self.key(index));
            let began = Instant::now();
            let removed = lock(&source.removed).len() as u64;
            let seen = self.load(&cache, index, &key).await;
            self.reads.fetch_add(1, Ordering::Relaxed);
            if seen >= removed {
                continue;
            }
            if place == Place::Here {
                self.old_here.fetch_add(1, Ordering::Relaxed);
            } else {
                let newer = lock(&source.removed)[seen as usize];
                lock(&self.windows).push(began.saturating_duration_since(newer));
            }
        }
    }

    fn load<'a>(
        &'a self,
        cache: &'a Cache,
        index: usize,
        key: &'a str,
    ) -> impl Future<Output = u64> + Send + 'a {
        let policy = Policy::new(Duration::from_secs(60)).tag(key);
        let load = move || async move {
            let version = self.sources[index].version.load(Ordering::SeqCst);
            // Time for a removal to come in between.
            tokio::time::sleep(Duration::from_micros(200)).await;
            Ok::<_, std::convert::Infallible>(version)
        };
        async move {
            match cache.get_or_load(key, policy, load).await {
                Ok(version) => version,
                Err(never) => match never {},
            }
        }
    }

    fn report(&self) -> ProbeReport {
        let mut windows = std::mem::take(&mut *lock(&self.windows));
        windows.sort_unstable();
        let later = |limit| windows.iter().filter(|window| **window > limit).count() as u64;
        let rank = |share: usize| {
            let at = (windows.len() * share / 100).min(windows.len().saturating_sub(1));
            windows.get(at).copied().unwrap_or_default()
        };
        ProbeReport {
            reads: self.reads.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            old_here: self.old_here.load(Ordering::Relaxed),
            old_elsewhere: windows.len() as u64,
            old_after_10_ms: later(Duration::from_millis(10)),
            old_after_100_ms: later(Duration::from_millis(100)),
            old_after_1_s: later(Duration::from_secs(1)),
            window_p50: rank(50),
            window_p99: rank(99),
            window_max: windows.last().copied().unwrap_or_default(),
        }
    }
}

impl fmt::Display for ProbeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} reads, {} writes, {} failed removals",
            self.reads, self.writes, self.failures
        )?;
        writeln!(f, "old reads here: {}", self.old_here)?;
        writeln!(
            f,
            "old reads elsewhere: {}, after 10 ms {}, after 100 ms {}, after 1 s {}",
            self.old_elsewhere, self.old_after_10_ms, self.old_after_100_ms, self.old_after_1_s
        )?;
        write!(
            f,
            "window elsewhere: p50 {:?}, p99 {:?}, max {:?}",
            self.window_p50, self.window_p99, self.window_max
        )
    }
}
