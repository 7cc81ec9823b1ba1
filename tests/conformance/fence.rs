//! A value whose load began before an invalidation is not stored after it.

use std::sync::Arc;

use crate::on_every_store;
use crate::source::Source;
use crate::stores::Store;

on_every_store![
    a_load_that_overlaps_the_removal_of_its_entry_is_not_kept,
    a_load_that_overlaps_a_whole_prefix_is_not_kept,
    a_load_that_overlaps_a_pattern_is_not_kept,
    a_load_that_overlaps_a_removal_by_another_process_is_not_kept,
    a_load_that_overlaps_a_clear_by_another_process_is_not_kept,
    who_waited_for_an_overlapped_load_loads_again,
    a_load_that_overlaps_a_set_does_not_overwrite_it,
    a_load_that_overlaps_a_put_does_not_overwrite_it,
    a_put_alone_leaves_its_value,
    puts_that_overlap_leave_nothing,
    a_put_that_an_invalidation_overtakes_leaves_nothing,
    an_unrelated_invalidation_disturbs_no_load,
];

/// Holds a load, lets `invalidate` happen, lets the load end, and reads again.
async fn overlapped<F: Future<Output = ()>>(
    store: &Store,
    invalidate: impl FnOnce(Arc<Source>) -> F,
) {
    let source = Arc::new(Source::holding(store.runtime().await));
    let reader = tokio::spawn({
        let source = Arc::clone(&source);
        async move { source.read(7).await }
    });
    source.begun(1).await;
    invalidate(Arc::clone(&source)).await;
    source.release();
    // The call began before the invalidation, so it may have the old version.
    assert_eq!(reader.await.unwrap(), Ok(1));
    source.release();
    assert_eq!(source.read(7).await, Ok(2), "the old version was kept");
    assert_eq!(source.loads(), 2);
    assert_eq!(source.read(7).await, Ok(2));
    assert_eq!(source.loads(), 2, "the new version was not kept");
    let counts = source.runtime.observe().method("source.read");
    assert_eq!(counts.fills_rejected, 1);
}

async fn a_load_that_overlaps_the_removal_of_its_entry_is_not_kept(store: Store) {
    overlapped(&store, |source| async move { drop(source.update(7).await) }).await;
}

async fn a_load_that_overlaps_a_whole_prefix_is_not_kept(store: Store) {
    overlapped(
        &store,
        |source| async move { drop(source.update_all().await) },
    )
    .await;
}

async fn a_load_that_overlaps_a_pattern_is_not_kept(store: Store) {
    overlapped(&store, |source| async move {
        drop(source.update_matching(7).await);
    })
    .await;
}

async fn a_load_that_overlaps_a_removal_by_another_process_is_not_kept(store: Store) {
    let other = store.runtime().await;
    overlapped(&store, |source| async move {
        source.write();
        assert!(other.cache().remove(Source::read_key(7)).await.unwrap());
    })
    .await;
}

async fn a_load_that_overlaps_a_clear_by_another_process_is_not_kept(store: Store) {
    let other = store.runtime().await;
    overlapped(&store, |source| async move {
        source.write();
        // The lease of the load is what is there to remove.
        assert_eq!(other.cache().clear("cache:source:*").await.unwrap(), 1);
    })
    .await;
}

async fn who_waited_for_an_overlapped_load_loads_again(store: Store) {
    let source = Arc::new(Source::holding(store.runtime().await));
    let read = || {
        let source = Arc::clone(&source);
        tokio::spawn(async move { source.read(7).await })
    };
    let leader = read();
    source.begun(1).await;
    let waiters: Vec<_> = (0..10).map(|_| read()).collect();
    // They have joined when they are counted.
    while source.runtime.observe().method("source.read").waits < 10 {
        tokio::task::yield_now().await;
    }
    source.update(7).await.unwrap();
    // Those who waited start again without waiting for the old load.
    source.begun(2).await;
    source.release();
    source.release();
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap(), Ok(2));
    }
    assert_eq!(leader.await.unwrap(), Ok(1));
    assert_eq!(source.loads(), 2);
}

async fn a_load_that_overlaps_a_set_does_not_overwrite_it(store: Store) {
    overlapped_by_new_value(&store, |source| async move {
        let ttl = std::time::Duration::from_secs(60);
        let version = source.write();
        let key = "cache:source:read:7";
        source
            .runtime
            .cache()
            .set(key, &version, ttl)
            .await
            .unwrap();
    })
    .await;
}

async fn a_load_that_overlaps_a_put_does_not_overwrite_it(store: Store) {
    overlapped_by_new_value(&store, |source| async move {
        source.replace(7, async {}).await.unwrap();
    })
    .await;
}

/// As [`overlapped`], by something that leaves version 2 behind.
async fn overlapped_by_new_value<F: Future<Output = ()>>(
    store: &Store,
    overtake: impl FnOnce(Arc<Source>) -> F,
) {
    let source = Arc::new(Source::holding(store.runtime().await));
    let reader = tokio::spawn({
        let source = Arc::clone(&source);
        async move { source.read(7).await }
    });
    source.begun(1).await;
    overtake(Arc::clone(&source)).await;
    source.release();
    assert_eq!(reader.await.unwrap(), Ok(1));
    assert_eq!(source.read(7).await, Ok(2));
    assert_eq!(source.loads(), 1, "the new value was not there");
}

async fn a_put_alone_leaves_its_value(store: Store) {
    let source = Source::new(store.runtime().await);
    assert_eq!(source.read(7).await, Ok(1));
    assert_eq!(source.replace(7, async {}).await, Ok(2));
    assert_eq!(source.read(7).await, Ok(2));
    assert_eq!(source.loads(), 1);
}

async fn puts_that_overlap_leave_nothing(store: Store) {
    let source = Arc::new(Source::new(store.runtime().await));
    let inner = Arc::clone(&source);
    let outer = source.replace(7, async move {
        // Writes later and is done sooner.
        assert_eq!(inner.replace(7, async {}).await, Ok(3));
    });
    assert_eq!(outer.await, Ok(2));
    assert_eq!(source.read(7).await, Ok(3), "the earlier write was kept");
    assert_eq!(source.loads(), 1);
}

async fn a_put_that_an_invalidation_overtakes_leaves_nothing(store: Store) {
    let source = Arc::new(Source::new(store.runtime().await));
    let inner = Arc::clone(&source);
    let put = source.replace(7, async move { drop(inner.update_all().await) });
    assert_eq!(put.await, Ok(2));
    assert_eq!(source.read(7).await, Ok(3));
    assert_eq!(source.loads(), 1);
}

async fn an_unrelated_invalidation_disturbs_no_load(store: Store) {
    let source = Arc::new(Source::holding(store.runtime().await));
    let reader = tokio::spawn({
        let source = Arc::clone(&source);
        async move { source.read(7).await }
    });
    source.begun(1).await;
    source.update(8).await.unwrap();
    source.update_matching(77).await.unwrap();
    source.release();
    reader.await.unwrap().unwrap();
    source.read(7).await.unwrap();
    assert_eq!(source.loads(), 1);
}
