//! `key_fn`: where a companion is emitted, and under which name.

#![deny(warnings)]

use cacheable_runtime::{IntoKey, MethodKey, Runtime, cacheable};

struct Service;

impl Service {
    #[cacheable(ttl = 60, key_prefix = "c", key_fn)]
    async fn private(&self, id: u64) -> Result<String, String> {
        Ok(id.to_string())
    }

    #[cacheable(ttl = 60, key_prefix = "c", key_fn = entry)]
    pub async fn renamed(&self, id: u64) -> String {
        id.to_string()
    }

    #[cacheable(ttl = 60, key_prefix = "c")]
    async fn without(&self, id: u64) -> String {
        id.to_string()
    }

    // Its name is free.
    fn without_key(id: u64) -> u64 {
        id
    }
}

#[cacheable(ttl = 60, key_prefix = "c", key_fn = made)]
async fn free(id: u64) -> u64 {
    id
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Runtime::embedded().install().unwrap();
    let cache = Runtime::global().unwrap().cache();
    let key: MethodKey<Result<String, String>> = Service::private_key(1);
    Service.private(1).await.unwrap();
    assert!(cache.remove(key).await.unwrap());
    Service.renamed(1).await;
    assert!(cache.remove(Service::entry(1)).await.unwrap());
    assert_eq!(Service.without(1).await, "1");
    assert_eq!(Service::without_key(1), 1);
    assert_eq!(free(1).await, 1);
    assert_eq!(made(1).into_key().unwrap().as_str(), "cache:c:free:1");
}
