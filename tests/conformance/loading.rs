//! `get_or_load`: one load, and what becomes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cacheable_runtime::{Cache, Policy};
use cacheable_tests::eventually;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::stores::{LONG, PATIENCE, Subject};

pub(crate) fn policy() -> Policy {
    Policy::new(LONG)
}

/// A call whose load has begun and goes on when it is told what to bring.
pub(crate) struct Held {
    release: oneshot::Sender<String>,
    call: JoinHandle<Result<String, ()>>,
}

impl Held {
    pub(crate) async fn begin(cache: &Cache, key: &'static str) -> Self {
        let (begun, has_begun) = oneshot::channel();
        let (release, released) = oneshot::channel();
        let cache = cache.clone();
        let call = tokio::spawn(async move {
            let load = async move || {
                begun.send(()).unwrap();
                Ok(released.await.unwrap())
            };
            cache.get_or_load(key, policy(), load).await
        });
        has_begun.await.unwrap();
        Self { release, call }
    }

    /// Lets the load bring `value`, which is then the call's answer.
    pub(crate) async fn finish(self, value: &str) {
        self.release.send(value.to_owned()).unwrap();
        assert_eq!(self.call.await.unwrap().unwrap(), value);
    }
}

/// A call in a task of its own that would load `value`.
pub(crate) fn call(cache: &Cache, key: &'static str, value: &str) -> JoinHandle<String> {
    let (cache, value) = (cache.clone(), value.to_owned());
    tokio::spawn(async move {
        let load = async move || Ok::<_, ()>(value);
        cache.get_or_load(key, policy(), load).await.unwrap()
    })
}

/// Waits until `count` calls wait for another's load.
pub(crate) async fn waiting(store: &Subject, count: u64) {
    eventually("the callers wait", PATIENCE, async || {
        store.runtime.observe().method("cache").waits == count
    })
    .await;
}

pub(crate) async fn happens_once(store: Subject) {
    for loads in [1, 0, 0] {
        let mut loaded = 0;
        let load = async || {
            loaded += 1;
            Ok::<_, ()>("value".to_owned())
        };
        let value = store.cache.get_or_load("key", policy(), load).await;
        assert_eq!((value.unwrap().as_str(), loaded), ("value", loads));
    }
    let found = store.cache.get("key").await.unwrap();
    assert_eq!(found, Some("value".to_owned()));
    let counts = store.runtime.observe().method("cache");
    assert_eq!((counts.loads, counts.misses, counts.hits_remote), (1, 1, 3));
    assert!(store.cache.remove("key").await.unwrap());
    assert_eq!(call(&store.cache, "key", "again").await.unwrap(), "again");
}

pub(crate) async fn is_shared_by_callers_who_ask_at_once(store: Subject) {
    let held = Held::begin(&store.cache, "key").await;
    let callers: Vec<_> = (0..100).map(|_| call(&store.cache, "key", "own")).collect();
    waiting(&store, 100).await;
    held.finish("shared").await;
    for caller in callers {
        assert_eq!(caller.await.unwrap(), "shared");
    }
    assert_eq!(store.runtime.observe().method("cache").loads, 1);
}

pub(crate) async fn keeps_no_error(store: Subject) {
    for attempt in ["first", "second"] {
        let load = async || Err::<String, _>(attempt);
        let error = store.cache.get_or_load("key", policy(), load).await;
        assert_eq!(error, Err(attempt));
        assert!(store.cache.inspect("key").await.unwrap().is_none());
    }
    // A waiter of a failed load tries by itself.
    let (begun, has_begun) = oneshot::channel();
    let (fail, failed) = oneshot::channel::<()>();
    let cache = store.cache.clone();
    let leader = tokio::spawn(async move {
        let load = async move || {
            begun.send(()).unwrap();
            failed.await.unwrap();
            Err::<String, _>("leader")
        };
        cache.get_or_load("key", policy(), load).await
    });
    has_begun.await.unwrap();
    let waiter = call(&store.cache, "key", "waiter");
    waiting(&store, 1).await;
    fail.send(()).unwrap();
    assert_eq!(leader.await.unwrap(), Err("leader"));
    assert_eq!(waiter.await.unwrap(), "waiter");
    assert_eq!(store.runtime.observe().method("cache").load_errors, 3);
}

pub(crate) async fn keeps_no_value_over_the_limit(store: Subject) {
    let large = "x".repeat(1024 * 1024 + 1);
    for _ in 0..2 {
        let load = async || Ok::<_, ()>(large.clone());
        let value = store.cache.get_or_load("key", policy(), load).await;
        assert!(value.unwrap() == large);
        assert!(store.cache.inspect("key").await.unwrap().is_none());
    }
    let counts = store.runtime.observe().method("cache");
    assert_eq!((counts.loads, counts.not_stored), (2, 2));
}

