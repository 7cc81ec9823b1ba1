//! What can be sent, shared and kept, and how large the futures are.

use std::cell::Cell;
use std::error::Error as StdError;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::rc::Rc;
use std::sync::Arc;

use cacheable_runtime::{
    Builder, Cache, Clear, CodecChoice, CodecId, Decision, Durable, DurableSubscription, Error,
    ErrorKind, Event, HeldLock, Inspection, Key, Listener, LockGuard, LockRequest, Locks,
    ManualClock, MessageId, MethodCounts, MethodKey, Monitor, Observation, Pattern, Policy, PubSub,
    RateLimiter, RatePolicy, Release, Runtime, Session, SessionInfo, SessionToken, Sessions, Stats,
    Subscription, cache_invalidate, cache_put, cacheable,
};

macro_rules! has {
    ($($ty:ty: $($bound:path),+;)+) => {$(
        const _: fn() = || {
            fn has<T: ?Sized $(+ $bound)+>() {}
            has::<$ty>();
        };
    )+};
}

// The compiler is the test.
has! {
    Builder: Send, Sync, Unpin;
    Cache: Send, Sync, Unpin, Clone;
    Clear: Send, Unpin, IntoFuture;
    CodecChoice: Send, Sync, Unpin, Copy;
    CodecId: Send, Sync, Unpin, Copy, UnwindSafe, RefUnwindSafe;
    Error: Send, Sync, Unpin, Clone, StdError;
    ErrorKind: Send, Sync, Unpin, Copy, UnwindSafe, RefUnwindSafe;
    Inspection: Send, Sync, Unpin, Clone;
    Key: Send, Sync, Unpin, Clone, UnwindSafe, RefUnwindSafe;
    ManualClock: Send, Sync, Unpin, Clone;
    MethodCounts: Send, Sync, Unpin, Copy, UnwindSafe, RefUnwindSafe;
    // Also for a value that is neither: a key holds none.
    MethodKey<Rc<()>>: Send, Sync, Unpin;
    Observation: Send, Sync, Unpin, Clone;
    Pattern: Send, Sync, Unpin, Clone, UnwindSafe, RefUnwindSafe;
    Policy: Send, Sync, Unpin, Clone;
    Runtime: Send, Sync, Unpin, Clone;
    Box<dyn StdError + Send + Sync>: From<Error>;

    Locks: Send, Sync, Unpin, Clone;
    LockRequest: Send, Sync, Unpin;
    LockGuard: Send, Sync, Unpin;
    HeldLock: Send, Sync, Unpin, Clone;
    Release: Send, Sync, Unpin, Copy;
    RateLimiter: Send, Sync, Unpin, Clone;
    RatePolicy: Send, Sync, Unpin, Clone;
    Decision: Send, Sync, Unpin, Clone;
    Sessions: Send, Sync, Unpin, Clone;
    Session<String>: Send, Sync, Unpin;
    SessionInfo: Send, Sync, Unpin, Clone;
    SessionToken: Send, Sync, Unpin, Clone;
    PubSub: Send, Sync, Unpin, Clone;
    Subscription<String>: Send, Sync, Unpin;
    Event<String>: Send, Sync, Unpin, Clone;
    Listener: Send, Sync, Unpin;
    Durable: Send, Sync, Unpin, Clone;
    DurableSubscription<String>: Send, Unpin;
    MessageId: Send, Sync, Unpin, Copy;
    Stats: Send, Sync, Unpin, Clone;
    Monitor: Send, Unpin;
}

/// Tells by method look-up whether a value can be sent.
struct Probe<T>(T);

trait Otherwise: Sized {
    fn can_be_sent(self) -> bool {
        drop(self);
        false
    }
}
impl<T> Otherwise for Probe<T> {}

impl<T: Send> Probe<T> {
    fn can_be_sent(self) -> bool {
        drop(self.0);
        true
    }
}

struct Service {
    runtime: Runtime,
}

struct Local {
    runtime: Runtime,
    calls: Rc<Cell<u64>>,
}

impl Service {
    #[cacheable(ttl = 60, key_prefix = "auto", runtime = self.runtime)]
    pub(crate) async fn get(&self, id: u64) -> Result<Arc<String>, String> {
        tokio::task::yield_now().await;
        Ok(Arc::new(id.to_string()))
    }

    #[cacheable(ttl = 60, key_prefix = "auto", skip(load), runtime = self.runtime)]
    async fn with<F: Future<Output = u64>>(&self, id: u64, load: F) -> u64 {
        let _ = id;
        load.await
    }

    #[cache_invalidate("cache:auto:*", method(Self::get(id)), before, runtime = self.runtime)]
    async fn change(&self, id: u64) -> Result<(), String> {
        tokio::task::yield_now().await;
        let _ = id;
        Ok(())
    }

    #[cache_put(method(Self::get(id)), runtime = self.runtime)]
    async fn put(&self, id: u64) -> Result<Arc<String>, String> {
        tokio::task::yield_now().await;
        Ok(Arc::new(id.to_string()))
    }
}

