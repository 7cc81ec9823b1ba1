//! `self: Arc<Self>`, `self`, `mut self`, `&Arc<Self>`, and no receiver at all.

#![deny(warnings)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cacheable_runtime::{IntoKey, Runtime, cacheable};

static LOADS: AtomicU64 = AtomicU64::new(0);

#[derive(Clone, Default)]
struct Service {
    tenant: String,
}

impl Service {
    #[cacheable(ttl = 60, key_prefix = "arc")]
    pub async fn of_arc(self: Arc<Self>, id: u64) -> String {
        LOADS.fetch_add(1, Ordering::Relaxed);
        format!("{}{id}", self.tenant)
    }

    #[cacheable(ttl = 60, key_prefix = "arc", key = "{self.tenant}:{id}")]
    pub async fn of_tenant(self: Arc<Self>, id: u64) -> String {
        LOADS.fetch_add(1, Ordering::Relaxed);
        format!("{}{id}", self.tenant)
    }

    #[cacheable(ttl = 60, key_prefix = "borrowed")]
    async fn of_borrowed_arc(self: &Arc<Self>, id: u64) -> String {
        LOADS.fetch_add(1, Ordering::Relaxed);
        format!("{}{id}", self.tenant)
    }

    #[cacheable(ttl = 60, key_prefix = "value", key = "{self.tenant}")]
    pub async fn of_value(self) -> String {
        LOADS.fetch_add(1, Ordering::Relaxed);
        self.tenant
    }

    #[cacheable(ttl = 60, key_prefix = "value")]
    async fn of_mut_value(mut self, suffix: String) -> String {
        LOADS.fetch_add(1, Ordering::Relaxed);
        self.tenant.push_str(&suffix);
        self.tenant
    }

    #[cacheable(ttl = 60, key_prefix = "associated")]
    pub async fn of_nothing(id: u64) -> u64 {
        LOADS.fetch_add(1, Ordering::Relaxed);
        id
    }
}

async fn once<T: PartialEq + std::fmt::Debug>(call: impl AsyncFn() -> T, expected: T) {
    let before = LOADS.load(Ordering::Relaxed);
    assert_eq!(call().await, expected);
    assert_eq!(call().await, expected);
    assert_eq!(LOADS.load(Ordering::Relaxed), before + 1);
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Runtime::embedded().install().unwrap();
    let [a, b] = ["a", "b"].map(|tenant| {
        Arc::new(Service {
            tenant: tenant.to_owned(),
        })
    });
    once(async || Arc::clone(&a).of_arc(1).await, "a1".to_owned()).await;
    once(async || Arc::clone(&a).of_tenant(1).await, "a1".to_owned()).await;
    once(async || Arc::clone(&b).of_tenant(1).await, "b1".to_owned()).await;
    once(async || a.of_borrowed_arc(1).await, "a1".to_owned()).await;
    once(async || Service::clone(&a).of_value().await, "a".to_owned()).await;
    once(async || Service::clone(&b).of_value().await, "b".to_owned()).await;
    let suffix = || "x".to_owned();
    once(async || Service::clone(&a).of_mut_value(suffix()).await, "ax".to_owned()).await;
    once(async || Service::of_nothing(5).await, 5).await;

    let text = |key: Result<cacheable_runtime::Key, _>| key.unwrap().to_string();
    assert_eq!(text(Service::of_arc_key(1).into_key()), "cache:arc:of_arc:1");
    assert_eq!(text(b.of_tenant_key(1).into_key()), "cache:arc:of_tenant:b:1");
    assert_eq!(text(b.of_value_key().into_key()), "cache:value:of_value:b");
    assert_eq!(text(Service::of_nothing_key(5).into_key()), "cache:associated:of_nothing:5");
}
