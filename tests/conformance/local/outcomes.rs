//! Which layer answered a call.

use cacheable_runtime::{Outcome, Policy, Runtime, with_outcome};
use cacheable_tests::eventually;
use tokio::sync::Semaphore;

use super::{SHORT, Service};
use crate::on_every_store;
use crate::stores::{LONG, PATIENCE, Store};

on_every_store![
    a_load_a_hit_at_level_one_and_a_hit_in_the_store,
    an_old_value,
    the_load_of_another_call,
    without_the_cache,
];

async fn a_load_a_hit_at_level_one_and_a_hit_in_the_store(store: Store) {
    let s = Service::new(store.runtime().await);
    let call = || with_outcome(s.read(7));
    assert_eq!(call().await, (1, Some(Outcome::Miss)));
    assert_eq!(call().await, (1, Some(Outcome::HitLocal)));
    let call = || with_outcome(s.remote(7));
    assert_eq!(call().await, (1, Some(Outcome::Miss)));
    assert_eq!(call().await, (1, Some(Outcome::HitRemote)));
    let both = async { s.remote(7).await + s.read(7).await };
    let both = with_outcome(both).await;
    assert_eq!(both, (2, Some(Outcome::HitLocal)), "the last one counts");
    assert_eq!(with_outcome(async {}).await, ((), None));
}

async fn an_old_value(store: Store) {
    let (runtime, time) = store.timed().await;
    let cache = runtime.cache();
    let policy = |ttl| {
        Policy::new(ttl)
            .jitter(0.0)
            .stale_while_revalidate(LONG)
            .stale_if_error(LONG)
    };
    let call = async |ttl, answer: Result<u64, ()>| {
        with_outcome(cache.get_or_load("k", policy(ttl), async || answer)).await
    };
    assert_eq!(call(SHORT, Ok(1)).await, (Ok(1), Some(Outcome::Miss)));
    time.pass(SHORT).await;
    // One caller is at it, and fails.
    assert_eq!(call(LONG, Err(())).await, (Ok(1), Some(Outcome::Stale)));
    assert_eq!(call(LONG, Ok(2)).await, (Ok(1), Some(Outcome::Stale)));
    let forgiving = || Policy::new(SHORT).jitter(0.0).stale_if_error(LONG);
    let call = async |answer: Result<u64, ()>| {
        with_outcome(cache.get_or_load("other", forgiving(), async || answer)).await
    };
    assert_eq!(call(Ok(1)).await, (Ok(1), Some(Outcome::Miss)));
    time.pass(SHORT).await;
    assert_eq!(call(Err(())).await, (Ok(1), Some(Outcome::Stale)));
    assert_eq!(
        call(Ok(2)).await,
        (Ok(1), Some(Outcome::Stale)),
        "it stands in"
    );
}

async fn the_load_of_another_call(store: Store) {
    let runtime = store.runtime().await;
    let gate = Semaphore::new(0);
    let call = |cache: cacheable_runtime::Cache| {
        let gate = &gate;
        async move {
            let load = async || {
                gate.acquire().await.unwrap().forget();
                Ok::<u64, ()>(1)
            };
            with_outcome(cache.get_or_load("k", Policy::new(LONG), load)).await
        }
    };
    let waits = |runtime: &Runtime| runtime.observe().method("cache").waits;
    let release = async {
        eventually("one waits for the other", PATIENCE, async || {
            waits(&runtime) == 1
        })
        .await;
        gate.add_permits(1);
    };
    let (first, second, ()) = tokio::join!(call(runtime.cache()), call(runtime.cache()), release);
    assert_eq!(first, (Ok(1), Some(Outcome::Miss)));
    assert_eq!(second, (Ok(1), Some(Outcome::Wait)));
}

async fn without_the_cache(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    let call = async || {
        let policy = Policy::new(LONG).tag("t".repeat(513));
        with_outcome(cache.get_or_load("k", policy, async || Ok::<u64, ()>(1))).await
    };
    // Its tag cannot be one, so it would not be removed by it.
    assert_eq!(call().await, (Ok(1), Some(Outcome::Bypass)));
    assert_eq!(call().await, (Ok(1), Some(Outcome::Bypass)));
    let s = Service::new(runtime);
    assert_eq!(with_outcome(s.never(7)).await, (1, Some(Outcome::Bypass)));
}
