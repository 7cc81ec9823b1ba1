//! A source of data that counts its loads and lets a test hold them.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::stores::PATIENCE;
use cacheable_runtime::{Runtime, cache_invalidate, cache_put, cacheable};
use tokio::sync::{Semaphore, watch};

/// A value with a version, behind cached methods.
pub(crate) struct Source {
    pub(crate) runtime: Runtime,
    version: AtomicU64,
    begun: watch::Sender<u64>,
    gate: Semaphore,
    fail: AtomicU64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken;

impl Source {
    pub(crate) fn new(runtime: Runtime) -> Self {
        Self {
            runtime,
            version: AtomicU64::new(1),
            begun: watch::Sender::new(0),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            fail: AtomicU64::new(0),
        }
    }

    /// Loads stop after they have read the version, until released.
    pub(crate) fn holding(runtime: Runtime) -> Self {
        let source = Self::new(runtime);
        source.gate.forget_permits(Semaphore::MAX_PERMITS);
        source
    }

    /// Lets one held load, or the next one, go on.
    pub(crate) fn release(&self) {
        self.gate.add_permits(1);
    }

    /// The next so many loads fail.
    pub(crate) fn fail(&self, times: u64) {
        self.fail.store(times, Ordering::SeqCst);
    }

    pub(crate) fn loads(&self) -> u64 {
        *self.begun.borrow()
    }

    /// Waits until so many loads have begun.
    pub(crate) async fn begun(&self, loads: u64) {
        let mut begun = self.begun.subscribe();
        let begun = begun.wait_for(|begun| *begun >= loads);
        let begun = tokio::time::timeout(PATIENCE, begun).await;
        begun
            .expect("as many loads begin")
            .expect("the source is there");
    }

    /// Writes behind the cache's back.
    pub(crate) fn write(&self) -> u64 {
        self.version.fetch_add(1, Ordering::SeqCst) + 1
    }

    async fn load(&self) -> Result<u64, Broken> {
        let version = self.version.load(Ordering::SeqCst);
        self.begun.send_modify(|begun| *begun += 1);
        self.gate
            .acquire()
            .await
            .expect("the gate is never closed")
            .forget();
        let failing = self
            .fail
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        match failing {
            Ok(_) => Err(Broken),
            Err(_) => Ok(version),
        }
    }

    #[cacheable(ttl = 600, key_prefix = "source", runtime = self.runtime)]
    pub(crate) async fn read(&self, id: u32) -> Result<u64, Broken> {
        let _ = id;
        self.load().await
    }

    #[cache_invalidate(method(Self::read(id)), runtime = self.runtime)]
    pub(crate) async fn update(&self, id: u32) -> Result<u64, Broken> {
        let _ = id;
        Ok(self.write())
    }

    #[cache_invalidate("cache:source:*", runtime = self.runtime)]
    pub(crate) async fn update_all(&self) -> Result<u64, Broken> {
        Ok(self.write())
    }

    #[cache_invalidate("cache:source:re?d:{id}", runtime = self.runtime)]
    pub(crate) async fn update_matching(&self, id: u32) -> Result<u64, Broken> {
        let _ = id;
        Ok(self.write())
    }

    /// Writes, then does as `wait` says, then returns what it wrote.
    #[cache_put(method(Self::read(id)), runtime = self.runtime)]
    pub(crate) async fn replace(
        &self,
        id: u32,
        wait: impl Future<Output = ()>,
    ) -> Result<u64, Broken> {
        let _ = id;
        let written = self.write();
        wait.await;
        Ok(written)
    }
}
