//! Readers and writers of the versions of a few values.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cacheable_runtime::{Runtime, cache_invalidate, cacheable};
use cacheable_tests::{Ages, Ledger, monotonic};
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, RedisError};
use tokio::task::{JoinHandle, yield_now};

/// Few enough that readers and writers meet.
const VALUES: u64 = 32;

/// Between two writes of one writer.
const PAUSE: Duration = Duration::from_millis(1);

/// A "database" that all processes share, and what this process knows of it.
pub(crate) struct Race {
    runtime: Runtime,
    database: MultiplexedConnection,
    ledger: Ledger,
    way: Way,
    /// Of each value the newest version that this process made and whose
    /// invalidation has returned.
    own: Vec<AtomicU64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Cached,
    /// `GET`, load, `SET`, as many services do it by hand.
    Aside,
}

/// What a reader found.
#[derive(Default)]
struct Findings {
    reads: u64,
    /// Reads that were older than what this process had invalidated before.
    violations: u64,
    /// Of reads older than what another process had invalidated before: how
    /// long ago that was.
    ages: Ages,
}

impl Race {
    pub(crate) async fn start(
        runtime: &Runtime,
        way: &str,
        ledger: &str,
        database: &str,
    ) -> Result<Arc<Self>, Box<dyn Error>> {
        let way = match way {
            "cached" => Way::Cached,
            "aside" => Way::Aside,
            _ => return Err(format!("`{way}` is not a way to read").into()),
        };
        let client = redis::Client::open(database)?;
        Ok(Arc::new(Self {
            runtime: runtime.clone(),
            database: client.get_multiplexed_async_connection().await?,
            ledger: Ledger::open(Path::new(ledger))?,
            way,
            own: (0..VALUES).map(|_| AtomicU64::new(0)).collect(),
        }))
    }

    /// Answers with what the readers found.
    pub(crate) async fn run(
        self: &Arc<Self>,
        [readers, writers]: [u64; 2],
        seconds: u64,
    ) -> Result<String, Box<dyn Error>> {
        let end = Instant::now() + Duration::from_secs(seconds);
        let writers: Vec<JoinHandle<Result<u64, Failed>>> = (0..writers)
            .map(|_| tokio::spawn(Arc::clone(self).write_until(end)))
            .collect();
        let readers: Vec<JoinHandle<Result<Findings, Failed>>> = (0..readers)
            .map(|_| tokio::spawn(Arc::clone(self).read_until(end)))
            .collect();
        let (mut written, mut all) = (0, Findings::default());
        for writer in writers {
            written += writer.await??;
        }
        for reader in readers {
            let found = reader.await??;
            all.reads += found.reads;
            all.violations += found.violations;
            all.ages.merge(&found.ages);
        }
        let counts = self.runtime.observe().method("race.version");
        Ok(format!(
            "reads={} loads={} writes={written} violations={} ages={}",
            all.reads, counts.loads, all.violations, all.ages,
        ))
    }

    /// Answers with how many values are not read as they are in the database;
    /// nobody may be writing.
    pub(crate) async fn settle(&self) -> Result<String, Box<dyn Error>> {
        let mut old = 0;
        for id in 0..VALUES {
            old += u64::from(self.read(id).await? != self.current(id).await?);
        }
        Ok(format!("old={old}"))
    }

    async fn read_until(self: Arc<Self>, end: Instant) -> Result<Findings, Failed> {
        let mut findings = Findings::default();
        while Instant::now() < end {
            let id = fastrand::u64(..VALUES);
            let own = self.own[id as usize].load(Ordering::SeqCst);
            let began = monotonic();
            let version = self.read(id).await?;
            findings.reads += 1;
            if version < own {
                findings.violations += 1;
            } else if let Some(time) = self.ledger.time(id, version + 1)?
                && let Some(age) = began.checked_sub(time)
            {
                findings.ages.add(age);
            }
            // A hit may not be a point at which others get their turn.
            yield_now().await;
        }
        Ok(findings)
    }

    async fn write_until(self: Arc<Self>, end: Instant) -> Result<u64, Failed> {
        let mut writes = 0;
        while Instant::now() < end {
            let id = fastrand::u64(..VALUES);
            let version = self.write(id, writes).await?;
            self.own[id as usize].fetch_max(version, Ordering::SeqCst);
            self.ledger.invalidated(id, version)?;
            writes += 1;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(writes)
    }

    async fn read(&self, id: u64) -> Result<u64, Failed> {
        if self.way == Way::Cached {
            return self.version(id).await;
        }
        let mut connection = self.database.clone();
        if let Some(version) = connection.get(format!("aside:{id}")).await? {
            return Ok(version);
        }
        let version = self.load(id).await?;
        let () = connection.set(format!("aside:{id}"), version).await?;
        Ok(version)
    }

    /// Every way to invalidate has its turn; one that empties everything has it
    /// seldom, so that there is something to be old.
    async fn write(&self, id: u64, turn: u64) -> Result<u64, Failed> {
        if self.way == Way::Aside {
            let version = self.next(id).await?;
            let mut connection = self.database.clone();
            let () = connection.del(format!("aside:{id}")).await?;
            return Ok(version);
        }
        match turn % 16 {
            0 => self.write_and_clear(id).await,
            odd if odd % 2 == 1 => self.write_and_sweep(id).await,
            _ => self.write_and_remove(id).await,
        }
    }

    #[cacheable(ttl = 600, key_prefix = "race", runtime = self.runtime)]
    pub(crate) async fn version(&self, id: u64) -> Result<u64, Failed> {
        self.load(id).await
    }

    #[cache_invalidate(method(Self::version(id)), runtime = self.runtime)]
    async fn write_and_remove(&self, id: u64) -> Result<u64, Failed> {
        self.next(id).await
    }

    #[cache_invalidate("cache:race:vers*:{id}", runtime = self.runtime)]
    async fn write_and_sweep(&self, id: u64) -> Result<u64, Failed> {
        self.next(id).await
    }

    #[cache_invalidate("cache:race:*", runtime = self.runtime)]
    async fn write_and_clear(&self, id: u64) -> Result<u64, Failed> {
        self.next(id).await
    }

    /// Reads the database, and takes a while to say so: writes come between.
    async fn load(&self, id: u64) -> Result<u64, Failed> {
        let version = self.current(id).await?;
        tokio::time::sleep(Duration::from_micros(fastrand::u64(..2_000))).await;
        Ok(version)
    }

    async fn current(&self, id: u64) -> Result<u64, Failed> {
        let version: Option<u64> = self.database.clone().get(row(id)).await?;
        Ok(version.unwrap_or(0))
    }

    async fn next(&self, id: u64) -> Result<u64, Failed> {
        Ok(self.database.clone().incr(row(id), 1).await?)
    }
}

fn row(id: u64) -> String {
    format!("row:{id}")
}

/// The database is away, or the ledger.
#[derive(Debug)]
pub(crate) struct Failed(String);

impl From<RedisError> for Failed {
    fn from(error: RedisError) -> Self {
        Self(error.to_string())
    }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Failed {}
