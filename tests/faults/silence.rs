//! A lone call that meets a server which has just fallen silent. Nothing is known
//! of that yet, so there is only the call's own budget to end its waiting.

use std::future::Future;
use std::time::{Duration, Instant};

use cacheable_runtime::{Policy, Runtime};
use cacheable_tests::{Of, Proxy, RedisServer, eventually};

use crate::drill::{PATIENCE, alone};
use crate::service::{Service, Source};

const LONG: Duration = Duration::from_secs(600);

/// Far above the default budget, and far below the time of a command.
const SOON: Duration = Duration::from_secs(1);

/// Two processes, of which only the first is behind the proxy. Both have read
/// the entry of 0.
async fn two(server: &RedisServer, proxy: &Proxy) -> (Service, Service) {
    let source = Source::new();
    let here = Runtime::builder().redis(proxy.url());
    let here = Service::with(here.require_connection(), &source).await;
    let elsewhere = Service::start(server.url(), &source).await;
    for service in [&here, &elsewhere] {
        assert_eq!(service.read_remote(0).await, Ok(1));
    }
    (here, elsewhere)
}

/// How long `call` takes while nothing reaches the server.
async fn in_silence<T>(proxy: &Proxy, call: impl Future<Output = T>) -> (T, Duration) {
    proxy.black_hole(Of::All);
    let start = Instant::now();
    let returned = call.await;
    let took = start.elapsed();
    proxy.forward();
    (returned, took)
}

async fn is_new(elsewhere: &Service) {
    eventually("the old value is gone", PATIENCE, async || {
        elsewhere.read_remote(0).await == Ok(2)
    })
    .await;
}

#[tokio::test]
async fn a_put_does_not_wait_for_it() {
    let _alone = alone().await;
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let (here, elsewhere) = two(&server, &proxy).await;
    let (written, took) = in_silence(&proxy, here.replace(0)).await;
    assert_eq!(written, Ok(2));
    assert!(took < SOON, "{took:?}");
    is_new(&elsewhere).await;
}

#[tokio::test]
async fn a_removal_in_many_steps_waits_for_it_once() {
    const BUDGET: Duration = Duration::from_millis(800);
    let _alone = alone().await;
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let (_, elsewhere) = two(&server, &proxy).await;
    let here = Runtime::builder().redis(proxy.url()).budget(BUDGET);
    let here = Service::with(here.require_connection(), &elsewhere.source).await;
    let (written, took) = in_silence(&proxy, here.write_in_steps(0)).await;
    assert_eq!(written, Ok(2));
    assert!(took < BUDGET * 2, "{took:?}");
    is_new(&elsewhere).await;
}

/// The value that it refreshes is over, and has to be removed.
#[tokio::test]
async fn a_refresh_that_comes_to_nothing_does_not_wait_for_it() {
    let _alone = alone().await;
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let here = Runtime::builder().redis(proxy.url()).local_capacity(0);
    let here = here.require_connection().build().await.unwrap();
    let cache = here.cache();
    let brief = Policy::new(Duration::from_millis(50)).jitter(0.0);
    let brief = brief.stale_while_revalidate(LONG);
    let loaded = cache.get_or_load("key", brief.clone(), async || Ok::<_, ()>(Some(1_u64)));
    assert_eq!(loaded.await, Ok(Some(1)));
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut silent_since = None;
    let refreshed = cache.get_or_load("key", brief, async || {
        proxy.black_hole(Of::All);
        silent_since = Some(Instant::now());
        Ok::<_, ()>(None::<u64>)
    });
    assert_eq!(refreshed.await, Ok(None));
    let took = silent_since.expect("it was refreshed here").elapsed();
    proxy.forward();
    assert!(took < SOON, "{took:?}");
    eventually("the old value is gone", PATIENCE, async || {
        server.command::<u64>(&["EXISTS", "key"]) == 0
    })
    .await;
}
