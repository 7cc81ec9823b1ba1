//! `stale_if_error`: the value before it, instead of an error.

use std::time::Duration;

use cacheable_tests::eventually;

use super::origin::Step;
use super::{LASTING, Life, Service, Way};
use crate::on_every_store;
use crate::source::Broken;
use crate::stores::{LONG, PATIENCE, Store};

on_every_store![
    a_load_that_fails_gives_the_old_value_and_the_source_is_left_alone,
    when_its_time_has_come_the_source_is_asked_again,
    another_process_has_the_old_value_too,
    who_waited_for_the_load_that_failed_has_the_old_value,
    in_the_end_the_error_comes_through,
    without_an_old_value_the_error_comes_through,
    after_a_removal_during_the_load_the_old_value_is_given_to_nobody,
    after_a_removal_by_another_process_it_is_given_to_nobody,
    a_value_that_stands_in_is_removed_by_its_tags,
    a_load_that_panics_puts_the_old_value_back,
    a_load_that_is_cancelled_puts_the_old_value_back,
    a_load_past_its_deadline_gives_the_old_value,
];

/// No window, so that a value past its time is loaded by who finds it.
const FORGIVING: Life = Life {
    window: Duration::ZERO,
    on_error: LONG,
    ..LASTING
};

/// With version 1 loaded and past its time, and version 2 written.
async fn grown_old(store: &Store, life: Life) -> (Service, super::Time) {
    let (runtime, time) = store.timed().await;
    let s = Service::new(runtime, life);
    assert_eq!(s.inline(7).await, Ok(1));
    s.grow_old(&time).await;
    s.origin.write();
    (s, time)
}

async fn a_load_that_fails_gives_the_old_value_and_the_source_is_left_alone(store: Store) {
    let (s, _) = grown_old(&store, FORGIVING).await;
    s.origin.plan(Step::Fail);
    for _ in 0..5 {
        assert_eq!(s.inline(7).await, Ok(1));
    }
    assert_eq!(s.origin.loads(), 2);
    let counts = s.counts("inline");
    assert_eq!((counts.load_errors, counts.hits_stale), (1, 5));
}

async fn when_its_time_has_come_the_source_is_asked_again(store: Store) {
    let retry = Duration::from_millis(500);
    let (s, time) = grown_old(&store, Life { retry, ..FORGIVING }).await;
    s.origin.plan(Step::Fail);
    assert_eq!(s.inline(7).await, Ok(1));
    time.pass(retry).await;
    s.origin.plan(Step::Fail);
    // The pause began when the server heard of it, a little after the call.
    eventually("it is asked again, and fails", PATIENCE, async || {
        assert_eq!(s.inline(7).await, Ok(1));
        s.origin.loads() == 3
    })
    .await;
    time.pass(retry).await;
    eventually("it is asked again", PATIENCE, async || {
        s.inline(7).await == Ok(2)
    })
    .await;
    assert_eq!(s.inline(7).await, Ok(2));
    assert_eq!(s.origin.loads(), 4);
}

async fn another_process_has_the_old_value_too(store: Store) {
    let (s, _) = grown_old(&store, FORGIVING).await;
    let other = s.over(store.beside(&s.runtime).await);
    s.origin.plan(Step::Fail);
    assert_eq!(s.inline(7).await, Ok(1));
    for _ in 0..5 {
        assert_eq!(other.inline(7).await, Ok(1));
    }
    assert_eq!(
        s.origin.loads(),
        2,
        "the other process asks the source no more"
    );
    assert!(other.counts("inline").hits_stale >= 5);
}

async fn who_waited_for_the_load_that_failed_has_the_old_value(store: Store) {
    let (s, _) = grown_old(&store, FORGIVING).await;
    let held = s.origin.hold_and_fail();
    let leader = s.spawn(Way::Inline);
    s.origin.begun(2).await;
    let waiters: Vec<_> = (0..5).map(|_| s.spawn(Way::Inline)).collect();
    eventually("they have joined", PATIENCE, async || {
        s.counts("inline").waits == 5
    })
    .await;
    held.release();
    assert_eq!(leader.await.unwrap(), Ok(1));
    for waiter in waiters {
        assert_eq!(waiter.await.unwrap(), Ok(1));
    }
    assert_eq!(s.origin.loads(), 2);
}

async fn in_the_end_the_error_comes_through(store: Store) {
    let on_error = Duration::from_millis(400);
    let (s, time) = grown_old(
        &store,
        Life {
            on_error,
            ..FORGIVING
        },
    )
    .await;
    s.origin.plan(Step::Fail);
    // On a machine that is held up it may be the end already.
    let _ = s.inline(7).await;
    time.pass(on_error).await;
    s.origin.plan(Step::Fail);
    assert_eq!(s.inline(7).await, Err(Broken));
}

