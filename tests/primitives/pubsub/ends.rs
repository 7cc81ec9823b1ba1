//! Subscriptions and runtimes that end.

use std::time::{Duration, Instant};

use cacheable_runtime::{ErrorKind, Runtime, StartAt};
use cacheable_tests::store::PATIENCE;
use cacheable_tests::{Of, Proxy, RedisServer, Store, eventually, wait_until};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::{kept, listening, message, on};

crate::on_every_store!(
    p13_quit_ends_a_subscription_for_good,
    x8_shutdown_ends_what_is_listened_to,
);

/// P13
async fn p13_quit_ends_a_subscription_for_good(store: Store) {
    let here = store.runtime().await;
    let mut subscription = here.pubsub().subscribe::<u32>("quit").await.unwrap();
    here.pubsub().publish("quit", &1).await.unwrap();
    assert_eq!(message(&mut subscription).await, 1);
    subscription.quit().await;
    // The server has confirmed.
    assert_eq!(here.pubsub().publish("quit", &2).await.unwrap(), 0);
    for _ in 0..2 {
        subscription.quit().await;
        assert!(subscription.next().await.is_none());
    }
    assert!(subscription.reason().is_none());
}

/// X8
async fn x8_shutdown_ends_what_is_listened_to(store: Store) {
    let here = store.runtime().await;
    let pubsub = here.pubsub();
    let mut live = pubsub.subscribe::<u32>("live").await.unwrap();
    let mut pattern = pubsub.subscribe_pattern::<u32>("l*").await.unwrap();
    let mut kept = pubsub
        .durable("kept")
        .subscribe::<u32>(StartAt::Now)
        .await
        .unwrap();
    let listener = pubsub.subscribe_with("live", |_: u32| async {}).await;
    let listener = listener.unwrap();
    here.shutdown(PATIENCE).await;
    let ends = async {
        assert_eq!(live.next().await, None);
        assert_eq!(pattern.next().await, None);
        assert_eq!(kept.next().await, None);
    };
    timeout(PATIENCE, ends).await.expect("all of them end");
    eventually("the listener ends", PATIENCE, async || {
        listener.is_finished()
    })
    .await;
    let reasons = [live.reason(), pattern.reason(), kept.reason()];
    for reason in reasons.into_iter().chain([listener.reason()]) {
        assert_eq!(reason.unwrap().kind(), ErrorKind::ShutDown);
    }
    timeout(PATIENCE, async {
        live.quit().await;
        kept.quit().await;
    })
    .await
    .expect("nothing is left to wait for");
}

/// P13, X8
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p13_no_connection_and_no_task_is_left() {
    let server = RedisServer::start();
    let tasks = Handle::current().metrics().num_alive_tasks();
    for shut in [true, false] {
        let runtime = on(&server.url()).await;
        let pubsub = runtime.pubsub();
        let mut live = pubsub.subscribe::<u32>("live").await.unwrap();
        let pattern = pubsub.subscribe_pattern::<u32>("l*").await.unwrap();
        let stream = pubsub.durable("kept");
        let mut reads = stream.subscribe::<u32>(StartAt::Now).await.unwrap();
        let listener = pubsub.subscribe_with("live", |_: u32| async {}).await;
        pubsub.publish("live", &1).await.unwrap();
        stream.publish(&1).await.unwrap();
        assert_eq!((message(&mut live).await, kept(&mut reads).await), (1, 1));
        // All of them share one.
        assert_eq!(listening(&server), 1);
        if shut {
            runtime.shutdown(PATIENCE).await;
        }
        drop((runtime, pubsub, live, pattern, stream, reads, listener));
        wait_until("no connection is left but this", PATIENCE, || {
            let list: String = server.command(&["CLIENT", "LIST"]);
            listening(&server) == 0 && list.trim().lines().count() == 1
        });
        eventually("no task is left", PATIENCE, async || {
            Handle::current().metrics().num_alive_tasks() == tasks
        })
        .await;
    }
}

/// A connection that carries nothing is closed after a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_subscription_takes_the_connection_along() {
    let server = RedisServer::start();
    let runtime = on(&server.url()).await;
    let connections = || {
        let list: String = server.command(&["CLIENT", "LIST"]);
        list.trim().lines().count()
    };
    let before = connections();
    for _ in 0..2 {
        let subscription = runtime.pubsub().subscribe::<u32>("a").await.unwrap();
        assert_eq!(connections(), before + 1);
        drop(subscription);
        wait_until("it is closed", PATIENCE, || connections() == before);
    }
}

/// P13
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p13_quit_returns_by_its_deadline_whatever_the_server_does() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let builder = Runtime::builder().redis(proxy.url()).require_connection();
    let runtime = builder.build().await.unwrap();
    let mut subscriptions = Vec::new();
    for number in 0..3 {
        let channel = format!("c{number}");
        let subscription = runtime.pubsub().subscribe::<u32>(&channel).await;
        subscriptions.push(subscription.unwrap());
    }
    proxy.black_hole(Of::All);
    let began = Instant::now();
    subscriptions[0]
        .quit_within(Duration::from_millis(300))
        .await;
    // It could not be confirmed, so all of the time was waited.
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert!(began.elapsed() < Duration::from_secs(4));
    assert_eq!(subscriptions[0].next().await, None);
    proxy.refuse();
    let began = Instant::now();
    subscriptions[1].quit().await;
    assert_eq!(subscriptions[1].next().await, None);
    runtime.shutdown(Duration::from_millis(300)).await;
    while subscriptions[2].next().await.is_some() {}
    assert!(began.elapsed() < Duration::from_secs(4));
}
