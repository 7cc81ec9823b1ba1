//! One load per key, whatever happens to those who load.

use std::sync::Arc;

use crate::on_every_store;
use crate::source::{Broken, Source};
use crate::stores::Store;

on_every_store![
    callers_of_a_cold_key_share_one_load,
    two_processes_share_one_load,
    keys_do_not_wait_for_one_another,
    a_cancelled_loader_hands_over,
    a_loader_of_another_process_that_is_cancelled_hands_over,
    when_all_callers_leave_the_next_one_loads_at_once,
    a_panic_reaches_only_its_caller,
    an_error_reaches_only_its_caller_and_is_not_kept,
    errors_are_met_one_body_at_a_time,
    a_body_may_call_its_own_key,
    bodies_may_call_each_other_from_both_sides,
];

fn read(source: &Arc<Source>, id: u32) -> tokio::task::JoinHandle<Result<u64, Broken>> {
    let source = Arc::clone(source);
    tokio::spawn(async move { source.read(id).await })
}

/// Waits until so many callers have joined another's load.
async fn joined(source: &Source, waits: u64) {
    while source.runtime.observe().method("source.read").waits < waits {
        tokio::task::yield_now().await;
    }
}

async fn callers_of_a_cold_key_share_one_load(store: Store) {
    let source = Arc::new(Source::holding(store.runtime().await));
    let callers: Vec<_> = (0..1000).map(|_| read(&source, 7)).collect();
    joined(&source, 999).await;
    source.release();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), Ok(1));
    }
    assert_eq!(source.loads(), 1);
}

async fn two_processes_share_one_load(store: Store) {
    let first = Arc::new(Source::holding(store.runtime().await));
    let second = Arc::new(Source::new(store.runtime().await));
    let loader = read(&first, 7);
    first.begun(1).await;
    let waiter = read(&second, 7);
    // It has seen the lease when it has missed nothing and loaded nothing;
    // what can be awaited is that it is still there when the load is done.
    first.release();
    assert_eq!(loader.await.unwrap(), Ok(1));
    assert_eq!(waiter.await.unwrap(), Ok(1));
    assert_eq!((first.loads(), second.loads()), (1, 0));
}

async fn keys_do_not_wait_for_one_another(store: Store) {
    let source = Arc::new(Source::holding(store.runtime().await));
    let callers: Vec<_> = (0..10).map(|id| read(&source, id)).collect();
    source.begun(10).await;
    for _ in 0..10 {
        source.release();
    }
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
}

async fn a_cancelled_loader_hands_over(store: Store) {
    let source = Arc::new(Source::holding(store.runtime().await));
    let leader = read(&source, 7);
    source.begun(1).await;
    let waiters: Vec<_> = (0..5).map(|_| read(&source, 7)).collect();
    joined(&source, 5).await;
    leader.abort();
    source.begun(2).await;
    source.release();
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap(), Ok(1));
    }
    assert_eq!(source.loads(), 2);
    // The load went on under the lease of the first.
    source.read(7).await.unwrap();
    assert_eq!(source.loads(), 2);
}

async fn a_loader_of_another_process_that_is_cancelled_hands_over(store: Store) {
    let first = Arc::new(Source::holding(store.runtime().await));
    let second = Arc::new(Source::new(store.runtime().await));
    let loader = read(&first, 7);
    first.begun(1).await;
    let waiter = read(&second, 7);
    loader.abort();
    // Long before the lease, of ten seconds, ends by itself.
    let outcome = tokio::time::timeout(std::time::Duration::from_secs(5), waiter);
    assert_eq!(
        outcome.await.expect("the lease was given up").unwrap(),
        Ok(1)
    );
    assert_eq!(second.loads(), 1);
}

async fn when_all_callers_leave_the_next_one_loads_at_once(store: Store) {
    let source = Arc::new(Source::holding(store.runtime().await));
    let callers: Vec<_> = (0..10).map(|_| read(&source, 7)).collect();
    joined(&source, 9).await;
    for caller in &callers {
        caller.abort();
    }
    for caller in callers {
        assert!(caller.await.unwrap_err().is_cancelled());
    }
    source.release();
    let next = tokio::time::timeout(std::time::Duration::from_secs(5), read(&source, 7));
    assert_eq!(
        next.await.expect("no lease was left behind").unwrap(),
        Ok(1)
    );
}

