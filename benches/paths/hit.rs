//! The value is in the cache.

use std::sync::Arc;

use benches::{Bench, Contender, Field, Path};
use cacheable_runtime::{Key, MethodKey, Runtime};
use cached::ConcurrentCachedAsync;
use redis::aio::MultiplexedConnection;

use crate::rivals::{self, MokaCache, QuickCache, hitbox, stores};
use crate::service::{Service, fill, plain_by_name, plain_owned, plain_shared};
use crate::source::{ENTRIES, Note, Project, SOURCE, entry};
use crate::wire::{self, Server};

const TASKS: [u64; 3] = [1, 64, 1024];

/// A rival that has lost an entry would win for the wrong reason.
const THERE: &str = "what was stored is still there";

/// Hits in the process's own memory.
pub(crate) fn embedded(bench: &mut Bench) {
    bench.path(&Path::new("hit/embedded/u64").tasks(&TASKS), embedded_by_id);
    bench.path(
        &Path::new("hit/embedded/str").tasks(&TASKS),
        embedded_by_name,
    );
}

/// Hits in a server.
pub(crate) fn redis(bench: &mut Bench, server: &Server) {
    let path = |name| Path::new(name).tasks(&TASKS).timed().on(server);
    bench.path(&path("hit/redis/project"), async || {
        redis_projects(server).await
    });
    bench.path(&path("hit/redis/100B"), async || redis_notes(server).await);
    // As in a container with a processor to itself, beside the server's.
    let alone = path("hit/redis/100B-one-worker")
        .tasks(&TASKS[1..])
        .workers(1);
    bench.path(&alone, async || redis_notes(server).await);
}

async fn embedded_by_id() -> Field {
    // A map for each contender, as the others have one.
    let service = Service::on(Runtime::embedded());
    let owning = Service::on(Runtime::embedded());
    fill(move |id| service.shared(id)).await;
    fill(move |id| owning.owned(id)).await;
    let quick: &QuickCache<u64> = rivals::quick_cache();
    // What is copied out of a cache has been copied into it.
    let copied: &QuickCache<u64> = rivals::quick_cache();
    let moka: &MokaCache<u64> = rivals::moka();
    let hitbox = hitbox::in_memory();
    for id in 0..ENTRIES {
        hitbox::project(id).cache(hitbox).await.expect(THERE);
        quick.insert(id, Arc::clone(SOURCE.project(id)));
        copied.insert(id, copy_of(id));
        moka.insert(id, Arc::clone(SOURCE.project(id))).await;
        rivals::cached_by_id(id).await.expect(THERE);
    }
    Field {
        note: format!("{ENTRIES} projects of 20 fields, argument `u64`"),
        contenders: vec![
            Contender::sync("quick_cache get", move |n| {
                quick.get(&entry(n)).expect(THERE)
            }),
            Contender::new("moka get", move |n| async move {
                moka.get(&entry(n)).await.expect(THERE)
            })
            .against("quick_cache get"),
            Contender::new("moka try_get_with", move |n| {
                moka.try_get_with(entry(n), plain_shared(entry(n)))
            })
            .against("quick_cache get"),
            Contender::new("cached", move |n| rivals::cached_by_id(entry(n)))
                .against("quick_cache get"),
            Contender::new("hitbox, owned", move |n| async move {
                hitbox::project(entry(n)).cache(hitbox).await
            })
            .against("quick_cache get"),
            Contender::new("#[cacheable], Arc", move |n| service.shared(entry(n)))
                .against("quick_cache get"),
            Contender::new("plain method, Arc", move |n| plain_shared(entry(n))),
            Contender::sync("quick_cache get, clone", move |n| {
                Project::clone(&copied.get(&entry(n)).expect(THERE))
            }),
            Contender::new("#[cacheable], owned", move |n| owning.owned(entry(n)))
                .against("quick_cache get, clone"),
            Contender::new("plain method, clone", move |n| plain_owned(entry(n))),
        ],
    }
}

