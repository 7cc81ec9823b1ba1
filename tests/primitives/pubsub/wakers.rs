//! Executors that end a task where it is woken.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use cacheable_runtime::{Event, Subscription};
use cacheable_tests::store::PATIENCE;
use cacheable_tests::{RedisServer, Store, eventually};
use futures_core::Stream;
use tokio::time::timeout;

use super::{next, on};

crate::on_every_store!(whoever_is_woken_may_end_a_subscription);

/// Drops a subscription when it is woken.
struct Ends(Mutex<Option<Subscription<u32>>>);

impl Wake for Ends {
    fn wake(self: Arc<Self>) {
        let ended = self.0.lock().unwrap().take();
        drop(ended);
    }
}

impl Ends {
    /// When something comes to the one the other ends.
    fn waits(on: &mut Subscription<u32>, ends: Subscription<u32>) -> Arc<Self> {
        let this = Arc::new(Self(Mutex::new(Some(ends))));
        let waker = Waker::from(Arc::clone(&this));
        let mut context = Context::from_waker(&waker);
        assert!(Pin::new(on).poll_next(&mut context).is_pending());
        this
    }

    fn has_ended(&self) -> bool {
        self.0.lock().unwrap().is_none()
    }
}

async fn whoever_is_woken_may_end_a_subscription(store: Store) {
    let here = store.runtime().await;
    let pubsub = here.pubsub();
    let mut waits = pubsub.subscribe::<u32>("wakes").await.unwrap();
    let ends = pubsub.subscribe::<u32>("wakes").await.unwrap();
    let ended = Ends::waits(&mut waits, ends);
    // On a task of its own: were it to hang, this one goes on.
    let task = tokio::spawn(async move { pubsub.publish("wakes", &1).await });
    let published = timeout(PATIENCE, task).await;
    published.expect("it does not hang").unwrap().unwrap();
    eventually("it has ended", PATIENCE, async || ended.has_ended()).await;
    assert!(matches!(
        next(&mut waits).await,
        Event::Message { message: 1, .. }
    ));
}

/// A gap wakes, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_woken_by_a_gap_may_end_a_subscription() {
    let server = RedisServer::start();
    let runtime = on(&server.url()).await;
    let pubsub = runtime.pubsub();
    let mut waits = pubsub.subscribe::<u32>("wakes").await.unwrap();
    let ends = pubsub.subscribe::<u32>("ends").await.unwrap();
    let ended = Ends::waits(&mut waits, ends);
    server.command::<i64>(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    eventually("it has ended", PATIENCE, async || ended.has_ended()).await;
    assert!(matches!(next(&mut waits).await, Event::Gap { .. }));
}
