//! `get_or_load`: one load, and what becomes of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cacheable_runtime::{Cache, Policy, Runtime};
use cacheable_tests::eventually;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::on_every_store;
use crate::stores::{LONG, PATIENCE, Store};

on_every_store![
    happens_once,
    is_shared_by_callers_who_ask_at_once,
    keeps_no_error,
    keeps_no_value_over_the_limit,
    follows_the_policy,
    treats_none_as_the_policy_says,
    holds_a_lease,
    does_not_overwrite_a_later_set_many,
    replaces_what_cannot_be_read,
    keeps_none_for_the_form_it_is_of,
    finds_what_was_set_of_a_type_that_is_not_known_whole,
];

fn policy() -> Policy {
    Policy::new(LONG)
}

/// A call whose load has begun and goes on when it is told what to bring.
struct Held {
    release: oneshot::Sender<String>,
    call: JoinHandle<Result<String, ()>>,
}

impl Held {
    async fn begin(cache: &Cache, key: &'static str) -> Self {
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
    async fn finish(self, value: &str) {
        self.release.send(value.to_owned()).unwrap();
        assert_eq!(self.call.await.unwrap().unwrap(), value);
    }
}

/// A call in a task of its own that would load `value`.
fn call(cache: &Cache, key: &'static str, value: &str) -> JoinHandle<String> {
    let (cache, value) = (cache.clone(), value.to_owned());
    tokio::spawn(async move {
        let load = async move || Ok::<_, ()>(value);
        cache.get_or_load(key, policy(), load).await.unwrap()
    })
}

/// Waits until `count` calls wait for another's load.
async fn waiting(runtime: &Runtime, count: u64) {
    eventually("the callers wait", PATIENCE, async || {
        runtime.observe().method("cache").waits == count
    })
    .await;
}

async fn happens_once(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    for loads in [1, 0, 0] {
        let mut loaded = 0;
        let load = async || {
            loaded += 1;
            Ok::<_, ()>("value".to_owned())
        };
        let value = cache.get_or_load("key", policy(), load).await;
        assert_eq!((value.unwrap().as_str(), loaded), ("value", loads));
    }
    let found = cache.get("key").await.unwrap();
    assert_eq!(found, Some("value".to_owned()));
    let counts = runtime.observe().method("cache");
    assert_eq!((counts.loads, counts.misses), (1, 1));
    // Both calls after the first; `get` asks the store.
    assert_eq!((counts.hits_local, counts.hits_remote), (2, 1));
    assert!(cache.remove("key").await.unwrap());
    assert_eq!(call(&cache, "key", "again").await.unwrap(), "again");
}

async fn is_shared_by_callers_who_ask_at_once(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    let held = Held::begin(&cache, "key").await;
    let callers: Vec<_> = (0..100).map(|_| call(&cache, "key", "own")).collect();
    waiting(&runtime, 100).await;
    held.finish("shared").await;
    for caller in callers {
        assert_eq!(caller.await.unwrap(), "shared");
    }
    assert_eq!(runtime.observe().method("cache").loads, 1);
}

async fn keeps_no_error(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    for attempt in ["first", "second"] {
        let load = async || Err::<String, _>(attempt);
        let error = cache.get_or_load("key", policy(), load).await;
        assert_eq!(error, Err(attempt));
        assert!(cache.inspect("key").await.unwrap().is_none());
    }
    // A waiter of a failed load tries by itself.
    let (begun, has_begun) = oneshot::channel();
    let (fail, failed) = oneshot::channel::<()>();
    let leading = cache.clone();
    let leader = tokio::spawn(async move {
        let load = async move || {
            begun.send(()).unwrap();
            failed.await.unwrap();
            Err::<String, _>("leader")
        };
        leading.get_or_load("key", policy(), load).await
    });
    has_begun.await.unwrap();
    let waiter = call(&cache, "key", "waiter");
    waiting(&runtime, 1).await;
    fail.send(()).unwrap();
    assert_eq!(leader.await.unwrap(), Err("leader"));
    assert_eq!(waiter.await.unwrap(), "waiter");
    assert_eq!(runtime.observe().method("cache").load_errors, 3);
}

async fn keeps_no_value_over_the_limit(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    let large = "x".repeat(1024 * 1024 + 1);
    for _ in 0..2 {
        let load = async || Ok::<_, ()>(large.clone());
        let value = cache.get_or_load("key", policy(), load).await;
        assert!(value.unwrap() == large);
        assert!(cache.inspect("key").await.unwrap().is_none());
    }
    let counts = runtime.observe().method("cache");
    assert_eq!((counts.loads, counts.not_stored), (2, 2));
}

async fn follows_the_policy(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
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

async fn treats_none_as_the_policy_says(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
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

async fn holds_a_lease(store: Store) {
    let runtime = store.runtime().await;
    let sibling = store.runtime().await;
    let cache = runtime.cache();
    let held = Held::begin(&cache, "key").await;
    let seen = sibling.cache().inspect("key").await.unwrap().unwrap();
    assert!(seen.lease && seen.codec.is_none());
    assert_eq!(cache.get::<String>("key").await.unwrap(), None);
    let many = cache.get_many::<String, _>(["key"]).await.unwrap();
    assert_eq!(many, [None]);
    held.finish("value").await;
    let seen = cache.inspect("key").await.unwrap().unwrap();
    assert!(!seen.lease);
    assert_eq!(cache.get("key").await.unwrap(), Some("value".to_owned()));
}

async fn does_not_overwrite_a_later_set_many(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    for setter in [cache.clone(), store.runtime().await.cache()] {
        let held = Held::begin(&cache, "key").await;
        setter.set_many([("key", "set")], LONG).await.unwrap();
        held.finish("loaded").await;
        let found = cache.get("key").await.unwrap();
        assert_eq!(found, Some("set".to_owned()));
        assert!(setter.remove("key").await.unwrap());
    }
    assert_eq!(runtime.observe().method("cache").fills_rejected, 2);
}

async fn replaces_what_cannot_be_read(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    cache.set("key", &7_u8, LONG).await.unwrap();
    assert_eq!(call(&cache, "key", "text").await.unwrap(), "text");
    let found = cache.get("key").await.unwrap();
    assert_eq!(found, Some("text".to_owned()));
}

/// A `None` belongs to a form of its type, as a value does.
async fn keeps_none_for_the_form_it_is_of(store: Store) {
    let shared = store.runtime_with(|builder| builder.local_capacity(0));
    let cache = shared.await.cache();
    let none_ttl = |schema| policy().none_ttl(LONG).schema(schema);
    let call = async |schema, value: Option<&str>| {
        let load = async || Ok::<_, ()>(value.map(str::to_owned));
        let found = cache.get_or_load("key", none_ttl(schema), load).await;
        found.unwrap()
    };
    assert_eq!(call(1, None).await, None);
    assert_eq!(call(1, Some("x")).await, None);
    assert_eq!(call(2, Some("x")).await.as_deref(), Some("x"));
    assert_eq!(call(2, None).await.as_deref(), Some("x"));

    // Nor is it one of a type that has none: that is loaded and kept.
    cache.remove("key").await.unwrap();
    assert_eq!(call(1, None).await, None);
    for value in [7, 8] {
        let load = async || Ok::<u64, ()>(value);
        let found = cache.get_or_load("key", none_ttl(1), load).await;
        assert_eq!(found, Ok(7));
    }
}

/// It reads one text alone, which nobody would guess.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String")]
struct Password(String);

impl TryFrom<String> for Password {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "open sesame" => Ok(Self(text)),
            _ => Err("it is another one"),
        }
    }
}

async fn finds_what_was_set_of_a_type_that_is_not_known_whole(store: Store) {
    let cache = store.runtime().await.cache();
    // What is behind the password is not seen before one is read.
    let account = (Password("open sesame".to_owned()), 7_u64);
    cache.set("set", &account, LONG).await.unwrap();
    let load = async || Err::<(Password, u64), _>("it was loaded");
    let found = cache.get_or_load("set", policy(), load).await;
    assert_eq!(found.as_ref(), Ok(&account));

    let load = async || Ok::<_, ()>(account.clone());
    let found = cache.get_or_load("loaded", policy(), load).await;
    assert_eq!(found.as_ref(), Ok(&account));
    assert_eq!(cache.get("loaded").await.unwrap(), Some(account));
}
