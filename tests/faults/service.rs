//! A service whose data have versions, so that an old answer is known as one.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cacheable_runtime::{Builder, Runtime, cache_invalidate, cache_put, cacheable};

/// How many values there are.
pub(crate) const VALUES: usize = 300;

/// Stands for a database that is always there.
pub(crate) struct Source {
    versions: Vec<AtomicU64>,
}

impl Source {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            versions: (0..VALUES).map(|_| AtomicU64::new(1)).collect(),
        })
    }

    pub(crate) fn version(&self, id: usize) -> u64 {
        self.versions[id].load(Ordering::SeqCst)
    }

    fn write(&self, id: usize) -> u64 {
        self.versions[id].fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Looks first and answers then, so that writes come between.
    async fn load(&self, id: usize) -> u64 {
        let version = self.version(id);
        tokio::time::sleep(Duration::from_millis(1)).await;
        version
    }
}

/// One process over the source. Nothing that it does can fail.
pub(crate) struct Service {
    pub(crate) runtime: Runtime,
    pub(crate) source: Arc<Source>,
}

impl Service {
    /// Over a server that may be away.
    pub(crate) async fn start(url: String, source: &Arc<Source>) -> Self {
        Self::with(Runtime::builder().redis(url), source).await
    }

    pub(crate) async fn with(builder: Builder, source: &Arc<Source>) -> Self {
        let runtime = builder.build().await;
        Self {
            runtime: runtime.expect("a runtime starts without its server"),
            source: Arc::clone(source),
        }
    }

    #[cacheable(ttl = 600, key_prefix = "drill", runtime = self.runtime)]
    pub(crate) async fn read(&self, id: usize) -> Result<u64, Infallible> {
        Ok(self.source.load(id).await)
    }

    /// Asks the server every time.
    #[cacheable(ttl = 600, key_prefix = "drill", local = false, runtime = self.runtime)]
    pub(crate) async fn read_remote(&self, id: usize) -> Result<u64, Infallible> {
        Ok(self.source.load(id).await)
    }

    #[cacheable(ttl = 600, key_prefix = "drill", local_ttl = "1s", runtime = self.runtime)]
    pub(crate) async fn read_briefly(&self, id: usize) -> Result<u64, Infallible> {
        Ok(self.source.load(id).await)
    }

    #[cache_invalidate(
        method(Self::read(id)),
        method(Self::read_remote(id)),
        method(Self::read_briefly(id)),
        runtime = self.runtime
    )]
    pub(crate) async fn write(&self, id: usize) -> Result<u64, Infallible> {
        Ok(self.source.write(id))
    }

    #[cache_invalidate("cache:drill:read*:{id}", runtime = self.runtime)]
    pub(crate) async fn write_and_sweep(&self, id: usize) -> Result<u64, Infallible> {
        Ok(self.source.write(id))
    }

    #[cache_invalidate("cache:drill:*", runtime = self.runtime)]
    pub(crate) async fn write_and_clear(&self, id: usize) -> Result<u64, Infallible> {
        Ok(self.source.write(id))
    }

    #[cache_put(method(Self::read_remote(id)), runtime = self.runtime)]
    pub(crate) async fn replace(&self, id: usize) -> Result<u64, Infallible> {
        Ok(self.source.write(id))
    }

    /// Each of them is a step of its own for the server.
    #[cache_invalidate(
        tags = ["all"],
        method(Self::read_remote(id)),
        "cache:drill:other*:{id}",
        "cache:drill:further*:{id}",
        runtime = self.runtime
    )]
    pub(crate) async fn write_in_steps(&self, id: usize) -> Result<u64, Infallible> {
        Ok(self.source.write(id))
    }

    /// Nobody invalidates it: the second call is answered by the server, or
    /// the server cannot be used.
    #[cacheable(ttl = 600, key_prefix = "probe", local = false, runtime = self.runtime)]
    pub(crate) async fn probe(&self, number: u64) -> Result<u64, Infallible> {
        Ok(number)
    }
}