async fn embedded_by_name() -> Field {
    let service = Service::on(Runtime::embedded());
    let owning = Service::on(Runtime::embedded());
    fill(move |id| service.shared_by_name(SOURCE.name(id))).await;
    fill(move |id| owning.owned_by_name(SOURCE.name(id))).await;
    let quick: &QuickCache<String> = rivals::quick_cache();
    let copied: &QuickCache<String> = rivals::quick_cache();
    let moka: &MokaCache<String> = rivals::moka();
    let hitbox = hitbox::in_memory();
    for id in 0..ENTRIES {
        let name = SOURCE.name(id);
        hitbox::project_by_name(name.to_owned())
            .cache(hitbox)
            .await
            .expect(THERE);
        quick.insert(name.to_owned(), Arc::clone(SOURCE.project(id)));
        copied.insert(name.to_owned(), copy_of(id));
        moka.insert(name.to_owned(), Arc::clone(SOURCE.project(id)))
            .await;
        rivals::cached_by_name(name).await.expect(THERE);
    }
    Field {
        note: format!("{ENTRIES} projects of 20 fields, argument `&str` of 20 bytes"),
        contenders: vec![
            Contender::sync("quick_cache get", move |n| {
                quick.get(SOURCE.name(entry(n))).expect(THERE)
            }),
            Contender::new("moka get", move |n| async move {
                moka.get(SOURCE.name(entry(n))).await.expect(THERE)
            })
            .against("quick_cache get"),
            Contender::new("cached", move |n| {
                rivals::cached_by_name(SOURCE.name(entry(n)))
            })
            .against("quick_cache get"),
            Contender::new("hitbox, owned", move |n| async move {
                let name = SOURCE.name(entry(n));
                hitbox::project_by_name(name.to_owned()).cache(hitbox).await
            })
            .against("quick_cache get"),
            Contender::new("#[cacheable], Arc", move |n| {
                service.shared_by_name(SOURCE.name(entry(n)))
            })
            .against("quick_cache get"),
            Contender::new("plain method, Arc", move |n| {
                plain_by_name(SOURCE.name(entry(n)))
            }),
            Contender::sync("quick_cache get, clone", move |n| {
                Project::clone(&copied.get(SOURCE.name(entry(n))).expect(THERE))
            }),
            Contender::new("#[cacheable], owned", move |n| {
                owning.owned_by_name(SOURCE.name(entry(n)))
            })
            .against("quick_cache get, clone"),
        ],
    }
}

fn copy_of(id: u64) -> Arc<Project> {
    Arc::new(Project::clone(SOURCE.project(id)))
}

async fn redis_projects(server: &Server) -> Field {
    let service = Service::on(server.runtime().await);
    fill(move |id| service.shared(id)).await;
    fill(move |id| service.shared_by_name(SOURCE.name(id))).await;
    fill(move |id| service.owned(id)).await;
    let by_hand = ByHand::on(server, Service::shared_key).await;
    let size = by_hand.size().await;
    fill(move |id| by_hand.set_bare(id)).await;
    let fred = stores::fred(&server.url()).await;
    let cached = stores::cached::<u64, Project>(&server.url(), "project").await;
    fill(move |id| cached.async_cache_set(id, Project::clone(SOURCE.project(id)))).await;
    let hitbox = hitbox::on_server(&server.url());
    fill(move |id| async move { hitbox::project(id).cache(hitbox).await }).await;
    Field {
        note: format!("{ENTRIES} projects of 20 fields, entries of {size} bytes"),
        contenders: vec![
            Contender::new("redis GET", move |n| by_hand.get(entry(n))),
            Contender::new("redis GET, bincode", move |n| by_hand.get_bare(entry(n)))
                .against("redis GET"),
            Contender::new("fred GET", move |n| by_hand.get_with_fred(fred, entry(n)))
                .against("redis GET"),
            Contender::new("cached", move |n| async move {
                let found = cached.async_cache_get(&entry(n)).await;
                found.expect("the server answers").expect(THERE)
            })
            .against("redis GET"),
            Contender::new("hitbox", move |n| async move {
                hitbox::project(entry(n)).cache(hitbox).await
            })
            .against("redis GET"),
            Contender::new("#[cacheable], Arc, u64", move |n| service.shared(entry(n)))
                .against("redis GET"),
            Contender::new("#[cacheable], Arc, &str", move |n| {
                service.shared_by_name(SOURCE.name(entry(n)))
            })
            .against("redis GET"),
            Contender::new("#[cacheable], owned, u64", move |n| service.owned(entry(n)))
                .against("redis GET"),
        ],
    }
}

