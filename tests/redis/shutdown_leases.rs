//! What a runtime that ends leaves for others to wait for: nothing that it can
//! remove.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cacheable_runtime::{Policy, Runtime};
use cacheable_tests::{Of, Proxy, RedisServer, eventually, hung_load};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use crate::repair::{ShutOut, is_shut_out};
use crate::service::{PATIENCE, level_two};

/// The life of a lease that nobody renews: longer than a test may take.
const LONG: Duration = Duration::from_secs(600);

async fn runtime(url: String, lease: Duration) -> Runtime {
    let builder = level_two().redis(url).lease(lease).budget(PATIENCE);
    builder.require_connection().build().await.unwrap()
}

/// Ends a call: what it leaves is given up once this returns.
async fn given_up(call: JoinHandle<Result<u64, ()>>) {
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
}

fn is_there(server: &RedisServer) -> bool {
    server.command::<u64>(&["EXISTS", "key"]) == 1
}

#[tokio::test]
async fn a_lease_that_was_given_up_in_an_outage_is_removed_first() {
    let server = RedisServer::start();
    let runtime = runtime(server.url(), LONG).await;
    let call = hung_load(&runtime.cache(), "key").await;
    let shut_out = ShutOut::new(&server);
    is_shut_out(&runtime).await;
    given_up(call).await;
    let server = shut_out.lets_in();
    assert!(is_there(server));
    let shutdown = runtime.shutdown(PATIENCE);
    tokio::time::timeout(PATIENCE * 2, shutdown).await.unwrap();
    assert!(!is_there(server));
}

#[tokio::test]
async fn one_whose_removal_is_on_its_way_is_waited_for() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let runtime = runtime(proxy.url(), LONG).await;
    let call = hung_load(&runtime.cache(), "key").await;
    proxy.hold_requests(Of::All);
    given_up(call).await;
    ends_when_released(runtime, &proxy).await;
    assert!(!is_there(&server));
}

/// Ends a runtime whose requests are held. It goes on asking whether the server is
/// there for as long as it is not closed, so it waits.
async fn ends_when_released(runtime: Runtime, proxy: &Proxy) {
    let beats = || proxy.seen().command("PING");
    let before = beats();
    let mut shutdown = pin!(runtime.shutdown(PATIENCE));
    tokio::select! {
        () = &mut shutdown => panic!("it does not wait"),
        () = eventually("the link is still kept", PATIENCE, async || beats() > before) => {}
    }
    proxy.release();
    tokio::time::timeout(PATIENCE, shutdown).await.unwrap();
}

/// One after the other they would take as many round trips, and others wait for
/// the last of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_of_an_outage_are_removed_many_at_once() {
    const MANY: usize = 300;
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let runtime = runtime(proxy.url(), LONG).await;
    let begun = Arc::new(AtomicUsize::new(0));
    let mut calls = JoinSet::new();
    for number in 0..MANY {
        let (cache, begun) = (runtime.cache(), Arc::clone(&begun));
        calls.spawn(async move {
            let load = async move || {
                begun.fetch_add(1, Ordering::SeqCst);
                std::future::pending::<Result<u64, ()>>().await
            };
            let key = format!("key {number}");
            cache.get_or_load(key, Policy::new(LONG), load).await
        });
    }
    let left = || -> Vec<String> { server.command(&["KEYS", "key *"]) };
    eventually("all bodies run", PATIENCE, async || {
        begun.load(Ordering::SeqCst) == MANY
    })
    .await;
    assert_eq!(left().len(), MANY);
    let shut_out = ShutOut::new(&server);
    is_shut_out(&runtime).await;
    calls.shutdown().await;
    let before = proxy.seen().round_trips;
    shut_out.lets_in();
    eventually("all are removed", PATIENCE, async || left().is_empty()).await;
    let trips = proxy.seen().round_trips - before;
    assert!(trips < MANY as u64 / 3, "{trips} round trips");
}

/// What a lease has taken the place of is put back before the end.
#[tokio::test]
async fn an_old_value_that_is_put_back_is_waited_for() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let runtime = runtime(proxy.url(), LONG).await;
    let cache = runtime.cache();
    let policy = || {
        let policy = Policy::new(Duration::from_millis(20)).jitter(0.0);
        policy.stale_if_error(LONG)
    };
    let old = cache.get_or_load("key", policy(), async || Ok::<u64, ()>(1));
    assert_eq!(old.await, Ok(1));
    let (begun, mut has_begun) = mpsc::channel(1);
    let call = tokio::spawn(async move {
        // Until it is over, it is answered with.
        loop {
            let load = async || {
                begun.send(()).await.unwrap();
                std::future::pending::<Result<u64, ()>>().await
            };
            cache.get_or_load("key", policy(), load).await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    has_begun.recv().await.unwrap();
    proxy.hold_requests(Of::All);
    given_up(call).await;
    ends_when_released(runtime, &proxy).await;
    let other = level_two().redis(server.url()).require_connection();
    let other = other.build().await.unwrap().cache();
    assert!(!other.inspect("key").await.unwrap().unwrap().lease);
}

/// Nobody waits for it any longer than that.
#[tokio::test]
async fn where_the_server_stays_away_it_waits_as_long_as_a_lease_lives() {
    let server = RedisServer::start();
    let life = Duration::from_millis(200);
    let runtime = runtime(server.url(), life).await;
    let call = hung_load(&runtime.cache(), "key").await;
    let shut_out = ShutOut::new(&server);
    is_shut_out(&runtime).await;
    given_up(call).await;
    let began = Instant::now();
    let shutdown = runtime.shutdown(LONG);
    tokio::time::timeout(PATIENCE, shutdown).await.unwrap();
    assert!(began.elapsed() >= life);
    drop(shut_out);
}
