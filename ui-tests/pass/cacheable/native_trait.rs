//! Native async functions in a trait `impl`, and as default methods.

#![deny(warnings)]

use std::sync::atomic::{AtomicU64, Ordering};

use cacheable_runtime::{Runtime, cacheable};

static LOADS: AtomicU64 = AtomicU64::new(0);

#[allow(async_fn_in_trait)]
trait Store {
    const NAME: &'static str;

    async fn find(&self, id: u64) -> Option<String>;

    // One attribute serves every type, so the type is named in the key.
    #[cacheable(ttl = 60, key_prefix = "store", key = "{Self}:{id}")]
    async fn described(&self, id: u64) -> String {
        LOADS.fetch_add(1, Ordering::Relaxed);
        format!("{} {id}", Self::NAME)
    }

    // Where it is not, the entries of two types are told apart and displace each other.
    #[cacheable(ttl = 60, key_prefix = "store")]
    async fn sized(self, id: u64) -> String
    where
        Self: Sized,
    {
        LOADS.fetch_add(1, Ordering::Relaxed);
        format!("{} {id}", Self::NAME)
    }
}

struct Users;
struct Orders;

impl Store for Users {
    const NAME: &'static str = "user";

    #[cacheable(ttl = 60, key_prefix = "user")]
    async fn find(&self, id: u64) -> Option<String> {
        LOADS.fetch_add(1, Ordering::Relaxed);
        Some(format!("user {id}"))
    }
}

impl Store for Orders {
    const NAME: &'static str = "order";

    #[cacheable(ttl = 60, key_prefix = "order")]
    async fn find(&self, id: u64) -> Option<String> {
        LOADS.fetch_add(1, Ordering::Relaxed);
        Some(format!("order {id}"))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Runtime::embedded().install().unwrap();
    for _ in 0..2 {
        assert_eq!(Users.find(1).await.unwrap(), "user 1");
        assert_eq!(Orders.find(1).await.unwrap(), "order 1");
        assert_eq!(Users.described(1).await, "user 1");
        assert_eq!(Orders.described(1).await, "order 1");
        assert_eq!(Users.sized(1).await, "user 1");
        assert_eq!(Orders.sized(1).await, "order 1");
    }
    // Two displace each other in the store; at level 1 each has its own.
    assert_eq!(LOADS.load(Ordering::Relaxed), 6);
}