async fn redis_notes(server: &Server) -> Field {
    let service = Service::on(server.runtime().await);
    fill(move |id| service.note(id)).await;
    let by_hand = ByHand::on(server, Service::note_key).await;
    let size = by_hand.size().await;
    let fred = stores::fred(&server.url()).await;
    let cached = stores::cached::<u64, Note>(&server.url(), "note").await;
    fill(move |id| cached.async_cache_set(id, Note::clone(SOURCE.note(id)))).await;
    let hitbox = hitbox::on_server(&server.url());
    fill(move |id| async move { hitbox::note(id).cache(hitbox).await }).await;
    Field {
        note: format!("{ENTRIES} values with one field, entries of {size} bytes"),
        contenders: vec![
            Contender::new("redis GET", move |n| by_hand.get(entry(n))),
            Contender::new("fred GET", move |n| by_hand.get_with_fred(fred, entry(n)))
                .against("redis GET"),
            Contender::new("cached", move |n| async move {
                let found = cached.async_cache_get(&entry(n)).await;
                found.expect("the server answers").expect(THERE)
            })
            .against("redis GET"),
            Contender::new("hitbox", move |n| async move {
                hitbox::note(entry(n)).cache(hitbox).await
            })
            .against("redis GET"),
            Contender::new("#[cacheable], Arc, u64", move |n| service.note(entry(n)))
                .against("redis GET"),
        ],
    }
}

/// The same entries without us.
struct ByHand {
    connection: MultiplexedConnection,
    /// The keys that a method keeps its entries under.
    keys: Vec<Key>,
}

impl ByHand {
    async fn on<R>(server: &Server, key: fn(u64) -> MethodKey<R>) -> &'static Self {
        Box::leak(Box::new(Self {
            connection: server.connect().await,
            keys: (0..ENTRIES).map(|id| wire::text(key(id))).collect(),
        }))
    }

    /// The bytes that the method reads, as they are.
    async fn get(&self, id: u64) -> Option<Vec<u8>> {
        wire::get(&self.connection, self.key(id).as_str()).await
    }

    async fn get_with_fred(&self, client: &fred::clients::Client, id: u64) -> Option<Vec<u8>> {
        stores::fred_get(client, self.key(id).as_str()).await
    }

    /// A project as one would keep it oneself.
    async fn get_bare(&self, id: u64) -> Project {
        let key = bare(self.key(id));
        let bytes = wire::get(&self.connection, &key).await;
        let bytes = bytes.expect("it was stored");
        let (project, _) = bincode::serde::decode_from_slice(&bytes, bincode::config::standard())
            .expect("it is a project");
        project
    }

    async fn set_bare(&self, id: u64) {
        let project: &Project = SOURCE.project(id);
        let bytes = bincode::serde::encode_to_vec(project, bincode::config::standard());
        let bytes = bytes.expect("a project can be written");
        wire::set(&self.connection, &bare(self.key(id)), &bytes).await;
    }

    fn key(&self, id: u64) -> &Key {
        &self.keys[id as usize]
    }

    async fn size(&self) -> usize {
        let bytes = self.get(0).await.expect("the method has stored it");
        bytes.len()
    }
}

fn bare(key: &Key) -> String {
    format!("bare:{key}")
}