async fn without_an_old_value_the_error_comes_through(store: Store) {
    let (runtime, _) = store.timed().await;
    let s = Service::new(runtime, FORGIVING);
    s.origin.plan(Step::Fail);
    assert_eq!(s.inline(7).await, Err(Broken));
    assert_eq!(s.inline(7).await, Ok(1), "an error is not kept");
    let entry = s.inline_key(7);
    assert!(s.runtime.cache().remove(entry).await.unwrap());
    s.origin.plan(Step::Fail);
    assert_eq!(
        s.inline(7).await,
        Err(Broken),
        "what was removed stands in for nothing"
    );
}

/// What removes the entry, or all of its kind.
const REMOVALS: [&str; 4] = ["entry", "prefix", "pattern", "tag"];

async fn remove(s: &Service, what: &str) {
    let cache = s.runtime.cache();
    match what {
        "entry" => drop(cache.remove(s.inline_key(7)).await.unwrap()),
        "prefix" => drop(
            cache
                .clear("cache:fresh:*")
                .without_waiting()
                .await
                .unwrap(),
        ),
        "pattern" => drop(cache.clear("cache:fresh:inl?ne:*").await.unwrap()),
        _ => cache.invalidate_tag("version:1").await.unwrap(),
    }
}

async fn after_a_removal_during_the_load_the_old_value_is_given_to_nobody(store: Store) {
    for what in REMOVALS {
        let (s, _) = grown_old(&store.neighbour(), FORGIVING).await;
        let held = s.origin.hold_and_fail();
        let failing = s.spawn(Way::Inline);
        s.origin.begun(2).await;
        remove(&s, what).await;
        // Whoever comes now has the new value, or waits for the load that is
        // under way, which brings nothing.
        let soon = tokio::time::timeout(Duration::from_millis(100), s.inline(7));
        assert!(matches!(soon.await, Err(_) | Ok(Ok(2))), "{what}");
        held.release();
        assert_eq!(s.inline(7).await, Ok(2), "{what}");
        // It began before, so it may have either.
        drop(failing.await.unwrap());
        s.origin.plan(Step::Fail);
        assert_eq!(s.inline(7).await, Ok(2), "{what}");
    }
}

async fn after_a_removal_by_another_process_it_is_given_to_nobody(store: Store) {
    for what in REMOVALS {
        let store = store.neighbour();
        let (s, _) = grown_old(&store, FORGIVING).await;
        let other = s.over(store.beside(&s.runtime).await);
        let held = s.origin.hold_and_fail();
        let failing = s.spawn(Way::Inline);
        s.origin.begun(2).await;
        remove(&other, what).await;
        held.release();
        drop(failing.await.unwrap());
        // Both, once they have heard of it.
        for service in [&s, &other] {
            eventually("the old value is gone", PATIENCE, async || {
                service.inline(7).await == Ok(2)
            })
            .await;
        }
        assert_eq!(s.origin.loads(), 3, "{what}");
    }
}

async fn a_value_that_stands_in_is_removed_by_its_tags(store: Store) {
    for tag in ["group:7", "version:1"] {
        let (s, _) = grown_old(&store.neighbour(), FORGIVING).await;
        s.origin.plan(Step::Fail);
        assert_eq!(s.inline(7).await, Ok(1));
        s.runtime.cache().invalidate_tag(tag).await.unwrap();
        s.origin.plan(Step::Fail);
        assert_eq!(s.inline(7).await, Err(Broken), "{tag}");
        assert_eq!(s.inline(7).await, Ok(2), "{tag}");
    }
}

async fn a_load_that_panics_puts_the_old_value_back(store: Store) {
    let (s, _) = grown_old(&store, FORGIVING).await;
    s.origin.plan(Step::Panic);
    assert!(s.spawn(Way::Inline).await.unwrap_err().is_panic());
    s.origin.plan(Step::Fail);
    assert_eq!(s.inline(7).await, Ok(1));
    assert_eq!(s.origin.loads(), 3);
}

async fn a_load_that_is_cancelled_puts_the_old_value_back(store: Store) {
    let (s, _) = grown_old(&store, FORGIVING).await;
    let held = s.origin.hold();
    let cancelled = s.spawn(Way::Inline);
    s.origin.begun(2).await;
    cancelled.abort();
    s.origin.dropped(1).await;
    s.origin.plan(Step::Fail);
    assert_eq!(s.inline(7).await, Ok(1));
    assert_eq!(s.origin.loads(), 3);
    drop(held);
}

async fn a_load_past_its_deadline_gives_the_old_value(store: Store) {
    let timeout = Duration::from_millis(200);
    let (s, _) = grown_old(
        &store,
        Life {
            timeout,
            ..FORGIVING
        },
    )
    .await;
    let held = s.origin.hold();
    assert_eq!(s.inline(7).await, Ok(1));
    s.origin.dropped(1).await;
    assert_eq!(s.inline(7).await, Ok(1), "and the source is left alone");
    assert_eq!(s.origin.loads(), 2);
    let counts = s.counts("inline");
    assert_eq!((counts.load_timeouts, counts.load_errors), (1, 1));
    drop(held);
}
