//! Documentation, attributes and visibility stay as they were.

#![deny(warnings, missing_docs)]

use std::sync::atomic::{AtomicU64, Ordering};

use cacheable_runtime::{Runtime, cache_invalidate, cacheable};
use tracing::instrument;

static LOADS: AtomicU64 = AtomicU64::new(0);

/// A service.
pub struct Service;

impl Service {
    /// Documented, instrumented and not to be forgotten.
    #[instrument(skip(self))]
    #[cacheable(ttl = 60, key_prefix = "a")]
    #[must_use]
    #[inline]
    pub async fn above(&self, id: u64) -> u64 {
        LOADS.fetch_add(1, Ordering::Relaxed);
        id
    }

    /// The same, the other way round.
    #[cacheable(ttl = 60, key_prefix = "a")]
    #[instrument(skip(self), err)]
    pub async fn below(&self, id: u64) -> Result<u64, String> {
        LOADS.fetch_add(1, Ordering::Relaxed);
        Ok(id)
    }

    /// Not there.
    #[cfg(any())]
    #[cacheable(ttl = 60, key_prefix = "a")]
    pub async fn gone(&self, id: Missing) -> Missing {
        id
    }

    /// Not there either, and neither is its companion.
    #[cacheable(ttl = 60, key_prefix = "a")]
    #[cfg(any())]
    pub async fn gone_too(&self, id: Missing) -> Missing {
        id
    }

    /// There.
    #[cacheable(ttl = 60, key_prefix = "a")]
    #[cfg(all())]
    #[allow(unused_variables)]
    pub async fn there(&self, id: u64) -> u64 {
        let unused = 1;
        id
    }

    /// Two of ours on one function.
    #[cache_invalidate("cache:a:there:*")]
    #[cacheable(ttl = 60, key_prefix = "a")]
    #[cache_invalidate("cache:a:above:{id}", method(Self::below(id)))]
    pub async fn stacked(&self, id: u64) -> Option<u64> {
        LOADS.fetch_add(1, Ordering::Relaxed);
        Some(id)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Runtime::embedded().install().unwrap();
    for _ in 0..2 {
        assert_eq!(Service.above(1).await, 1);
        assert_eq!(Service.below(1).await, Ok(1));
        assert_eq!(Service.there(1).await, 1);
    }
    assert_eq!(LOADS.load(Ordering::Relaxed), 2);
    for _ in 0..2 {
        assert_eq!(Service.stacked(1).await, Some(1));
    }
    assert_eq!(LOADS.load(Ordering::Relaxed), 3);
    let _ = Service.above(1).await;
    assert_eq!(LOADS.load(Ordering::Relaxed), 4);
    let _ = (Service::there_key(1), Service::stacked_key(1));
}