pub(crate) async fn follows_the_policy(store: Subject) {
    let cache = &store.cache;
    let minute = Duration::from_secs(60);
    let load = async || Ok::<_, ()>(1);
    let policy = Policy::new(minute).jitter(0.5);
    cache.get_or_load("key", policy, load).await.unwrap();
    let ttl = cache.inspect("key").await.unwrap().unwrap().ttl;
    assert!(ttl <= minute && ttl > minute / 4, "{ttl:?}");

    let loads = AtomicUsize::new(0);
    eventually("the value has expired", PATIENCE, async || {
        let load = async || Ok::<_, ()>(loads.fetch_add(1, Ordering::Relaxed));
        let policy = Policy::new(Duration::from_millis(40)).jitter(0.0);
        cache.get_or_load("short", policy, load).await == Ok(2)
    })
    .await;

    // Another schema number is another form of the type.
    let load = async || Ok::<_, ()>(2);
    let value = cache.get_or_load("key", Policy::new(LONG).schema(2), load);
    assert_eq!(value.await, Ok(2));
}

pub(crate) async fn treats_none_as_the_policy_says(store: Subject) {
    let cache = &store.cache;
    let loads = AtomicUsize::new(0);
    let call = async |policy: Policy| {
        let load = async || {
            loads.fetch_add(1, Ordering::Relaxed);
            Ok::<Option<String>, ()>(None)
        };
        assert_eq!(cache.get_or_load("key", policy, load).await, Ok(None));
        loads.load(Ordering::Relaxed)
    };
    assert_eq!(call(policy()).await, 1);
    assert_eq!(call(policy()).await, 2);
    let minute = Duration::from_secs(60);
    assert_eq!(call(policy().none_ttl(minute)).await, 3);
    assert_eq!(call(policy().none_ttl(minute)).await, 3);
    let seen = cache.inspect("key").await.unwrap().unwrap();
    assert!(seen.absent && seen.ttl <= minute);
    assert_eq!(cache.get::<String>("key").await.unwrap(), None);
}

pub(crate) async fn holds_a_lease(store: Subject) {
    let cache = &store.cache;
    let held = Held::begin(cache, "key").await;
    let seen = store.sibling.cache().inspect("key").await.unwrap().unwrap();
    assert!(seen.lease && seen.codec.is_none());
    assert_eq!(cache.get::<String>("key").await.unwrap(), None);
    let many = cache.get_many::<String, _>(["key"]).await.unwrap();
    assert_eq!(many, [None]);
    held.finish("value").await;
    let seen = cache.inspect("key").await.unwrap().unwrap();
    assert!(!seen.lease);
    assert_eq!(cache.get("key").await.unwrap(), Some("value".to_owned()));
}

pub(crate) async fn replaces_what_cannot_be_read(store: Subject) {
    store.cache.set("key", &7_u8, LONG).await.unwrap();
    assert_eq!(call(&store.cache, "key", "text").await.unwrap(), "text");
    let found = store.cache.get("key").await.unwrap();
    assert_eq!(found, Some("text".to_owned()));
}

pub(crate) async fn is_taken_over_when_its_caller_goes(store: Subject) {
    let held = Held::begin(&store.cache, "key").await;
    let waiter = call(&store.cache, "key", "waiter");
    waiting(&store, 1).await;
    held.call.abort();
    assert_eq!(waiter.await.unwrap(), "waiter");
    let found = store.cache.get("key").await.unwrap();
    assert_eq!(found, Some("waiter".to_owned()));

    // With nobody waiting, nothing of it is left.
    let held = Held::begin(&store.cache, "other").await;
    held.call.abort();
    eventually("its lease is gone", PATIENCE, async || {
        store.cache.inspect("other").await.unwrap().is_none()
    })
    .await;
}

pub(crate) async fn is_taken_over_when_it_panics(store: Subject) {
    let (begun, has_begun) = oneshot::channel();
    let (go, gone) = oneshot::channel::<()>();
    let cache = store.cache.clone();
    let leader = tokio::spawn(async move {
        let load = async move || -> Result<String, ()> {
            begun.send(()).unwrap();
            gone.await.unwrap();
            panic!("as this test wants it");
        };
        cache.get_or_load("key", policy(), load).await
    });
    has_begun.await.unwrap();
    let waiter = call(&store.cache, "key", "waiter");
    waiting(&store, 1).await;
    go.send(()).unwrap();
    assert!(leader.await.unwrap_err().is_panic());
    assert_eq!(waiter.await.unwrap(), "waiter");
}

pub(crate) async fn of_another_key_does_not_wait(store: Subject) {
    let held = Held::begin(&store.cache, "one").await;
    assert_eq!(call(&store.cache, "two", "two").await.unwrap(), "two");
    held.finish("one").await;
}

pub(crate) async fn of_its_own_key_runs_through(store: Subject) {
    let cache = Arc::new(store.cache);
    let load = async || {
        let inner = async || Ok("inner".to_owned());
        let inner = cache.get_or_load("key", policy(), inner).await?;
        Ok::<_, ()>(format!("outer of {inner}"))
    };
    let call = cache.get_or_load("key", policy(), load);
    let value = tokio::time::timeout(PATIENCE, call).await.unwrap();
    assert_eq!(value, Ok("outer of inner".to_owned()));
    let found = cache.get("key").await.unwrap();
    assert_eq!(found, Some("outer of inner".to_owned()));
}
