//! A service that counts its loads, and how the suites reach its entries.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cacheable_runtime::{
    Builder, IntoKey, MethodCounts, Runtime, cache_invalidate, cache_put, cacheable,
};
use cacheable_tests::{RedisServer, eventually};

/// How long anything may take that must happen at last.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Without level 1: these suites look at what the server has.
pub(crate) fn level_two() -> Builder {
    Runtime::builder().local_capacity(0)
}

/// What a method of a service fails with.
#[derive(Debug)]
pub(crate) enum Failed {
    Body,
    Cache(cacheable_runtime::Error),
}

impl From<cacheable_runtime::Error> for Failed {
    fn from(error: cacheable_runtime::Error) -> Self {
        Self::Cache(error)
    }
}

/// A value says which load it came from.
pub(crate) struct Service {
    pub(crate) runtime: Runtime,
    loads: AtomicU64,
}

impl Service {
    pub(crate) fn new(runtime: Runtime) -> Self {
        Self {
            runtime,
            loads: AtomicU64::new(0),
        }
    }

    /// Over a server that may be away.
    pub(crate) async fn on(server: &RedisServer) -> Self {
        Self::with(level_two().redis(server.url()).budget(PATIENCE)).await
    }

    pub(crate) async fn with(builder: Builder) -> Self {
        let runtime = builder.build().await;
        Self::new(runtime.expect("a runtime starts without its server"))
    }

    pub(crate) fn loads(&self) -> u64 {
        self.loads.load(Ordering::SeqCst)
    }

    pub(crate) fn counts(&self) -> MethodCounts {
        self.runtime.observe().method("service.read")
    }

    /// The name of the entry in the server.
    pub(crate) fn entry(id: u32) -> String {
        let key = Self::read_key(id).into_key();
        key.expect("a number can be part of a key").to_string()
    }

    /// Reads, and asserts that the body ran for it.
    #[track_caller]
    pub(crate) fn loaded(&self, id: u32) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let before = self.loads();
            let value = self.read(id).await;
            let value = value.unwrap_or_else(|error| panic!("{caller}: {error:?}"));
            assert_eq!((value, self.loads()), (before + 1, before + 1), "{caller}");
        }
    }

    /// Waits until calls are answered by the server.
    pub(crate) async fn heals(&self, id: u32) {
        eventually("entries are used", PATIENCE, async || {
            let hits = self.counts().hits_remote;
            let first = self.read(id).await.expect("no call fails");
            let second = self.read(id).await.expect("no call fails");
            // A stampede of one is no proof: it has to be the server's answer.
            first == second && self.counts().hits_remote > hits
        })
        .await;
    }

    #[cacheable(ttl = 600, key_prefix = "service", runtime = self.runtime)]
    pub(crate) async fn read(&self, id: u32) -> Result<u64, Failed> {
        let _ = id;
        Ok(self.loads.fetch_add(1, Ordering::SeqCst) + 1)
    }

    #[cache_invalidate(method(Self::read(id)), runtime = self.runtime)]
    pub(crate) async fn write(&self, id: u32) -> Result<(), Failed> {
        let _ = id;
        Ok(())
    }

    #[cache_invalidate(method(Self::read(id)), runtime = self.runtime)]
    pub(crate) async fn write_until(
        &self,
        id: u32,
        written: impl Future<Output = ()>,
    ) -> Result<(), Failed> {
        let _ = id;
        written.await;
        Ok(())
    }

    #[cache_invalidate("cache:service:read:{id}", on_failure = "error", runtime = self.runtime)]
    pub(crate) async fn write_or_report(&self, id: u32, fail: bool) -> Result<(), Failed> {
        let _ = id;
        if fail { Err(Failed::Body) } else { Ok(()) }
    }

    #[cache_put(method(Self::read(id)), runtime = self.runtime)]
    pub(crate) async fn replace_with(
        &self,
        id: u32,
        value: impl Future<Output = u64>,
    ) -> Result<u64, Failed> {
        let _ = id;
        Ok(value.await)
    }

    #[cache_put(method(Self::read(id)), runtime = self.runtime)]
    pub(crate) async fn replace(&self, id: u32, value: u64) -> Result<u64, Failed> {
        let _ = id;
        Ok(value)
    }
}
