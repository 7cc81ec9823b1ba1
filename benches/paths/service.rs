//! A service as one would write it, and the same methods without an attribute.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cacheable_runtime::{Runtime, cache_invalidate, cacheable};
use tokio::task::JoinSet;

use crate::source::{ENTRIES, Missing, Note, Project, SOURCE, id_of};

pub(crate) struct Service {
    runtime: Runtime,
    /// How often [`slow`](Self::slow) ran its body.
    pub(crate) loads: AtomicU64,
}

impl Service {
    /// A service that lives as long as the process, as services do: its
    /// operations can then be futures that borrow it.
    pub(crate) fn on(runtime: Runtime) -> &'static Self {
        Box::leak(Box::new(Self {
            runtime,
            loads: AtomicU64::new(0),
        }))
    }

    #[cacheable(ttl = 3600, key_prefix = "bench", runtime = self.runtime)]
    pub(crate) async fn shared(&self, id: u64) -> Result<Arc<Project>, Missing> {
        Ok(Arc::clone(SOURCE.project(id)))
    }

    /// Removes what [`shared`](Self::shared) has kept.
    #[cache_invalidate(method(Self::shared(id)), runtime = self.runtime)]
    #[allow(clippy::unused_async, reason = "as a method that writes")]
    pub(crate) async fn forget(&self, id: u64) -> Result<(), Missing> {
        Ok(())
    }

    #[cacheable(ttl = 3600, key_prefix = "bench", runtime = self.runtime)]
    pub(crate) async fn shared_by_name(&self, name: &str) -> Result<Arc<Project>, Missing> {
        Ok(Arc::clone(SOURCE.project(id_of(name))))
    }

    #[cacheable(ttl = 3600, key_prefix = "bench", runtime = self.runtime)]
    pub(crate) async fn owned(&self, id: u64) -> Result<Project, Missing> {
        Ok(Project::clone(SOURCE.project(id)))
    }

    #[cacheable(ttl = 3600, key_prefix = "bench", runtime = self.runtime)]
    pub(crate) async fn owned_by_name(&self, name: &str) -> Result<Project, Missing> {
        Ok(Project::clone(SOURCE.project(id_of(name))))
    }

    #[cacheable(ttl = 3600, key_prefix = "bench", runtime = self.runtime)]
    pub(crate) async fn note(&self, id: u64) -> Result<Arc<Note>, Missing> {
        Ok(Arc::clone(SOURCE.note(id)))
    }

    #[cacheable(ttl = 3600, key_prefix = "bench", runtime = self.runtime)]
    pub(crate) async fn slow(&self, id: u64) -> Result<Arc<Project>, Missing> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(LOAD).await;
        Ok(Arc::clone(SOURCE.project(id)))
    }
}

/// Calls `method` once for every entry, many calls at a time.
pub(crate) async fn fill<F>(method: impl Fn(u64) -> F + Copy + Send + 'static)
where
    F: Future + Send + 'static,
{
    let mut running = JoinSet::new();
    for first in 0..FILLERS {
        running.spawn(async move {
            for id in (first..ENTRIES).step_by(FILLERS as usize) {
                method(id).await;
            }
        });
    }
    running.join_all().await;
}

const FILLERS: u64 = 64;

/// How long the body of a slow method takes.
pub(crate) const LOAD: Duration = Duration::from_millis(50);

/// [`Service::shared`] without the attribute.
pub(crate) async fn plain_shared(id: u64) -> Result<Arc<Project>, Missing> {
    Ok(Arc::clone(SOURCE.project(id)))
}

/// [`Service::shared_by_name`] without the attribute.
pub(crate) async fn plain_by_name(name: &str) -> Result<Arc<Project>, Missing> {
    Ok(Arc::clone(SOURCE.project(id_of(name))))
}

/// [`Service::owned`] without the attribute.
pub(crate) async fn plain_owned(id: u64) -> Result<Project, Missing> {
    Ok(Project::clone(SOURCE.project(id)))
}

/// [`Service::slow`] without the attribute.
pub(crate) async fn plain_slow(id: u64) -> Result<Arc<Project>, Missing> {
    tokio::time::sleep(LOAD).await;
    Ok(Arc::clone(SOURCE.project(id)))
}
