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

// The argument is the runtime: it needs no `skip`.
#[cacheable(ttl = 60, key_prefix = "argument", runtime = runtime)]
pub async fn by_itself(runtime: &Runtime, id: u64) -> u64 {
    let _ = runtime;
    id
}

#[cacheable(ttl = 60, key_prefix = "argument", runtime = &runtime)]
pub async fn by_reference(id: u64, runtime: Arc<Runtime>) -> u64 {
    drop(runtime);
    id
}

// The argument holds more than the runtime, and stays.
#[cacheable(ttl = 60, key_prefix = "argument", runtime = service.runtime)]
pub async fn by_field(service: &Tenant, id: u64) -> u64 {
    id + service.tenant
}

#[derive(serde::Serialize)]
pub struct Tenant {
    #[serde(skip)]
    runtime: Runtime,
    tenant: u64,
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
    assert_eq!(by_itself(&own, 1).await, 1);
    assert_eq!(by_reference(1, Arc::new(own.clone())).await, 1);
    for tenant in [1, 2] {
        let tenant = Tenant { runtime: own.clone(), tenant };
        assert_eq!(by_field(&tenant, 1).await, 1 + tenant.tenant);
        assert!(own.cache().remove(by_field_key(&tenant, 1)).await.unwrap());
    }
    assert!(own.cache().remove(by_itself_key(1)).await.unwrap());
    assert!(own.cache().remove(by_reference_key(1)).await.unwrap());
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
