//! Messages between processes.

#[cfg(feature = "cluster")]
mod cluster;
mod durable;
mod ends;
mod faults;
mod lags;
mod live;
mod order;
mod refusals;
mod silence;
mod wakers;

use std::time::Duration;

use cacheable_runtime::{DurableEvent, DurableSubscription, Event, Runtime, Subscription};
use cacheable_tests::RedisServer;
use cacheable_tests::store::PATIENCE;
use tokio::time::timeout;

/// What comes next; it has to come.
async fn next<M>(subscription: &mut Subscription<M>) -> Event<M> {
    let event = timeout(PATIENCE, subscription.next()).await;
    let event = event.expect("something comes in time");
    event.expect("the subscription goes on")
}

/// The next message; nothing else comes before it.
async fn message<M>(subscription: &mut Subscription<M>) -> M {
    match next(subscription).await {
        Event::Message { message, .. } => message,
        other => panic!("{other:?} instead of a message"),
    }
}

/// The next event of a stream; it has to come.
async fn read<M>(subscription: &mut DurableSubscription<M>) -> DurableEvent<M> {
    let event = timeout(PATIENCE, subscription.next()).await;
    let event = event.expect("something comes in time");
    event.expect("the subscription goes on")
}

/// The next message of a stream; nothing else comes before it.
async fn kept<M>(subscription: &mut DurableSubscription<M>) -> M {
    match read(subscription).await {
        DurableEvent::Message { message, .. } => message,
        other => panic!("{other:?} instead of a message"),
    }
}

/// Nothing has come. What was published before must have been heard, were it
/// to be: another message is waited for on the same connection.
async fn hears_nothing<M>(runtime: &Runtime, subscription: &mut Subscription<M>) {
    fence(runtime).await;
    let event = timeout(Duration::from_millis(1), subscription.next()).await;
    assert!(event.is_err(), "something has come");
}

/// All that was published to this runtime before has come in.
async fn fence(runtime: &Runtime) {
    let pubsub = runtime.pubsub();
    let mut fence = pubsub.subscribe::<u8>("fence").await.unwrap();
    pubsub.publish("fence", &1).await.unwrap();
    message(&mut fence).await;
}

/// A runtime on a server of the test's own.
async fn on(url: &str) -> Runtime {
    let builder = Runtime::builder().redis(url).require_connection();
    builder.budget(PATIENCE).build().await.unwrap()
}

/// The major version that the server is like.
fn version(server: &RedisServer) -> u32 {
    let info: String = server.command(&["INFO", "server"]);
    let mut lines = info.lines();
    let version = lines.find_map(|line| line.strip_prefix("redis_version:"));
    let version = version.expect("a server has a version");
    version.split('.').next().unwrap().parse().unwrap()
}

/// How many connections of the server listen to anything.
fn listening(server: &RedisServer) -> usize {
    let list: String = server.command(&["CLIENT", "LIST", "TYPE", "pubsub"]);
    list.lines().filter(|line| !line.trim().is_empty()).count()
}
