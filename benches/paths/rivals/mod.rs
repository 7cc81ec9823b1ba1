//! What one would use instead.

pub(crate) mod hitbox;
pub(crate) mod stores;

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cached::macros::concurrent_cached;
use quick_cache::UnitWeighter;
use quick_cache::sync::DefaultLifecycle;

use crate::service::LOAD;
use crate::source::{ENTRIES, Missing, Project, SOURCE, id_of};

/// Room for everything that is hit, and for the misses of a while.
const CAPACITY: usize = 2 * ENTRIES as usize;
/// Longer than a run.
const LIFE: Duration = Duration::from_hours(1);

/// How often the body of a slow function ran, for those whose bodies are functions.
pub(crate) static CACHED_LOADS: AtomicU64 = AtomicU64::new(0);
pub(crate) static HITBOX_LOADS: AtomicU64 = AtomicU64::new(0);

pub(crate) type QuickCache<K> =
    quick_cache::sync::Cache<K, Arc<Project>, UnitWeighter, ahash::RandomState>;
pub(crate) type MokaCache<K> = moka::future::Cache<K, Arc<Project>>;

/// With the hasher that it has by default.
pub(crate) fn quick_cache<K: Hash + Eq + Clone + Send + Sync>() -> &'static QuickCache<K> {
    quick_cache_of(CAPACITY)
}

pub(crate) fn quick_cache_of<K: Hash + Eq + Clone + Send + Sync>(
    capacity: usize,
) -> &'static QuickCache<K> {
    Box::leak(Box::new(QuickCache::with(
        capacity,
        capacity as u64,
        UnitWeighter,
        ahash::RandomState::new(),
        DefaultLifecycle::default(),
    )))
}

pub(crate) fn moka<K: Hash + Eq + Send + Sync + 'static>() -> &'static MokaCache<K> {
    Box::leak(Box::new(MokaCache::new(CAPACITY as u64)))
}

#[allow(clippy::unused_async, reason = "as the method it stands for")]
#[concurrent_cached(max_size = 20_000, ttl_secs = 3600)]
pub(crate) async fn cached_by_id(id: u64) -> Result<Arc<Project>, Missing> {
    Ok(Arc::clone(SOURCE.project(id)))
}

#[allow(clippy::unused_async, reason = "as the method it stands for")]
#[concurrent_cached(
    max_size = 20_000,
    ttl_secs = 3600,
    key = "String",
    convert = { name.to_owned() }
)]
pub(crate) async fn cached_by_name(name: &str) -> Result<Arc<Project>, Missing> {
    Ok(Arc::clone(SOURCE.project(id_of(name))))
}

#[concurrent_cached(max_size = 20_000, ttl_secs = 3600)]
pub(crate) async fn cached_slow(id: u64) -> Result<Arc<Project>, Missing> {
    CACHED_LOADS.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(LOAD).await;
    Ok(Arc::clone(SOURCE.project(id)))
}
