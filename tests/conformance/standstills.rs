//! Calls that wait for one another, or for somebody who is polled no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use cacheable_runtime::{Policy, Runtime, cache_put, cacheable};
use cacheable_tests::RedisServer;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use crate::source::Source;

/// Well below the default lease of ten seconds, and far above a round trip.
const SOON: Duration = Duration::from_secs(4);

/// The shortest there is.
const LEASE: Duration = Duration::from_millis(100);

fn policy() -> Policy {
    Policy::new(Duration::from_secs(600))
}

async fn embedded() -> Runtime {
    Runtime::builder().lease(LEASE).build().await.unwrap()
}

async fn pass(gate: &Semaphore) {
    gate.acquire().await.unwrap().forget();
}

#[tokio::test]
async fn the_body_of_a_put_may_read_what_somebody_waits_for() {
    let source = Arc::new(Source::new(Runtime::embedded()));
    let inner = Arc::clone(&source);
    let put = source.replace(7, async move {
        // Another caller leads the flight, and waits for this put's lease.
        let reader = tokio::spawn({
            let source = Arc::clone(&inner);
            async move { source.read(7).await }
        });
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        drop(inner.read(7).await);
        drop(reader);
    });
    let put = tokio::time::timeout(SOON, put).await;
    assert_eq!(put.expect("it waited for who waits for it"), Ok(2));
}

#[tokio::test]
async fn a_reader_does_not_hang_behind_a_put_that_nobody_polls() {
    let source = Source::new(embedded().await);
    let gate = Semaphore::new(0);
    let mut abandoned = Box::pin(source.replace(7, pass(&gate)));
    let mut context = Context::from_waker(Waker::noop());
    assert!(abandoned.as_mut().poll(&mut context).is_pending());
    let read = tokio::time::timeout(SOON, source.read(7)).await;
    assert_eq!(read.expect("it hung"), Ok(2));
    // What was read under a lease of its own is kept.
    assert_eq!(source.read(7).await, Ok(2));
    assert_eq!(source.loads(), 1);
    // If the put does go on, it finds its lease gone, and removes.
    gate.add_permits(1);
    assert_eq!(abandoned.await, Ok(2));
    assert_eq!(source.read(7).await, Ok(2));
    assert_eq!(source.loads(), 2);
}

#[tokio::test]
async fn who_waited_in_vain_for_another_process_shares_nothing_that_was_invalidated() {
    let server = RedisServer::start();
    let on = async || {
        let runtime = Runtime::builder().redis(server.url()).lease(LEASE);
        runtime.require_connection().build().await.unwrap()
    };
    let (reader, writer) = (on().await, on().await);
    let value = Arc::new(AtomicU64::new(1));
    let held = Arc::new(Semaphore::new(0));
    let begun = Arc::new(Semaphore::new(0));
    // Another process loads, and does not come to an end.
    let other = tokio::spawn({
        let (cache, begun) = (writer.cache(), Arc::clone(&begun));
        async move {
            let load = || async {
                begun.add_permits(1);
                std::future::pending::<Result<u64, ()>>().await
            };
            cache.get_or_load("k", policy(), load).await
        }
    });
    pass(&begun).await;
    let read = |inside: bool| {
        let (cache, value) = (reader.cache(), Arc::clone(&value));
        let (held, begun) = (Arc::clone(&held), Arc::clone(&begun));
        tokio::spawn(async move {
            let load = || async {
                let found = value.load(Ordering::SeqCst);
                begun.add_permits(1);
                pass(&held).await;
                Ok::<_, ()>(found)
            };
            let read = || cache.get_or_load("k", policy(), load);
            if inside {
                cache.get_or_load("outer", policy(), read).await
            } else {
                read().await
            }
        })
    };
    // A call inside a body does not wait for ever.
    let early = read(true);
    pass(&begun).await;
    value.store(2, Ordering::SeqCst);
    writer.cache().remove("k").await.unwrap();
    let late = read(false);
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    held.add_permits(2);
    assert_eq!(early.await.unwrap(), Ok(1));
    let late = tokio::time::timeout(SOON, late).await.expect("it hung");
    assert_eq!(late.unwrap(), Ok(2), "read before the invalidation");
    other.abort();
}

struct Nested {
    runtime: Runtime,
}

impl Nested {
    #[cacheable(ttl = 600, none_ttl = 600, key_prefix = "nested", runtime = self.runtime)]
    async fn maybe(&self, id: u32) -> Option<Option<u32>> {
        (id > 0).then_some(None)
    }
}

#[tokio::test]
async fn nothing_inside_of_something_stays_there() {
    let nested = Nested {
        runtime: Runtime::embedded(),
    };
    for _ in 0..2 {
        assert_eq!(nested.maybe(1).await, Some(None));
        assert_eq!(nested.maybe(0).await, None);
    }
}

/// A type parameter that turns out to be a `Result`.
struct Generic<T> {
    runtime: Runtime,
    stored: T,
}

impl<T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static> Generic<T> {
    #[cacheable(ttl = 600, key_prefix = "generic", runtime = self.runtime)]
    pub(crate) async fn read(&self, id: u32) -> T {
        let _ = id;
        self.stored.clone()
    }

    #[cache_put(method(Self::read(id)), runtime = self.runtime)]
    async fn replace(&self, id: u32, returned: T) -> T {
        let _ = id;
        returned
    }
}

#[tokio::test]
async fn a_put_keeps_no_error_in_generic_code() {
    let generic = Generic::<Result<u32, String>> {
        runtime: Runtime::embedded(),
        stored: Ok(1),
    };
    assert_eq!(generic.replace(7, Ok(2)).await, Ok(2));
    assert_eq!(generic.read(7).await, Ok(2));
    let failed = Err("no".to_owned());
    assert_eq!(generic.replace(7, failed.clone()).await, failed);
    assert_eq!(generic.read(7).await, Ok(1));
}
