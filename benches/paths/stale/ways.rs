//! The caches in front of versions.

use std::sync::LazyLock;

use cacheable_runtime::{Runtime, cache_invalidate, cacheable};
use cached::macros::concurrent_cached;
use cached::{AsyncRedisCache, ConcurrentCached, ConcurrentCachedAsync};
use quick_cache::UnitWeighter;
use redis::aio::MultiplexedConnection;

use super::{Versions, Way};
use crate::rivals::{self, stores};
use crate::source::Missing;
use crate::wire::{self, Server};

/// Ours.
struct Service {
    runtime: Runtime,
    versions: &'static Versions,
}

impl Service {
    fn on(runtime: Runtime, versions: &'static Versions) -> &'static Self {
        Box::leak(Box::new(Self { runtime, versions }))
    }

    #[cacheable(ttl = 3600, key_prefix = "stale", runtime = self.runtime)]
    pub(super) async fn version(&self, id: u64) -> Result<u64, Missing> {
        Ok(self.versions.load(id).await)
    }

    #[cache_invalidate(method(Self::version(id)), runtime = self.runtime)]
    #[allow(clippy::unused_async, reason = "as a method that writes")]
    async fn write(&self, id: u64) -> Result<(), Missing> {
        self.versions.write(id);
        Ok(())
    }

    /// Reads through `reader`, writes through this.
    fn way(&'static self, name: &'static str, reader: &'static Self) -> Way {
        let read = move |id| async move { reader.version(id).await.expect("it is there") };
        let write = move |id| async move { self.write(id).await.expect("nothing fails") };
        Way::new(name, self.versions, read, write)
    }
}

async fn runtime(server: &Server, namespace: &str) -> Runtime {
    let builder = Runtime::builder().redis(server.url()).namespace(namespace);
    let built = builder.require_connection().build().await;
    built.expect("the server was just started")
}

// Functions with an attribute have no `self` to find their versions by.
static CACHED: LazyLock<Versions> = LazyLock::new(Versions::new);
static HITBOX: LazyLock<Versions> = LazyLock::new(Versions::new);

#[concurrent_cached(max_size = 1_000, ttl_secs = 3600)]
async fn cached_version(id: u64) -> Result<u64, Missing> {
    Ok(CACHED.load(id).await)
}

#[hitbox_fn::cached(prefix = "version")]
async fn hitbox_version(id: u64) -> Result<u64, Missing> {
    Ok(HITBOX.load(id).await)
}

pub(super) async fn in_one_process(server: &Server) -> Vec<Way> {
    let quick_versions = Versions::leaked();
    let quick: &quick_cache::sync::Cache<u64, u64, UnitWeighter, ahash::RandomState> =
        Box::leak(Box::new(quick_cache::sync::Cache::with(
            1_000,
            1_000,
            UnitWeighter,
            ahash::RandomState::new(),
            quick_cache::sync::DefaultLifecycle::default(),
        )));
    let moka_versions = Versions::leaked();
    let moka: &moka::future::Cache<u64, u64> = Box::leak(Box::new(moka::future::Cache::new(1_000)));
    let in_memory = rivals::hitbox::in_memory();
    let embedded = Service::on(Runtime::embedded(), Versions::leaked());
    let redis = Service::on(runtime(server, "stale-process").await, Versions::leaked());
    vec![
        Way::new(
            "quick_cache get_or_insert_async",
            quick_versions,
            move |id| async move {
                let loading = async { Ok::<_, Missing>(quick_versions.load(id).await) };
                quick
                    .get_or_insert_async(&id, loading)
                    .await
                    .expect("it is there")
            },
            move |id| async move {
                quick_versions.write(id);
                quick.remove(&id);
            },
        ),
        Way::new(
            "moka get_with",
            moka_versions,
            move |id| moka.get_with(id, moka_versions.load(id)),
            move |id| async move {
                moka_versions.write(id);
                moka.invalidate(&id).await;
            },
        ),
        Way::new(
            "cached",
            &CACHED,
            |id| async move { cached_version(id).await.expect("it is there") },
            |id| async move {
                CACHED.write(id);
                // There is none before the first call.
                if let Some(cache) = CACHED_VERSION.get() {
                    let removed = cache.cache_remove(&id);
                    removed.expect("memory does not fail");
                }
            },
        ),
        Way::new(
            "hitbox",
            &HITBOX,
            move |id| async move {
                hitbox_version(id)
                    .cache(in_memory)
                    .await
                    .expect("it is there")
            },
            move |id| async move {
                HITBOX.write(id);
                rivals::hitbox::remove(in_memory, "version", id).await;
            },
        ),
        embedded.way("#[cacheable], embedded", embedded),
        redis.way("#[cacheable]", redis),
    ]
}

pub(super) async fn elsewhere(server: &Server) -> Vec<Way> {
    let hand_versions = Versions::leaked();
    let writer = TwoLevels::on(server, hand_versions).await;
    let reader = TwoLevels::on(server, hand_versions).await;
    let stored_versions = Versions::leaked();
    let stored: &AsyncRedisCache<u64, u64> = stores::cached(&server.url(), "stale").await;
    let versions = Versions::leaked();
    let here = Service::on(runtime(server, "stale-elsewhere").await, versions);
    let there = Service::on(runtime(server, "stale-elsewhere").await, versions);
    vec![
        Way::new(
            "moka + redis by hand",
            hand_versions,
            move |id| reader.get(id),
            move |id| writer.write(id),
        ),
        Way::new(
            "cached, redis alone",
            stored_versions,
            move |id| async move {
                if let Some(version) = stored
                    .async_cache_get(&id)
                    .await
                    .expect("the server answers")
                {
                    return version;
                }
                let version = stored_versions.load(id).await;
                let set = stored.async_cache_set(id, version).await;
                set.expect("the server answers");
                version
            },
            move |id| async move {
                stored_versions.write(id);
                let removed = stored.async_cache_remove(&id).await;
                removed.expect("the server answers");
            },
        ),
        here.way("#[cacheable]", there),
    ]
}

/// Two levels as one would write them. A removal empties the server and the level of
/// the process that removes.
struct TwoLevels {
    moka: moka::future::Cache<u64, u64>,
    connection: MultiplexedConnection,
    versions: &'static Versions,
}

impl TwoLevels {
    async fn on(server: &Server, versions: &'static Versions) -> &'static Self {
        Box::leak(Box::new(Self {
            moka: moka::future::Cache::new(1_000),
            connection: server.connect().await,
            versions,
        }))
    }

    async fn get(&self, id: u64) -> u64 {
        if let Some(version) = self.moka.get(&id).await {
            return version;
        }
        let key = format!("stale:{id}");
        let stored = wire::get(&self.connection, &key).await;
        let stored = stored.and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok());
        let version = if let Some(version) = stored {
            version
        } else {
            let version = self.versions.load(id).await;
            wire::set(&self.connection, &key, version.to_string().as_bytes()).await;
            version
        };
        self.moka.insert(id, version).await;
        version
    }

    async fn write(&self, id: u64) {
        self.versions.write(id);
        let mut del = redis::cmd("DEL");
        del.arg(format!("stale:{id}"));
        wire::ask::<()>(&self.connection, &del).await;
        self.moka.invalidate(&id).await;
    }
}