async fn a_panic_reaches_only_its_caller(store: Store) {
    let source = Arc::new(Source::holding(store.runtime().await));
    let cache = source.runtime.cache();
    let policy = cacheable_runtime::Policy::new(std::time::Duration::from_secs(60));
    let panicking = tokio::spawn({
        let (cache, policy, source) = (cache.clone(), policy.clone(), Arc::clone(&source));
        async move {
            let load = || async {
                drop(source.read(1).await);
                panic!("the body");
            };
            cache
                .get_or_load::<u64, Broken, _, _>("panics", policy, load)
                .await
        }
    });
    source.begun(1).await;
    let waiter = tokio::spawn({
        let (cache, policy) = (cache.clone(), policy.clone());
        async move {
            cache
                .get_or_load("panics", policy, || async { Ok::<_, Broken>(5_u64) })
                .await
        }
    });
    while source.runtime.observe().method("cache").waits < 1 {
        tokio::task::yield_now().await;
    }
    source.release();
    assert!(panicking.await.unwrap_err().is_panic());
    assert_eq!(waiter.await.unwrap(), Ok(5));
}

async fn an_error_reaches_only_its_caller_and_is_not_kept(store: Store) {
    let source = Arc::new(Source::holding(store.runtime().await));
    source.fail(1);
    let callers: Vec<_> = (0..50).map(|_| read(&source, 7)).collect();
    joined(&source, 49).await;
    source.release();
    source.release();
    let mut failed = 0;
    for caller in callers {
        match caller.await.unwrap() {
            Ok(version) => assert_eq!(version, 1),
            Err(Broken) => failed += 1,
        }
    }
    assert_eq!((failed, source.loads()), (1, 2));
}

async fn errors_are_met_one_body_at_a_time(store: Store) {
    let source = Arc::new(Source::holding(store.runtime().await));
    source.fail(u64::MAX);
    let callers: Vec<_> = (0..20).map(|_| read(&source, 7)).collect();
    joined(&source, 19).await;
    for load in 1..=20 {
        source.begun(load).await;
        assert_eq!(source.loads(), load, "two bodies ran at once");
        source.release();
    }
    for caller in callers {
        assert_eq!(caller.await.unwrap(), Err(Broken));
    }
    // Nothing was left in the way of a later success.
    source.fail(0);
    source.release();
    assert_eq!(source.read(7).await, Ok(1));
}

async fn a_body_may_call_its_own_key(store: Store) {
    let cache = store.runtime().await.cache();
    let policy = || cacheable_runtime::Policy::new(std::time::Duration::from_secs(60));
    let value = cache.get_or_load("self", policy(), || async {
        let inner = cache.get_or_load("self", policy(), || async { Ok::<_, Broken>(1_u64) });
        Ok::<_, Broken>(inner.await? + 1)
    });
    assert_eq!(value.await, Ok(2));
    assert_eq!(cache.get::<u64>("self").await.unwrap(), Some(2));
}

async fn bodies_may_call_each_other_from_both_sides(store: Store) {
    let runtime = store.runtime().await;
    let barrier = Arc::new(tokio::sync::Barrier::new(2));
    let call = |own: &'static str, other: &'static str| {
        let (cache, barrier) = (runtime.cache(), Arc::clone(&barrier));
        tokio::spawn(async move {
            let policy = || cacheable_runtime::Policy::new(std::time::Duration::from_secs(60));
            let body = || async {
                barrier.wait().await;
                let inner = cache.get_or_load(other, policy(), || async { Ok::<_, Broken>(1_u64) });
                Ok::<_, Broken>(inner.await? + 1)
            };
            cache.get_or_load(own, policy(), body).await
        })
    };
    let (first, second) = (call("a", "b"), call("b", "a"));
    let both = async {
        (
            first.await.unwrap().unwrap(),
            second.await.unwrap().unwrap(),
        )
    };
    let (first, second) = tokio::time::timeout(std::time::Duration::from_secs(30), both)
        .await
        .expect("they wait for each other");
    assert!(first >= 2 && second >= 2);
}
