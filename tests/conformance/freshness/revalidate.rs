//! `stale_while_revalidate`: the old value at once, and one load behind it.

use std::time::Duration;

use cacheable_tests::eventually;

use super::origin::Step;
use super::{LASTING, Life, QUIET, Service, Way, behind};
use crate::on_every_store;
use crate::stores::{LONG, PATIENCE, Store};

on_every_store![
    one_caller_loads_inline_and_the_others_get_the_old_value_at_once,
    without_level_one_it_is_the_same,
    a_load_in_the_background_delays_nobody,
    a_method_on_a_reference_loads_behind_its_caller_when_asked_to,
    one_process_of_all_loads_again,
    who_comes_after_the_window_waits_for_the_load_that_is_under_way,
    after_the_window_a_caller_waits_for_its_load,
    a_failed_refresh_is_counted_and_the_old_value_goes_on,
    after_a_failed_refresh_the_next_is_tried_when_its_time_has_come,
    a_caller_cancelled_in_its_refresh_leaves_nothing_locked,
    a_panic_in_a_refresh_leaves_nothing_locked,
    a_refresh_that_finds_nothing_ends_the_old_value,
];

async fn one_caller_loads_inline_and_the_others_get_the_old_value_at_once(store: Store) {
    let (runtime, time) = store.timed().await;
    let s = Service::new(runtime, LASTING);
    assert_eq!(s.inline(7).await, Ok(1));
    s.grow_old(&time).await;
    s.origin.write();
    let held = s.origin.hold();
    let refreshing = s.spawn(Way::Inline);
    s.origin.begun(2).await;
    for _ in 0..10 {
        assert_eq!(s.inline(7).await, Ok(1));
    }
    held.release();
    assert_eq!(
        refreshing.await.unwrap(),
        Ok(2),
        "who loads has the new value"
    );
    assert_eq!(s.inline(7).await, Ok(2));
    assert_eq!(s.origin.loads(), 2);
    let counts = s.counts("inline");
    assert_eq!((counts.refreshes, counts.hits_stale), (1, 11));
}

async fn without_level_one_it_is_the_same(store: Store) {
    let (runtime, time) = store.timed().await;
    let s = Service::new(runtime, LASTING);
    assert_eq!(s.shared(7).await, Ok(1));
    s.grow_old(&time).await;
    s.origin.write();
    let held = s.origin.hold();
    let refreshing = s.spawn(Way::Shared);
    s.origin.begun(2).await;
    for _ in 0..10 {
        assert_eq!(s.shared(7).await, Ok(1));
    }
    held.release();
    assert_eq!(refreshing.await.unwrap(), Ok(2));
    assert_eq!(s.shared(7).await, Ok(2));
    assert_eq!(s.origin.loads(), 2);
}

async fn a_load_in_the_background_delays_nobody(store: Store) {
    let (runtime, time) = store.timed().await;
    let s = Service::new(runtime, LASTING);
    assert_eq!(behind(s.clone(), 7).await, Ok(1));
    s.grow_old(&time).await;
    s.origin.write();
    let held = s.origin.hold();
    // Also not the caller that has found the value old.
    for _ in 0..10 {
        assert_eq!(behind(s.clone(), 7).await, Ok(1));
    }
    s.origin.begun(2).await;
    assert_eq!(behind(s.clone(), 7).await, Ok(1));
    held.release();
    eventually("the new value is there", PATIENCE, async || {
        behind(s.clone(), 7).await == Ok(2)
    })
    .await;
    assert_eq!(s.origin.loads(), 2);
}

async fn a_method_on_a_reference_loads_behind_its_caller_when_asked_to(store: Store) {
    let (runtime, time) = store.timed().await;
    let s = Service::new(runtime, LASTING);
    assert_eq!(s.copied(7).await, Ok(1));
    s.grow_old(&time).await;
    s.origin.write();
    let held = s.origin.hold();
    for _ in 0..10 {
        assert_eq!(s.copied(7).await, Ok(1));
    }
    s.origin.begun(2).await;
    held.release();
    eventually("the new value is there", PATIENCE, async || {
        s.copied(7).await == Ok(2)
    })
    .await;
    assert_eq!(s.origin.loads(), 2);
    assert_eq!(s.counts("copied").refreshes, 1);
}

