//! Methods that `#[async_trait]` has rewritten before our attribute sees them.

#![deny(warnings)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use cacheable_runtime::{Runtime, cacheable};

static LOADS: AtomicU64 = AtomicU64::new(0);

fn load() {
    LOADS.fetch_add(1, Ordering::Relaxed);
}

#[async_trait]
trait Store: Send + Sync {
    async fn find(&self, id: &str) -> Result<Option<String>, String>;
    async fn sum(&self, pair: (u64, u64), list: &[u64]) -> u64;
    async fn shared(self: Arc<Self>, id: u64) -> u64;
    async fn of<T: serde::Serialize + Send + Sync>(&self, value: T) -> String
    where
        Self: Sized;

    #[cacheable(ttl = 60, key_prefix = "default")]
    async fn default(&self, mut id: u64) -> String {
        load();
        id += 1;
        format!("{} {id}", self.name())
    }

    fn name(&self) -> String;
}

struct Memory {
    name: String,
}

#[async_trait]
impl Store for Memory {
    #[cacheable(ttl = 60, key_prefix = "memory", key = "{self.name}:{id}", none_ttl = 5)]
    async fn find(&self, id: &str) -> Result<Option<String>, String> {
        load();
        if id.is_empty() {
            return Err("no id".to_owned());
        }
        let number: u64 = id.parse().map_err(|_| "not a number".to_owned())?;
        Ok((number > 0).then(|| format!("{} {number}", self.name)))
    }

    #[cacheable(ttl = 60, key_prefix = "memory", key = "{left}:{right}:{list}")]
    async fn sum(&self, (left, right): (u64, u64), list: &[u64]) -> u64 {
        load();
        left + right + list.iter().sum::<u64>()
    }

    #[cacheable(ttl = 60, key_prefix = "memory", when = id != 0)]
    async fn shared(self: Arc<Self>, id: u64) -> u64 {
        load();
        id
    }

    #[cacheable(ttl = 60, key_prefix = "memory")]
    async fn of<T: serde::Serialize + Send + Sync>(&self, value: T) -> String {
        load();
        let _ = value;
        std::any::type_name::<T>().to_owned()
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Runtime::embedded().install().unwrap();
    let memory = Arc::new(Memory {
        name: "m".to_owned(),
    });
    for _ in 0..2 {
        assert_eq!(memory.find("7").await, Ok(Some("m 7".to_owned())));
        assert_eq!(memory.find("0").await, Ok(None));
        assert_eq!(memory.sum((1, 2), &[3, 4]).await, 10);
        assert_eq!(memory.sum((12, 0), &[3, 4]).await, 19);
        assert_eq!(Arc::clone(&memory).shared(4).await, 4);
        assert_eq!(memory.of(1_u8).await, "u8");
        assert_eq!(memory.of(1_u16).await, "u16");
        assert_eq!(memory.default(1).await, "m 2");
    }
    assert_eq!(LOADS.load(Ordering::Relaxed), 8);
    assert!(memory.find("").await.is_err());
    assert!(memory.find("x").await.is_err());
    assert_eq!(Arc::clone(&memory).shared(0).await, 0);
    assert_eq!(Arc::clone(&memory).shared(0).await, 0);
    assert_eq!(LOADS.load(Ordering::Relaxed), 12);

    // Still an object, and its futures still go to other threads.
    let store: Arc<dyn Store2> = memory;
    tokio::spawn(async move { store.found().await }).await.unwrap();
}

#[async_trait]
trait Store2: Send + Sync {
    async fn found(&self) -> bool;
}

#[async_trait]
impl Store2 for Memory {
    #[cacheable(ttl = 60, key_prefix = "found")]
    async fn found(&self) -> bool {
        self.find("7").await.is_ok()
    }
}
