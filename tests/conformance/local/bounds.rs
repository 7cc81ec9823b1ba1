//! How much level 1 keeps.

use super::Service;
use crate::on_every_store;
use crate::stores::Store;

on_every_store![its_capacity_bounds_what_it_keeps, what_is_used_stays];

/// How many of a thousand values of a kilobyte it still has.
async fn kept(store: &Store, capacity: u64) -> u64 {
    let runtime = store.runtime_with(|builder| builder.local_capacity(capacity));
    let s = Service::new(runtime.await);
    for id in 0..1_000 {
        s.large(id).await;
    }
    let loaded = s.counts("large").hits_local;
    for id in 0..1_000 {
        s.large(id).await;
    }
    assert_eq!(s.counts("large").loads, s.loads());
    s.counts("large").hits_local - loaded
}

async fn its_capacity_bounds_what_it_keeps(store: Store) {
    let entry = 1_000 + 240;
    for entries in [50, 400] {
        let kept = kept(&store.neighbour(), entries * entry).await;
        assert!(kept <= entries, "{kept} of {entries}");
    }
    // What is read again takes the place of others, so not all are counted.
    let some = kept(&store.neighbour(), 500 * entry).await;
    assert!(some > 100, "{some}");
    let kept = kept(&store, 2_000 * entry).await;
    assert!(kept > 950, "{kept}");
}

async fn what_is_used_stays(store: Store) {
    let runtime = store.runtime_with(|builder| builder.local_capacity(100 << 10));
    let s = Service::new(runtime.await);
    s.read(7).await;
    for id in 0..1_000 {
        s.large(id).await;
        s.read(7).await;
    }
    let counts = s.counts("read");
    assert!(counts.hits_local > 990, "{counts:?}");
}