async fn one_process_of_all_loads_again(store: Store) {
    let (runtime, time) = store.timed().await;
    let other = store.beside(&runtime).await;
    let s = Service::new(runtime, LASTING);
    let o = s.over(other);
    for service in [&s, &o] {
        assert_eq!(behind(service.clone(), 7).await, Ok(1));
        assert_eq!(service.shared(7).await, Ok(1));
    }
    assert_eq!(s.origin.loads(), 2, "one load for each method");
    s.grow_old(&time).await;
    s.origin.write();
    // One after the other, so that it is clear which load is held.
    let held = s.origin.hold();
    assert_eq!(behind(s.clone(), 7).await, Ok(1));
    s.origin.begun(3).await;
    let held_too = s.origin.hold();
    let refreshing = s.spawn(Way::Shared);
    s.origin.begun(4).await;
    for _ in 0..5 {
        assert_eq!(behind(o.clone(), 7).await, Ok(1));
        assert_eq!(o.shared(7).await, Ok(1));
    }
    assert_eq!(s.origin.loads(), 4);
    held.release();
    held_too.release();
    assert_eq!(refreshing.await.unwrap(), Ok(2));
    assert_eq!(o.shared(7).await, Ok(2));
    eventually(
        "the other process has the new value",
        PATIENCE,
        async || behind(o.clone(), 7).await == Ok(2),
    )
    .await;
    assert_eq!(s.origin.loads(), 4);
}

/// The old value is kept for longer than it is answered with at once.
async fn who_comes_after_the_window_waits_for_the_load_that_is_under_way(store: Store) {
    let (runtime, time) = store.timed().await;
    let window = Duration::from_secs(2);
    let life = Life {
        window,
        on_error: LONG,
        ..LASTING
    };
    let s = Service::new(runtime, life);
    assert_eq!(s.inline(7).await, Ok(1));
    s.grow_old(&time).await;
    s.origin.write();
    let held = s.origin.hold();
    let refreshing = s.spawn(Way::Inline);
    s.origin.begun(2).await;
    time.pass(window).await;
    let joined: Vec<_> = (0..5).map(|_| s.spawn(Way::Inline)).collect();
    eventually("they have joined", PATIENCE, async || {
        s.counts("inline").waits == 5
    })
    .await;
    held.release();
    for call in joined {
        assert_eq!(call.await.unwrap(), Ok(2));
    }
    assert_eq!(refreshing.await.unwrap(), Ok(2));
    assert_eq!(s.origin.loads(), 2);
}

async fn after_the_window_a_caller_waits_for_its_load(store: Store) {
    let (runtime, time) = store.timed().await;
    let window = Duration::from_millis(100);
    let s = Service::new(runtime, Life { window, ..LASTING });
    assert_eq!(behind(s.clone(), 7).await, Ok(1));
    assert_eq!(s.inline(7).await, Ok(1));
    time.pass(window).await;
    s.grow_old(&time).await;
    s.origin.write();
    assert_eq!(behind(s.clone(), 7).await, Ok(2));
    assert_eq!(s.inline(7).await, Ok(2));
    assert_eq!(s.counts("inline").hits_stale, 0);
}

async fn a_failed_refresh_is_counted_and_the_old_value_goes_on(store: Store) {
    let (runtime, time) = store.timed().await;
    let s = Service::new(runtime, LASTING);
    assert_eq!(behind(s.clone(), 7).await, Ok(1));
    assert_eq!(s.inline(7).await, Ok(1));
    s.grow_old(&time).await;
    s.origin.plan(Step::Fail);
    assert_eq!(behind(s.clone(), 7).await, Ok(1));
    eventually("it has failed", PATIENCE, async || {
        s.counts("behind").load_errors == 1
    })
    .await;
    s.origin.plan(Step::Fail);
    assert_eq!(
        s.inline(7).await,
        Ok(1),
        "the old value, instead of the error"
    );
    assert_eq!(s.counts("inline").load_errors, 1);
    // Nor when this process asks the store again whether it may try.
    time.pass(QUIET).await;
    for _ in 0..5 {
        assert_eq!(behind(s.clone(), 7).await, Ok(1));
        assert_eq!(s.inline(7).await, Ok(1));
    }
    assert_eq!(s.origin.loads(), 4, "the source is left alone");
}

