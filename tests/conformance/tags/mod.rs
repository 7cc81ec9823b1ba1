//! Tags and whole prefixes: what is removed by one step, however much it is.

mod fenced;
mod flushed;
mod named;
mod prefixes;
mod puts;
mod removed;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cacheable_runtime::{Cache, Runtime, cache_invalidate, cache_put, cacheable};
use tokio::sync::{Semaphore, watch};

/// A record of a version, whose owner is read with it.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Record {
    owner: String,
    version: u64,
}

/// Records in a database that other processes have, too; a test can hold the
/// loads once they have read.
#[derive(Clone)]
pub(crate) struct Service {
    runtime: Runtime,
    cache: Cache,
    version: Arc<AtomicU64>,
    begun: Arc<watch::Sender<u64>>,
    /// Permits of loads; as many as there can be unless a test holds them.
    gate: Arc<Semaphore>,
}

impl Service {
    fn new(runtime: Runtime) -> Self {
        Self {
            cache: runtime.cache(),
            runtime,
            version: Arc::new(AtomicU64::new(1)),
            begun: Arc::new(watch::Sender::new(0)),
            gate: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        }
    }

    /// The same in another process.
    fn over(&self, runtime: Runtime) -> Self {
        Self {
            cache: runtime.cache(),
            runtime,
            ..self.clone()
        }
    }

    /// Each load waits for a [`release`](Self::release) from here on.
    fn hold(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    fn release(&self, loads: usize) {
        self.gate.add_permits(loads);
    }

    fn loads(&self) -> u64 {
        *self.begun.borrow()
    }

    async fn begun(&self, loads: u64) {
        let mut begun = self.begun.subscribe();
        let begun = begun.wait_for(|begun| *begun >= loads);
        begun.await.expect("the service is there");
    }

    fn waits(&self, method: &str) -> u64 {
        self.runtime
            .observe()
            .method(&format!("tags.{method}"))
            .waits
    }

    fn write(&self) -> u64 {
        self.version.fetch_add(1, Ordering::SeqCst) + 1
    }

    async fn load(&self) -> u64 {
        let version = self.version.load(Ordering::SeqCst);
        self.begun.send_modify(|begun| *begun += 1);
        self.gate
            .acquire()
            .await
            .expect("it is never closed")
            .forget();
        version
    }

    /// Tags of the arguments.
    #[cacheable(
        ttl = 600,
        tags = ["team:{team}", "member:{id}"],
        key_prefix = "tags",
        runtime = self.runtime
    )]
    pub(crate) async fn member(&self, team: &str, id: u32) -> u64 {
        let _ = (team, id);
        self.load().await
    }

    /// Tags of the value, and one of the arguments.
    #[cacheable(
        ttl = 600,
        tags = ["owner:{value.owner}", "record:{id}"],
        key_prefix = "tags",
        runtime = self.runtime
    )]
    pub(crate) async fn record(&self, id: u32) -> Record {
        let version = self.load().await;
        let owner = if id.is_multiple_of(2) { "ada" } else { "bob" }.to_owned();
        Record { owner, version }
    }

    /// A tag that other methods have, too.
    #[cacheable(
        ttl = 600,
        tags = ["team:{team}"],
        key_prefix = "roster",
        runtime = self.runtime
    )]
    pub(crate) async fn roster(&self, team: &str) -> Option<u64> {
        let _ = team;
        Some(self.load().await)
    }

    #[cacheable(ttl = 600, key_prefix = "plain", runtime = self.runtime)]
    pub(crate) async fn plain(&self, id: u32) -> u64 {
        let _ = id;
        self.load().await
    }

    #[cache_invalidate(tags = ["team:{team}"], runtime = self.runtime)]
    pub(crate) async fn update_team(&self, team: &str) -> Result<u64, ()> {
        let _ = team;
        Ok(self.write())
    }

    #[cache_invalidate(tags = ["owner:{owner}", "team:{team}"], runtime = self.runtime)]
    pub(crate) async fn update_both(&self, owner: &str, team: &str) -> u64 {
        let _ = (owner, team);
        self.write()
    }

    #[cache_invalidate("cache:plain:*", runtime = self.runtime)]
    pub(crate) async fn update_plain(&self) -> u64 {
        self.write()
    }

    #[cache_put(method(Self::member(team, id)), runtime = self.runtime)]
    pub(crate) async fn put_member(&self, team: &str, id: u32) -> u64 {
        let _ = (team, id);
        self.write()
    }

    #[cache_put(method(Self::record(id)), runtime = self.runtime)]
    pub(crate) async fn put_record(&self, id: u32, owner: &str) -> Record {
        let _ = id;
        Record {
            owner: owner.to_owned(),
            version: self.write(),
        }
    }
}
