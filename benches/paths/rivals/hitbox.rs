//! `hitbox`: functions with its attribute over its two stores. It keeps bytes also in
//! the process's own memory, so every hit decodes.

use std::sync::atomic::Ordering;

use hitbox::backend::Backend;
use hitbox::concurrency::{BroadcastConcurrencyManager, NoopConcurrencyManager};
use hitbox::policy::{ConcurrencyLimit, PolicyConfig};
use hitbox::{DisabledOffload, Extractor};
use hitbox_backend::format::BincodeFormat;
use hitbox_fn::{Arg, Args, Cache, CacheableResponse, FnExtractor, cached};
use hitbox_moka::MokaBackend;
use hitbox_redis::{ConnectionMode, RedisBackend};
use serde::{Deserialize, Serialize};

use super::{CAPACITY, HITBOX_LOADS, LIFE};
use crate::service::LOAD;
use crate::source::{Missing, Note, Project, SOURCE, id_of};

type Moka = MokaBackend<BincodeFormat>;
pub(crate) type InMemory = Cache<Moka>;
pub(crate) type OnServer = Cache<RedisBackend>;
/// One load for a key at a time.
pub(crate) type InTurns<T> =
    Cache<Moka, BroadcastConcurrencyManager<Result<T, Missing>>, DisabledOffload>;

#[derive(Clone, Debug, Serialize, Deserialize, CacheableResponse)]
pub(crate) struct KeptProject {
    project: Project,
}

#[derive(Clone, Debug, Serialize, Deserialize, CacheableResponse)]
pub(crate) struct KeptNote {
    note: Note,
}

#[cached(prefix = "project")]
pub(crate) async fn project(id: u64) -> Result<KeptProject, Missing> {
    Ok(kept(id))
}

/// Its attribute takes no `&str` where the future has to be `Send`.
#[cached(prefix = "project_by_name")]
pub(crate) async fn project_by_name(name: String) -> Result<KeptProject, Missing> {
    Ok(kept(id_of(&name)))
}

#[cached(prefix = "note")]
pub(crate) async fn note(id: u64) -> Result<KeptNote, Missing> {
    let note = Note::clone(SOURCE.note(id));
    Ok(KeptNote { note })
}

#[cached(prefix = "slow")]
pub(crate) async fn slow(id: u64) -> Result<KeptProject, Missing> {
    HITBOX_LOADS.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(LOAD).await;
    Ok(kept(id))
}

fn kept(id: u64) -> KeptProject {
    KeptProject {
        project: Project::clone(SOURCE.project(id)),
    }
}

/// In the process's own memory.
pub(crate) fn in_memory() -> &'static InMemory {
    let cache = Cache::builder().backend(moka()).policy(policy());
    Box::leak(Box::new(cache.build()))
}

/// The same, and callers wait for each other's loads.
pub(crate) fn in_turns<T>() -> &'static InTurns<T>
where
    Result<T, Missing>: hitbox::CacheableResponse,
{
    let one = ConcurrencyLimit::new(1).expect("one is in its range");
    let policy = PolicyConfig::builder().ttl(LIFE).concurrency(one).build();
    let cache = Cache::builder().backend(moka()).policy(policy);
    let cache = cache.concurrency_manager(BroadcastConcurrencyManager::new());
    Box::leak(Box::new(cache.build()))
}

/// In a server.
pub(crate) fn on_server(url: &str) -> &'static OnServer {
    let backend = RedisBackend::builder()
        .connection(ConnectionMode::single(url))
        .build();
    let cache = Cache::builder()
        .backend(backend.expect("it is an address"))
        .policy(policy())
        .concurrency_manager(NoopConcurrencyManager);
    Box::leak(Box::new(cache.build()))
}

/// Removes the entry of a function with one argument `id`. The crate has no call for
/// that; this is how it names an entry itself.
pub(crate) async fn remove<CM, O>(cache: &Cache<Moka, CM, O>, function: &'static str, id: u64) {
    let extractor = FnExtractor::<Args<(Arg<u64>,)>>::new(function);
    let parts = extractor.get(Args((Arg::new("id", id),))).await;
    let (_, key) = parts.into_cache_key();
    cache
        .backend()
        .remove(&key)
        .await
        .expect("memory does not fail");
}

fn moka() -> Moka {
    let backend = MokaBackend::builder().max_entries(CAPACITY as u64);
    backend.value_format(BincodeFormat).build()
}

fn policy() -> PolicyConfig {
    PolicyConfig::builder().ttl(LIFE).build()
}
