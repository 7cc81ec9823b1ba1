//! A pattern that is one whole prefix: gone at once, swept behind.

use cacheable_tests::eventually;

use super::Service;
use crate::on_every_store;
use crate::stores::{LONG, PATIENCE, Store};

on_every_store![
    it_is_gone_at_once_here_and_soon_elsewhere,
    what_is_loaded_while_it_is_swept_survives,
    removals_in_a_row_are_all_meant,
    other_prefixes_stay,
    a_prefix_that_another_begins_with_is_another,
];

async fn it_is_gone_at_once_here_and_soon_elsewhere(store: Store) {
    let s = Service::new(store.runtime().await);
    let other = s.over(store.beside(&s.runtime).await);
    for service in [&s, &other] {
        for id in 0..50 {
            for _ in 0..2 {
                assert_eq!(service.plain(id).await, 1);
            }
        }
    }
    s.update_plain().await;
    for id in 0..50 {
        assert_eq!(s.plain(id).await, 2);
    }
    eventually("the other has heard of it", PATIENCE, async || {
        other.plain(0).await == 2
    })
    .await;
    for id in 0..50 {
        assert_eq!(other.plain(id).await, 2);
    }
    assert_eq!(s.loads(), 100);
}

async fn what_is_loaded_while_it_is_swept_survives(store: Store) {
    // Enough that the walk takes many steps.
    const OLD: u32 = 20_000;
    const NEW: u32 = 100;
    // What the store has, as another process finds it.
    let runtime = store
        .runtime_with(|builder| builder.local_capacity(0))
        .await;
    let s = Service::new(runtime);
    let name = |id| format!("cache:plain:old:{id}");
    let entries = (0..OLD).map(|id| (name(id), &1_u64));
    s.cache.set_many(entries, LONG).await.unwrap();
    s.update_plain().await;
    let loads = (0..NEW).map(|id| {
        let s = s.clone();
        tokio::spawn(async move { s.plain(id).await })
    });
    for load in loads.collect::<Vec<_>>() {
        assert_eq!(load.await.unwrap(), 2);
    }
    assert_eq!(s.loads(), u64::from(NEW));
    eventually("the old is swept", PATIENCE, async || {
        for id in (0..OLD).step_by(97) {
            // Valid or not, what is there is removed.
            if s.cache.remove(name(id)).await.unwrap() {
                return false;
            }
        }
        true
    })
    .await;
    for id in 0..NEW {
        assert_eq!(s.plain(id).await, 2);
    }
    assert_eq!(s.loads(), u64::from(NEW), "the new was swept, too");
}

async fn removals_in_a_row_are_all_meant(store: Store) {
    let s = Service::new(store.runtime().await);
    for version in 2..50 {
        s.plain(1).await;
        s.update_plain().await;
        assert_eq!(s.plain(1).await, version);
    }
}

async fn other_prefixes_stay(store: Store) {
    let s = Service::new(store.runtime().await);
    s.roster("a").await;
    s.member("a", 1).await;
    s.update_plain().await;
    assert_eq!(s.cache.clear("cache:roster:*").await.unwrap(), 1);
    s.member("a", 1).await;
    assert_eq!(s.loads(), 2);
    s.roster("a").await;
    assert_eq!(s.loads(), 3);
}

async fn a_prefix_that_another_begins_with_is_another(store: Store) {
    let s = Service::new(store.runtime().await);
    s.member("a", 1).await;
    for other in [
        "cache:tag:*",
        "cache:tagss:*",
        "cache:ta:*",
        "cache:tags2:*",
    ] {
        assert_eq!(s.cache.clear(other).await.unwrap(), 0, "{other}");
    }
    s.member("a", 1).await;
    assert_eq!(s.loads(), 1);
    assert_eq!(s.cache.clear("cache:tags:*").await.unwrap(), 1);
}
