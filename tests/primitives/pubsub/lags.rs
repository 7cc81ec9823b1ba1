//! Subscribers that are too slow, and functions that are called.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cacheable_runtime::{ErrorKind, Event, Overflow};
use cacheable_tests::store::PATIENCE;
use cacheable_tests::{Store, eventually};
use tokio::sync::{mpsc, oneshot};

use super::{fence, message, next};

crate::on_every_store!(
    p10_what_a_slow_subscriber_loses_is_counted_and_holds_up_nobody,
    the_newest_are_dropped_where_that_is_asked_for,
    a_queue_that_closes_ends_the_subscription,
    bytes_are_bounded_too,
    a_function_is_called_for_every_message_in_order,
    a_function_that_runs_is_waited_for_and_no_other_is_called,
    a_function_that_panics_does_not_end_it,
    a_function_is_not_called_after_its_handle_is_dropped,
);

/// P10
async fn p10_what_a_slow_subscriber_loses_is_counted_and_holds_up_nobody(store: Store) {
    const MANY: u64 = 5_000;
    let here = store.runtime().await;
    let there = store.beside(&here).await;
    let narrow = here.pubsub().subscriber().capacity(100);
    let mut slow = narrow.subscribe::<u64>("p10").await.unwrap();
    let mut fast = here.pubsub().subscribe::<u64>("p10").await.unwrap();
    for number in 0..MANY {
        there.pubsub().publish("p10", &number).await.unwrap();
        // It has every one while the slow one has looked at none.
        assert_eq!(message(&mut fast).await, number);
    }
    assert_eq!(next(&mut slow).await, Event::Lagged(MANY - 100));
    for number in MANY - 100..MANY {
        assert_eq!(message(&mut slow).await, number);
    }
}

async fn the_newest_are_dropped_where_that_is_asked_for(store: Store) {
    let here = store.runtime().await;
    let first = here.pubsub().subscriber().capacity(3);
    let first = first.overflow(Overflow::DropNewest);
    let mut subscription = first.subscribe::<u32>("newest").await.unwrap();
    for number in 0..10 {
        here.pubsub().publish("newest", &number).await.unwrap();
    }
    fence(&here).await;
    for number in 0..3 {
        assert_eq!(message(&mut subscription).await, number);
    }
    assert_eq!(next(&mut subscription).await, Event::Lagged(7));
    here.pubsub().publish("newest", &10).await.unwrap();
    assert_eq!(message(&mut subscription).await, 10);
}

async fn a_queue_that_closes_ends_the_subscription(store: Store) {
    let here = store.runtime().await;
    let closing = here.pubsub().subscriber().capacity(2);
    let closing = closing.overflow(Overflow::Close);
    let mut subscription = closing.subscribe::<u32>("closing").await.unwrap();
    for number in 0..5 {
        here.pubsub().publish("closing", &number).await.unwrap();
    }
    fence(&here).await;
    assert_eq!(message(&mut subscription).await, 0);
    assert_eq!(message(&mut subscription).await, 1);
    for _ in 0..2 {
        assert_eq!(subscription.next().await, None);
    }
    let reason = subscription.reason().expect("it has ended by itself");
    assert_eq!(reason.kind(), ErrorKind::Lagged);
    // Nobody listens any more, although the handle is still there.
    eventually("the subscription is over", PATIENCE, async || {
        here.pubsub().publish("closing", &0).await.unwrap() == 0
    })
    .await;
}

async fn bytes_are_bounded_too(store: Store) {
    let here = store.runtime().await;
    let small = here.pubsub().subscriber().max_bytes(100_000);
    let mut subscription = small.subscribe_bytes("bytes").await.unwrap();
    for number in 0..10 {
        let payload = vec![number; 60_000];
        here.pubsub()
            .publish_bytes("bytes", &payload)
            .await
            .unwrap();
    }
    fence(&here).await;
    assert_eq!(next(&mut subscription).await, Event::Lagged(9));
    assert_eq!(message(&mut subscription).await, vec![9; 60_000]);
}

async fn a_function_is_called_for_every_message_in_order(store: Store) {
    let here = store.runtime().await;
    let (seen, mut saw) = mpsc::unbounded_channel();
    let handle = move |number: u32| {
        let seen = seen.clone();
        async move {
            // The next call begins only after this one.
            tokio::task::yield_now().await;
            seen.send(number).unwrap();
        }
    };
    let mut listener = here
        .pubsub()
        .subscribe_with("function", handle)
        .await
        .unwrap();
    for number in 0..500 {
        here.pubsub().publish("function", &number).await.unwrap();
    }
    for number in 0..500 {
        assert_eq!(saw.recv().await, Some(number));
    }
    assert!(!listener.is_finished());
    listener.quit().await;
    listener.quit().await;
    assert!(listener.is_finished() && listener.reason().is_none());
    assert_eq!(here.pubsub().publish("function", &0).await.unwrap(), 0);
    assert_eq!(saw.recv().await, None);
}

async fn a_function_that_runs_is_waited_for_and_no_other_is_called(store: Store) {
    let here = store.runtime().await;
    let (begun, mut calls) = mpsc::unbounded_channel();
    let (go, wait) = oneshot::channel::<()>();
    let (mut wait, done) = (Some(wait), Arc::new(AtomicU32::new(0)));
    let count = Arc::clone(&done);
    let handle = move |_: u32| {
        let (begun, wait, count) = (begun.clone(), wait.take(), Arc::clone(&count));
        async move {
            begun.send(()).unwrap();
            if let Some(wait) = wait {
                wait.await.unwrap();
            }
            count.fetch_add(1, Ordering::SeqCst);
        }
    };
    let mut listener = here.pubsub().subscribe_with("waits", handle).await.unwrap();
    here.pubsub().publish("waits", &1).await.unwrap();
    here.pubsub().publish("waits", &2).await.unwrap();
    calls.recv().await.unwrap();
    let quits = tokio::spawn(async move {
        listener.quit_within(PATIENCE).await;
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!quits.is_finished());
    go.send(()).unwrap();
    quits.await.unwrap();
    assert_eq!(done.load(Ordering::SeqCst), 1);
}

async fn a_function_that_panics_does_not_end_it(store: Store) {
    let here = store.runtime().await;
    let (seen, mut saw) = mpsc::unbounded_channel();
    let handle = move |number: u32| {
        let seen = seen.clone();
        async move {
            assert!(number != 1, "as the test wants it");
            seen.send(number).unwrap();
        }
    };
    let _listener = here
        .pubsub()
        .subscribe_with("panics", handle)
        .await
        .unwrap();
    for number in 0..3 {
        here.pubsub().publish("panics", &number).await.unwrap();
    }
    assert_eq!(saw.recv().await, Some(0));
    assert_eq!(saw.recv().await, Some(2));
}

async fn a_function_is_not_called_after_its_handle_is_dropped(store: Store) {
    let here = store.runtime().await;
    let (seen, mut saw) = mpsc::unbounded_channel();
    let handle = move |number: u32| {
        let seen = seen.clone();
        async move { seen.send(number).unwrap() }
    };
    let listener = here
        .pubsub()
        .subscribe_with("dropped", handle)
        .await
        .unwrap();
    drop(listener);
    // The function went with the task.
    let over = tokio::time::timeout(PATIENCE, saw.recv()).await;
    assert_eq!(over.expect("the task ends"), None);
    eventually("nobody listens any more", PATIENCE, async || {
        here.pubsub().publish("dropped", &0).await.unwrap() == 0
    })
    .await;
}
