//! Functions that return their future by name.

#![deny(warnings)]

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};

use cacheable_runtime::{Runtime, cacheable};

static LOADS: AtomicU64 = AtomicU64::new(0);

struct Service;

trait Numbers {
    fn triple(&self, number: u64) -> impl Future<Output = u64> + Send;
}

impl Numbers for Service {
    #[cacheable(ttl = 60, key_prefix = "number")]
    fn triple(&self, number: u64) -> impl Future<Output = u64> + Send {
        async move {
            LOADS.fetch_add(1, Ordering::Relaxed);
            number * 3
        }
    }
}

#[cacheable(ttl = 60, key_prefix = "number")]
pub fn boxed<'a>(text: &'a str) -> Pin<Box<dyn Future<Output = String> + Send + 'a>> {
    Box::pin(async move {
        LOADS.fetch_add(1, Ordering::Relaxed);
        text.to_uppercase()
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Runtime::embedded().install().unwrap();
    for _ in 0..2 {
        assert_eq!(Service.triple(2).await, 6);
        assert_eq!(boxed("a").await, "A");
    }
    assert_eq!(LOADS.load(Ordering::Relaxed), 2);
    let _ = boxed_key("a");
}
