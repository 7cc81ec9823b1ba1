//! How long level 1 keeps what it has.

use cacheable_runtime::Policy;
use cacheable_tests::eventually;

use super::{SHORT, Service};
use crate::on_every_store;
use crate::stores::{LONG, PATIENCE, Store};

on_every_store![
    it_answers_without_the_store_and_is_counted,
    without_it_the_store_answers,
    it_ends_with_the_entry,
    local_ttl_ends_it_before_the_entry,
    what_is_read_from_the_store_ends_with_the_entry,
    none_is_kept_for_its_own_life,
    one_key_can_hold_one_entry_for_each_type,
    what_a_caller_changes_is_its_own,
];

async fn it_answers_without_the_store_and_is_counted(store: Store) {
    let s = Service::new(store.runtime().await);
    for _ in 0..10 {
        assert_eq!(s.read(7).await, 1);
    }
    let counts = s.counts("read");
    assert_eq!((counts.loads, counts.hits_local), (1, 9));
    // Another process finds it in the store, once.
    let other = s.over(store.beside(&s.runtime).await);
    let before = other.counts("read");
    for _ in 0..10 {
        assert_eq!(other.read(7).await, 1);
    }
    let counts = other.counts("read");
    assert_eq!(s.loads(), 1);
    assert!(counts.hits_local - before.hits_local >= 9);
    assert!(counts.hits_remote <= 1);
}

async fn without_it_the_store_answers(store: Store) {
    let s = Service::new(store.runtime().await);
    for _ in 0..10 {
        assert_eq!(s.remote(7).await, 1);
    }
    let counts = s.counts("remote");
    assert_eq!((counts.hits_local, counts.hits_remote), (0, 9));
    let none = store
        .runtime_with(|builder| builder.local_capacity(0))
        .await;
    let s = s.over(none);
    for _ in 0..10 {
        s.read(7).await;
    }
    let counts = s.counts("read");
    assert_eq!((counts.hits_local, counts.hits_remote), (0, 9));
}

async fn it_ends_with_the_entry(store: Store) {
    let (runtime, time) = store.timed().await;
    let s = Service::new(runtime);
    assert_eq!(s.ending(7).await, 1);
    time.pass(SHORT).await;
    s.write();
    assert_eq!(s.ending(7).await, 2);
}

async fn local_ttl_ends_it_before_the_entry(store: Store) {
    let (runtime, time) = store.timed().await;
    let s = Service::new(runtime);
    assert_eq!(s.brief(7).await, 1);
    time.pass(SHORT).await;
    assert_eq!(s.brief(7).await, 1);
    let counts = s.counts("brief");
    assert_eq!(
        (counts.loads, counts.hits_local, counts.hits_remote),
        (1, 0, 1)
    );
    // It is there again, for as long.
    eventually("it answers", PATIENCE, async || {
        s.brief(7).await;
        s.counts("brief").hits_local > 0
    })
    .await;
    time.pass(SHORT).await;
    let before = s.counts("brief").hits_remote;
    assert_eq!(s.brief(7).await, 1);
    assert_eq!(s.counts("brief").hits_remote, before + 1);
}

/// However long the policy of the reader is.
async fn what_is_read_from_the_store_ends_with_the_entry(store: Store) {
    let (runtime, time) = store.timed().await;
    let cache = runtime.cache();
    let other = store.beside(&runtime).await;
    other.cache().set("k", &1_u64, SHORT * 2).await.unwrap();
    let read = async || {
        let load = async || Ok::<u64, ()>(2);
        let policy = Policy::new(LONG);
        cache.get_or_load("k", policy, load).await.unwrap()
    };
    time.pass(SHORT).await;
    read().await;
    time.pass(SHORT).await;
    assert_eq!(read().await, 2);
    assert_eq!(runtime.observe().method("cache").loads, 1);
}

async fn none_is_kept_for_its_own_life(store: Store) {
    let (runtime, time) = store.timed().await;
    let s = Service::new(runtime);
    for _ in 0..3 {
        assert_eq!(s.nothing(7).await, None);
    }
    assert_eq!(s.counts("nothing").hits_local + s.loads(), 3);
    time.pass(SHORT).await;
    let loads = s.loads();
    assert_eq!(s.nothing(7).await, None);
    assert_eq!(s.loads(), loads + 1);
}

/// Each a miss of the other, and never a wrong value.
async fn one_key_can_hold_one_entry_for_each_type(store: Store) {
    let cache = store.runtime().await.cache();
    let policy = || Policy::new(LONG);
    for _ in 0..3 {
        let number = cache.get_or_load("k", policy(), async || Ok::<u64, ()>(7));
        assert_eq!(number.await, Ok(7));
        let text = cache.get_or_load("k", policy(), async || Ok::<_, ()>("seven".to_owned()));
        assert_eq!(text.await.as_deref(), Ok("seven"));
    }
}

async fn what_a_caller_changes_is_its_own(store: Store) {
    let s = Service::new(store.runtime().await);
    let mut loaded = s.large(7).await;
    loaded.push('!');
    let mut hit = s.large(7).await;
    assert!(!hit.ends_with('!'));
    hit.clear();
    assert_eq!(s.large(7).await.len(), 1_000);
    assert_eq!(s.counts("large").hits_local, 2);
}
