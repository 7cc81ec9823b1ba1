//! `runtime = ..` and `crate = ..`.

#![deny(warnings)]

use std::sync::Arc;

use cacheable_runtime::{Runtime, cacheable};

pub mod deep {
    pub use ::cacheable_runtime as caching;
}

use deep::caching as renamed;

struct Service {
    runtime: Runtime,
    shared: Arc<Runtime>,
}

impl Service {
    #[cacheable(ttl = 60, key_prefix = "r", runtime = self.runtime)]
    async fn owned(&self, id: u64) -> u64 {
        id
    }

    #[cacheable(ttl = 60, key_prefix = "r", runtime = &self.runtime, when = id != 0)]
    async fn borrowed(&self, id: u64) -> u64 {
        id
    }

    #[cacheable(ttl = 60, key_prefix = "r", runtime = self.shared)]
    async fn shared(&self, id: u64) -> u64 {
        id
    }

    fn made(&self) -> Runtime {
        self.runtime.clone()
    }

    #[cacheable(ttl = 60, key_prefix = "r", runtime = self.made())]
    async fn of_call(&self, id: u64) -> u64 {
        id
    }
}

#[cacheable(ttl = 60, key_prefix = "r", runtime = runtime, skip(runtime))]
async fn of_argument(runtime: &Runtime, id: u64) -> u64 {
    let _ = runtime;
    id
}

#[cacheable(ttl = 60, key_prefix = "r", crate = crate::deep::caching)]
pub async fn by_path(id: u64) -> u64 {
    id
}

#[cacheable(ttl = 60, key_prefix = "r", crate = renamed)]
async fn by_name(id: u64) -> u64 {
    id
}

#[cacheable(ttl = 60, key_prefix = "r", crate = ::cacheable_runtime)]
async fn by_default(id: u64) -> u64 {
    id
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let own = Runtime::embedded();
    let shared = Arc::new(Runtime::embedded());
    let service = Service {
        runtime: own.clone(),
        shared: Arc::clone(&shared),
    };
    // No runtime is installed, and these need none.
    service.owned(1).await;
    service.borrowed(1).await;
    service.borrowed(0).await;
    service.of_call(1).await;
    of_argument(&own, 1).await;
    service.shared(1).await;
    assert_eq!(own.cache().clear("cache:r:*").await.unwrap(), 4);
    assert_eq!(shared.cache().clear("cache:r:*").await.unwrap(), 1);
    // These run uncached until one is.
    by_path(1).await;
    Runtime::embedded().install().unwrap();
    by_path(1).await;
    by_name(1).await;
    by_default(1).await;
    let _ = by_path_key(1);
    let global = Runtime::global().unwrap();
    assert_eq!(global.cache().clear("cache:r:*").await.unwrap(), 3);
}