impl Local {
    #[cacheable(ttl = 60, key_prefix = "local", runtime = self.runtime)]
    async fn get(&self, id: u64) -> u64 {
        let calls = Rc::clone(&self.calls);
        tokio::task::yield_now().await;
        calls.set(calls.get() + 1);
        id
    }

    #[cache_invalidate("cache:local:*", runtime = self.runtime)]
    async fn change(&self) -> u64 {
        let calls = Rc::clone(&self.calls);
        tokio::task::yield_now().await;
        calls.get()
    }
}

#[tokio::test]
async fn a_future_can_be_sent_when_its_body_can() {
    let runtime = Runtime::embedded();
    let service = Arc::new(Service {
        runtime: runtime.clone(),
    });
    assert!(Probe(service.get(1)).can_be_sent());
    assert!(Probe(service.change(1)).can_be_sent());
    assert!(Probe(service.put(1)).can_be_sent());
    assert!(Probe(service.with(1, async { 1 })).can_be_sent());
    let spawned = tokio::spawn(async move {
        service.put(1).await.unwrap();
        service.change(1).await.unwrap();
        service.get(1).await.unwrap()
    });
    assert_eq!(*spawned.await.unwrap(), "1");
}

#[tokio::test]
async fn a_body_that_cannot_be_sent_is_cached_where_it_is() {
    let service = Rc::new(Local {
        runtime: Runtime::embedded(),
        calls: Rc::default(),
    });
    assert!(!Probe(service.get(1)).can_be_sent());
    assert!(!Probe(service.change()).can_be_sent());
    let set = tokio::task::LocalSet::new();
    set.run_until(async {
        // Fifty callers in tasks of their own, and one load.
        let callers: Vec<_> = (0..50)
            .map(|_| {
                let service = Rc::clone(&service);
                tokio::task::spawn_local(async move { service.get(1).await })
            })
            .collect();
        for caller in callers {
            assert_eq!(caller.await.unwrap(), 1);
        }
    })
    .await;
    assert_eq!(service.change().await, 1);
}

/// The same bodies, with and without the attribute.
struct Sizes {
    runtime: Runtime,
}

#[allow(
    clippy::large_types_passed_by_value,
    reason = "this is what is measured"
)]
impl Sizes {
    async fn plain_small(&self, id: u64) -> u64 {
        tokio::task::yield_now().await;
        id
    }

    #[cacheable(ttl = 60, key_prefix = "size", key_fn, runtime = self.runtime)]
    async fn small(&self, id: u64) -> u64 {
        tokio::task::yield_now().await;
        id
    }

    async fn plain_body(&self, id: u8) -> u8 {
        let held = [id; 4096];
        tokio::task::yield_now().await;
        held[usize::from(id)]
    }

    #[cacheable(ttl = 60, key_prefix = "size", runtime = self.runtime)]
    async fn body(&self, id: u8) -> u8 {
        let held = [id; 4096];
        tokio::task::yield_now().await;
        held[usize::from(id)]
    }

    async fn plain_argument(&self, bytes: [u8; 4096]) -> u8 {
        tokio::task::yield_now().await;
        bytes[0]
    }

    #[cacheable(ttl = 60, key_prefix = "size", skip(bytes), runtime = self.runtime)]
    async fn argument(&self, bytes: [u8; 4096]) -> u8 {
        tokio::task::yield_now().await;
        bytes[0]
    }

    #[cache_put(method(self.small(id)), runtime = self.runtime)]
    async fn putting(&self, id: u64) -> u64 {
        tokio::task::yield_now().await;
        id
    }

    #[cache_invalidate("cache:size:*", runtime = self.runtime)]
    async fn invalidating(&self, id: u64) -> u64 {
        tokio::task::yield_now().await;
        id
    }
}

#[test]
fn the_attribute_adds_little_to_a_future() {
    let sizes = Sizes {
        runtime: Runtime::embedded(),
    };
    let s = &sizes;
    let table = [
        (
            "u64 argument",
            size_of_val(&s.plain_small(1)),
            size_of_val(&s.small(1)),
        ),
        (
            "4 KiB held by the body",
            size_of_val(&s.plain_body(1)),
            size_of_val(&s.body(1)),
        ),
        (
            "4 KiB argument",
            size_of_val(&s.plain_argument([1; 4096])),
            size_of_val(&s.argument([1; 4096])),
        ),
        (
            "put",
            size_of_val(&s.plain_small(1)),
            size_of_val(&s.putting(1)),
        ),
        (
            "invalidation",
            size_of_val(&s.plain_small(1)),
            size_of_val(&s.invalidating(1)),
        ),
    ];
    for (what, plain, annotated) in table {
        let added = annotated - plain;
        println!("{what}: {plain} bytes plain, {annotated} annotated, {added} more");
        assert!(added <= 512, "{what}: {added} more");
    }
}
