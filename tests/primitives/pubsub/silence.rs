//! A network that has gone silent, and one that is only late.

use std::time::Duration;

use cacheable_runtime::{ErrorKind, Event, Runtime};
use cacheable_tests::store::PATIENCE;
use cacheable_tests::{Of, Proxy, RedisServer, eventually, wait_until};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{listening, message, next, on};

/// P9
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p9_a_network_that_went_silent_is_noticed() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let builder = Runtime::builder().redis(proxy.url()).require_connection();
    let builder = builder.command_timeout(Duration::from_millis(500));
    let runtime = builder.build().await.unwrap();
    let mut subscription = runtime.pubsub().subscribe::<u32>("p9").await.unwrap();
    proxy.black_hole(Of::Untracked);
    // What is published meanwhile is swallowed.
    server.command::<u64>(&["PUBLISH", "p9", "\u{1}"]);
    wait_until("a new connection is tried", PATIENCE, || {
        // Only the one that was given up was ever confirmed.
        listening(&server) == 0
    });
    proxy.forward();
    assert!(matches!(next(&mut subscription).await, Event::Gap { .. }));
    server.command::<u64>(&["PUBLISH", "p9", "\u{2}"]);
    assert_eq!(message(&mut subscription).await, 2);
}

/// P9: one that is only late has not, whatever is asked over it meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p9_a_connection_that_is_behind_is_kept() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let builder = Runtime::builder().redis(proxy.url()).require_connection();
    let builder = builder.command_timeout(Duration::from_secs(2));
    let (runtime, other) = (builder.build().await.unwrap(), on(&server.url()).await);
    let mut first = runtime.pubsub().subscribe::<u32>("first").await.unwrap();
    let (newest, publisher) = counting(other, "first");
    let mut heard = 0;
    for step in 1..=5 {
        proxy.delay(Of::Untracked, step * Duration::from_millis(600));
        // Not silent for longer than that: what is published now comes behind it.
        let late = *newest.borrow() + 1;
        while heard < late {
            assert_eq!(message(&mut first).await, heard);
            heard += 1;
        }
    }
    // The answer comes later than anybody waits for it.
    for _ in 0..2 {
        let error = runtime.pubsub().subscribe::<u32>("second").await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Timeout);
    }
    proxy.forward();
    let mut second = runtime.pubsub().subscribe::<u32>("second").await.unwrap();
    server.command::<u64>(&["PUBLISH", "second", "\u{7}"]);
    assert_eq!(message(&mut second).await, 7);
    publisher.abort();
    let late = *newest.borrow();
    while heard < late {
        assert_eq!(message(&mut first).await, heard);
        heard += 1;
    }
}

/// Publishes numbers from 0 on, a hundred in a second; and how many it has.
fn counting(runtime: Runtime, channel: &'static str) -> (watch::Receiver<u32>, JoinHandle<()>) {
    let (told, count) = watch::channel(0);
    let publisher = tokio::spawn(async move {
        let mut often = tokio::time::interval(Duration::from_millis(10));
        for number in 0.. {
            often.tick().await;
            runtime.pubsub().publish(channel, &number).await.unwrap();
            told.send_replace(number + 1);
        }
    });
    (count, publisher)
}

/// Slower than a lost link is waited for, and faster than the timeouts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_slow_to_greet_is_listened_to() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let builder = Runtime::builder().redis(proxy.url()).budget(PATIENCE);
    let builder = builder.connect_timeout(PATIENCE).command_timeout(PATIENCE);
    let runtime = builder.require_connection().build().await.unwrap();
    proxy.delay(Of::Untracked, Duration::from_millis(1_200));
    let mut first = runtime.pubsub().subscribe::<u32>("first").await.unwrap();
    // Beside one that was lost.
    proxy.cut(Of::Untracked);
    let mut second = runtime.pubsub().subscribe::<u32>("second").await.unwrap();
    proxy.forward();
    assert!(matches!(next(&mut first).await, Event::Gap { .. }));
    for (channel, subscription) in [("first", &mut first), ("second", &mut second)] {
        eventually("it is published", PATIENCE, async || {
            runtime.pubsub().publish(channel, &1).await.is_ok()
        })
        .await;
        assert_eq!(message(subscription).await, 1);
    }
}
