//! How a runtime ends.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use cacheable_runtime::{ErrorKind, Policy};
use cacheable_tests::{RedisServer, hung_load};
use tokio::sync::oneshot;

use crate::service::{PATIENCE, Service};

const LONG: Duration = Duration::from_secs(600);

#[tokio::test]
async fn it_waits_for_loads_and_then_handles_say_so() {
    let server = RedisServer::start();
    let service = Service::on(&server).await;
    let cache = service.runtime.cache();
    let (begun, has_begun) = oneshot::channel();
    let (release, released) = oneshot::channel();
    let loading = tokio::spawn({
        let cache = cache.clone();
        async move {
            let load = async move || {
                begun.send(()).unwrap();
                released.await.unwrap();
                Ok::<_, ()>("value".to_owned())
            };
            cache.get_or_load("key", Policy::new(LONG), load).await
        }
    });
    has_begun.await.unwrap();
    let mut shutdown = pin!(service.runtime.shutdown(LONG));
    let mut context = Context::from_waker(Waker::noop());
    assert!(shutdown.as_mut().poll(&mut context).is_pending());
    release.send(()).unwrap();
    tokio::time::timeout(PATIENCE, shutdown).await.unwrap();
    assert_eq!(loading.await.unwrap().unwrap(), "value");

    // What it waited for was stored.
    let other = Service::on(&server).await.runtime.cache();
    assert_eq!(other.get("key").await.unwrap(), Some("value".to_owned()));
    let errors = [
        cache.get::<String>("key").await.unwrap_err(),
        cache.set("key", "new", LONG).await.unwrap_err(),
        cache.remove("key").await.unwrap_err(),
        cache.clear("key*").await.unwrap_err(),
        cache.inspect("key").await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::ShutDown, "{error}");
    }
    assert_eq!(other.get("key").await.unwrap(), Some("value".to_owned()));
    service.loaded(1).await;
    service.loaded(1).await;
}

/// To its end, or to where its caller goes away: it may have written by then.
#[tokio::test]
async fn it_waits_for_a_write_and_for_what_that_removes() {
    for ends in [true, false] {
        let server = RedisServer::start();
        let service = Arc::new(Service::on(&server).await);
        let other = Service::on(&server).await;
        other.loaded(1).await;
        let (begun, has_begun) = oneshot::channel();
        let (release, released) = oneshot::channel::<()>();
        let writing = tokio::spawn({
            let service = Arc::clone(&service);
            async move {
                let body = async {
                    begun.send(()).unwrap();
                    released.await.unwrap();
                };
                service.write_until(1, body).await
            }
        });
        has_begun.await.unwrap();
        let mut shutdown = pin!(service.runtime.shutdown(LONG));
        let mut context = Context::from_waker(Waker::noop());
        // Time enough for one that does not wait.
        for _ in 0..20 {
            assert!(shutdown.as_mut().poll(&mut context).is_pending());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if ends {
            release.send(()).unwrap();
        } else {
            writing.abort();
        }
        tokio::time::timeout(PATIENCE, shutdown).await.unwrap();
        if ends {
            writing.await.unwrap().unwrap();
        }
        // What was to be removed is.
        other.loaded(1).await;
    }
}

#[tokio::test]
async fn it_does_not_wait_beyond_its_deadline() {
    let server = RedisServer::start();
    let service = Arc::new(Service::on(&server).await);
    let cache = service.runtime.cache();
    let hung = hung_load(&cache, "key").await;
    let shutdown = service.runtime.shutdown(Duration::from_millis(50));
    tokio::time::timeout(PATIENCE, shutdown).await.unwrap();
    // Twice is once.
    service
        .runtime
        .shutdown(LONG.min(Duration::from_millis(1)))
        .await;
    hung.abort();
    service.loaded(1).await;
}

/// The runtime is dropped without a shutdown.
#[tokio::test]
async fn nothing_of_it_is_left_when_it_is_dropped() {
    let server = RedisServer::start();
    let alive = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let before = alive();
    let service = Service::on(&server).await;
    service.heals(1).await;
    drop(service);
    cacheable_tests::eventually("its tasks end", PATIENCE, async || alive() == before).await;
}