async fn after_a_failed_refresh_the_next_is_tried_when_its_time_has_come(store: Store) {
    let (runtime, time) = store.timed().await;
    let retry = Duration::from_millis(1_500);
    let s = Service::new(runtime, Life { retry, ..LASTING });
    assert_eq!(s.shared(7).await, Ok(1));
    assert_eq!(s.inline(7).await, Ok(1));
    s.grow_old(&time).await;
    s.origin.write();
    s.origin.plan(Step::Fail);
    assert_eq!(s.shared(7).await, Ok(1));
    s.origin.plan(Step::Fail);
    assert_eq!(s.inline(7).await, Ok(1));
    time.pass(retry).await;
    assert_eq!(s.shared(7).await, Ok(2));
    assert_eq!(s.inline(7).await, Ok(2));
    assert_eq!(s.origin.loads(), 6);
}

async fn a_caller_cancelled_in_its_refresh_leaves_nothing_locked(store: Store) {
    for way in [Way::Inline, Way::Shared] {
        let (runtime, time) = store.neighbour().timed().await;
        let s = Service::new(runtime, LASTING);
        assert_eq!(s.call(way).await, Ok(1));
        s.grow_old(&time).await;
        s.origin.write();
        let held = s.origin.hold();
        let cancelled = s.spawn(way);
        s.origin.begun(2).await;
        assert_eq!(s.call(way).await, Ok(1));
        cancelled.abort();
        s.origin.dropped(1).await;
        time.pass(QUIET).await;
        assert_eq!(s.call(way).await, Ok(2), "another caller loads");
        assert_eq!(s.call(way).await, Ok(2));
        assert_eq!(s.origin.loads(), 3);
        drop(held);
    }
}

async fn a_panic_in_a_refresh_leaves_nothing_locked(store: Store) {
    let (runtime, time) = store.timed().await;
    let s = Service::new(runtime, LASTING);
    assert_eq!(behind(s.clone(), 7).await, Ok(1));
    s.grow_old(&time).await;
    s.origin.write();
    s.origin.plan(Step::Panic);
    assert_eq!(behind(s.clone(), 7).await, Ok(1), "it reaches no caller");
    s.origin.dropped(1).await;
    time.pass(QUIET).await;
    eventually("another caller has it loaded", PATIENCE, async || {
        behind(s.clone(), 7).await == Ok(2)
    })
    .await;
    assert_eq!(s.origin.loads(), 3);
}

async fn a_refresh_that_finds_nothing_ends_the_old_value(store: Store) {
    let (runtime, time) = store.timed().await;
    let other = store.beside(&runtime).await;
    let s = Service::new(runtime, LASTING);
    let o = s.over(other);
    assert_eq!(
        (s.perhaps().await, s.perhaps_kept().await),
        (Some(1), Some(1))
    );
    s.grow_old(&time).await;
    for _ in 0..2 {
        s.origin.plan(Step::Fail);
    }
    assert_eq!((s.perhaps().await, s.perhaps_kept().await), (None, None));
    assert_eq!(s.origin.loads(), 4);
    for service in [&s, &o] {
        assert_eq!(service.perhaps_kept().await, None, "it is kept");
    }
    assert_eq!(s.origin.loads(), 4);
    // That there is nothing is not kept, and neither is the old value.
    assert_eq!((s.perhaps().await, o.perhaps().await), (Some(1), Some(1)));
    assert_eq!(s.origin.loads(), 5);
}
