//! The value is not in the cache, and to load it costs nothing.

use std::sync::Arc;

use benches::{Bench, Contender, Field, Path};
use cacheable_runtime::Runtime;
use cached::ConcurrentCachedAsync;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Script};

use crate::rivals::{self, MokaCache, QuickCache, hitbox, stores};
use crate::service::{Service, plain_owned, plain_shared};
use crate::source::{Project, SOURCE};
use crate::wire::{self, Server};

const TASKS: [u64; 2] = [1, 64];

/// Misses in the process's own memory. The numbers of the operations are the
/// arguments, and none comes twice.
pub(crate) fn embedded(bench: &mut Bench) {
    let path = Path::new("miss/embedded").tasks(&TASKS);
    bench.path(&path, async || {
        let service = Service::on(Runtime::embedded());
        let quick: &QuickCache<u64> = rivals::quick_cache();
        let moka: &MokaCache<u64> = rivals::moka();
        let hitbox = hitbox::in_memory();
        Field {
            note: "projects of 20 fields, argument `u64`, nothing to load".to_owned(),
            contenders: vec![
                Contender::new("quick_cache get, insert", move |n| async move {
                    match quick.get(&n) {
                        Some(found) => found,
                        None => insert(quick, n),
                    }
                }),
                Contender::new("quick_cache get_or_insert_async", move |n| async move {
                    quick.get_or_insert_async(&n, plain_shared(n)).await
                })
                .against("quick_cache get, insert"),
                Contender::new("moka try_get_with", move |n| {
                    moka.try_get_with(n, plain_shared(n))
                })
                .against("quick_cache get, insert"),
                Contender::new("cached", rivals::cached_by_id).against("quick_cache get, insert"),
                Contender::new("hitbox, owned", move |n| async move {
                    hitbox::project(n).cache(hitbox).await
                })
                .against("quick_cache get, insert"),
                Contender::new("#[cacheable], Arc", move |n| service.shared(n))
                    .against("quick_cache get, insert"),
                Contender::new("#[cacheable], owned", move |n| service.owned(n))
                    .against("quick_cache get, insert"),
                Contender::new("plain method, Arc", plain_shared),
                Contender::new("plain method, clone", plain_owned),
            ],
        }
    });
}

fn insert(cache: &QuickCache<u64>, id: u64) -> Arc<Project> {
    let project = SOURCE.project(id);
    cache.insert(id, Arc::clone(project));
    Arc::clone(project)
}

/// Misses in a server.
pub(crate) fn redis(bench: &mut Bench, server: &Server) {
    let path = Path::new("miss/redis").tasks(&TASKS).timed().on(server);
    bench.path(&path, async || {
        let service = Service::on(server.runtime().await);
        let by_hand = ByHand::on(server).await;
        let size = by_hand.value.len();
        let fred = stores::fred(&server.url()).await;
        let cached = stores::cached::<u64, Project>(&server.url(), "miss").await;
        let hitbox = hitbox::on_server(&server.url());
        Field {
            note: format!("entries of {size} bytes, argument `u64`, nothing to load"),
            contenders: vec![
                Contender::new("redis GET, SET", move |n| by_hand.get_and_set(n)),
                Contender::new("redis GET, SET NX, script", move |n| {
                    by_hand.get_and_lock(n)
                })
                .against("redis GET, SET"),
                Contender::new("fred GET, SET", move |n| async move {
                    let key = format!("fred:{n}");
                    if stores::fred_get(fred, &key).await.is_none() {
                        stores::fred_set(fred, &key, &by_hand.value).await;
                    }
                })
                .against("redis GET, SET"),
                Contender::new("cached", move |n| async move {
                    let found = cached.async_cache_get(&n).await;
                    if found.expect("the server answers").is_none() {
                        let project = Project::clone(SOURCE.project(n));
                        let set = cached.async_cache_set(n, project).await;
                        drop(set.expect("the server answers"));
                    }
                })
                .against("redis GET, SET"),
                Contender::new("hitbox", move |n| async move {
                    hitbox::project(n).cache(hitbox).await
                })
                .against("redis GET, SET"),
                Contender::new("#[cacheable], Arc", move |n| service.shared(n))
                    .against("redis GET, SET"),
                Contender::new("#[cacheable], owned", move |n| service.owned(n))
                    .against("redis GET, SET"),
            ],
        }
    });
}

/// The same without us.
struct ByHand {
    connection: MultiplexedConnection,
    value: Vec<u8>,
    replace: Script,
}

/// Puts a value where a lock is, if it is the one given.
const REPLACE: &str = r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
";

impl ByHand {
    async fn on(server: &Server) -> &'static Self {
        let connection = server.connect().await;
        let service = Service::on(server.runtime().await);
        service.shared(0).await.expect("it is there");
        let key = wire::text(Service::shared_key(0));
        let stored = wire::get(&connection, key.as_str()).await;
        Box::leak(Box::new(Self {
            value: stored.expect("the method has just stored it"),
            connection,
            replace: Script::new(REPLACE),
        }))
    }

    /// What most write: two callers may load, and an older value may stay.
    async fn get_and_set(&self, number: u64) {
        let key = format!("hand:{number}");
        if wire::get(&self.connection, &key).await.is_none() {
            wire::set(&self.connection, &key, &self.value).await;
        }
    }

    /// What is as safe as ours, by hand: the same three round trips.
    async fn get_and_lock(&self, number: u64) -> bool {
        let key = format!("lock:{number}");
        let lock = format!("held by {number}");
        if wire::get(&self.connection, &key).await.is_some() {
            return false;
        }
        let mut acquire = Cmd::new();
        acquire.arg("SET").arg(&key).arg(&lock).arg("NX");
        acquire.arg("PX").arg(10_000);
        let acquired: Option<String> = wire::ask(&self.connection, &acquire).await;
        if acquired.is_none() {
            return false;
        }
        let mut replace = self.replace.key(&key);
        replace.arg(&lock).arg(&self.value).arg(3_600_000);
        let replaced = replace.invoke_async(&mut self.connection.clone()).await;
        replaced.expect("the server answers")
    }
}
