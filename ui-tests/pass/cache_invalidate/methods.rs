//! `method(..)`, in every way that a call can be written.

#![deny(warnings)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cacheable_runtime::{Runtime, cache_invalidate, cacheable};

static LOADS: AtomicU64 = AtomicU64::new(0);

fn load() {
    LOADS.fetch_add(1, Ordering::Relaxed);
}

#[cacheable(ttl = 60, key_prefix = "free")]
pub async fn free(id: u64) -> u64 {
    load();
    id
}

mod elsewhere {
    #[cacheable_runtime::cacheable(ttl = 60, key_prefix = "free", key_fn)]
    pub(crate) async fn other<T: serde::Serialize>(id: T) -> String {
        super::load();
        drop(id);
        std::any::type_name::<T>().to_owned()
    }
}

struct Repository;

impl Repository {
    #[cacheable(ttl = 60, key_prefix = "repository", skip(_database))]
    pub async fn name(&self, _database: &Repository, id: &str) -> String {
        load();
        id.to_owned()
    }
}

struct Service {
    tenant: String,
    repository: Repository,
}

#[derive(Clone)]
struct Update {
    id: String,
}

impl Service {
    #[cacheable(ttl = 60, key_prefix = "plain")]
    pub async fn plain(&self, id: &str) -> Result<String, String> {
        load();
        Ok(id.to_owned())
    }

    #[cacheable(ttl = 60, key_prefix = "tenant", key = "{self.tenant}:{id}")]
    pub async fn of_tenant(&self, id: String) -> String {
        load();
        id
    }

    #[cacheable(ttl = 60, key_prefix = "renamed", key_fn = entry)]
    async fn renamed(&self, id: &str, version: u32) -> String {
        load();
        format!("{id}{version}")
    }

    #[cacheable(ttl = 60, key_prefix = "generic")]
    pub async fn generic<T: serde::Serialize, const N: usize>(&self, value: T) -> usize {
        load();
        drop(value);
        N
    }

    #[cache_invalidate(
        method(Self::plain(&id)),
        method(self.of_tenant(id)),
        method(Self::renamed(&update.id, 2), key_fn = entry),
        method(self.renamed(&update.id, 3), key_fn = entry),
        method(self.generic::<u8, 2>(7)),
        method(Service::generic::<&str, 1>(id.as_str())),
        method(free(number)),
        method(elsewhere::other::<u64>(number)),
        method(elsewhere::other(update.id)),
        method(self.repository.name(&id)),
    )]
    pub async fn save(&self, id: String, update: Update, number: u64) -> Result<Update, String> {
        // What is named above is still whole.
        drop(id);
        let _ = number;
        Ok(update)
    }

    #[cache_invalidate(method(self.of_tenant(id)), method(Self::plain(&id)))]
    async fn save_shared(self: Arc<Self>, id: String) -> Option<String> {
        Some(id)
    }

    #[cache_invalidate(method(self.of_tenant(id)))]
    async fn save_mut(&mut self, id: String) {
        self.tenant = id;
    }

    async fn fill(&self, id: &str) -> u64 {
        let before = LOADS.load(Ordering::Relaxed);
        self.plain(id).await.unwrap();
        self.of_tenant(id.to_owned()).await;
        self.renamed(id, 2).await;
        self.renamed(id, 3).await;
        self.generic::<u8, 2>(7).await;
        self.generic::<&str, 1>(id).await;
        free(1).await;
        elsewhere::other::<u64>(1).await;
        elsewhere::other(id.to_owned()).await;
        self.repository.name(&self.repository, id).await;
        LOADS.load(Ordering::Relaxed) - before
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Runtime::embedded().install().unwrap();
    let mut service = Service {
        tenant: "t".to_owned(),
        repository: Repository,
    };
    assert_eq!(service.fill("a").await, 10);
    assert_eq!(service.fill("a").await, 0);
    let id = "a".to_owned();
    let update = Update { id: id.clone() };
    service.save(id.clone(), update.clone(), 1).await.unwrap();
    assert_eq!(service.fill("a").await, 10);
    // Entries of other calls stay: only four of these are of the same.
    service.save("b".to_owned(), update, 9).await.unwrap();
    assert_eq!(service.fill("a").await, 4);
    service.save_mut(id.clone()).await;
    service.tenant = "t".to_owned();
    assert_eq!(service.fill("a").await, 1);
    let service = Arc::new(service);
    Arc::clone(&service).save_shared(id).await.unwrap();
    assert_eq!(service.fill("a").await, 2);
}
