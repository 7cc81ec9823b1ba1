//! While a removal waits to be delivered, and across an outage, nobody here is
//! given what was removed.

use std::sync::Arc;
use std::time::Duration;

use cacheable_runtime::{Builder, Cache, Policy, Runtime, cache_invalidate, cacheable};
use cacheable_tests::{Of, Proxy, RedisServer, eventually};
use tokio::sync::{Semaphore, oneshot};

use crate::service::PATIENCE;
use crate::wire::calls;

const LONG: Duration = Duration::from_secs(600);

/// A call's time for the server: a removal that is held up is given up after it.
const BUDGET: Duration = Duration::from_millis(200);

async fn build(builder: Builder) -> Runtime {
    builder.require_connection().build().await.unwrap()
}

fn through(proxy: &Proxy) -> Builder {
    Runtime::builder().redis(proxy.url()).budget(BUDGET)
}

fn policy() -> Policy {
    Policy::new(LONG).jitter(0.0)
}

async fn read(cache: &Cache, key: &str, value: u64) -> u64 {
    let load = async || Ok::<_, ()>(value);
    cache.get_or_load(key, policy(), load).await.unwrap()
}

/// Removes the entry `key` as an annotated method does, which has the budget of a call.
#[cache_invalidate("key", runtime = runtime)]
async fn write(runtime: &Runtime) {}

#[tokio::test]
async fn what_another_process_stores_meanwhile_is_not_read() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let here = build(through(&proxy)).await;
    let elsewhere = build(Runtime::builder().redis(server.url())).await;

    let (begun, has_begun) = oneshot::channel();
    let gate = Arc::new(Semaphore::new(0));
    let loader = tokio::spawn({
        let (cache, gate) = (elsewhere.cache(), Arc::clone(&gate));
        async move {
            let load = async move || {
                begun.send(()).unwrap();
                gate.acquire().await.unwrap().forget();
                Ok::<_, ()>(1_u64)
            };
            cache.get_or_load("key", policy(), load).await
        }
    });
    has_begun.await.unwrap();
    // Waits for the lease of that load.
    let looks = calls(&server, "get");
    let waiting = tokio::spawn({
        let cache = here.cache();
        async move { read(&cache, "key", 2).await }
    });
    eventually("it waits", PATIENCE, async || {
        calls(&server, "get") > looks + 2
    })
    .await;
    proxy.hold_requests(Of::Untracked);
    write(&here).await;
    // What was loaded before the write is stored after it: nobody else could know.
    gate.add_permits(1);
    assert_eq!(loader.await.unwrap(), Ok(1));
    waiting.await.unwrap();
    assert_eq!(
        read(&here.cache(), "key", 2).await,
        2,
        "it was removed here"
    );
}

#[tokio::test]
async fn an_answer_that_was_read_before_the_delivery_is_not_given_out_after_it() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let here = build(through(&proxy)).await;
    let cache = here.cache();
    cache.set("key", &1_u64, LONG).await.unwrap();
    cache.set("other", &1_u64, LONG).await.unwrap();
    proxy.hold_requests(Of::Untracked);
    write(&here).await;

    proxy.delay(Of::Tracked, Duration::from_millis(700));
    let reading = tokio::spawn({
        let cache = cache.clone();
        async move { cache.get_many::<u64, _>(["key", "other"]).await }
    });
    eventually("the server has read it", PATIENCE, async || {
        calls(&server, "mget") == 1
    })
    .await;
    proxy.release();
    let found = reading.await.unwrap().unwrap();
    assert_eq!(found, [None, Some(1)]);
}

fn forgiving() -> Policy {
    policy().stale_if_error(LONG).tag("tag")
}

async fn fails(cache: &Cache) -> Result<u64, ()> {
    cache
        .get_or_load("key", forgiving(), async || Err(()))
        .await
}

async fn loads(cache: &Cache, value: u64) {
    let load = async || Ok::<_, ()>(value);
    let loaded = cache.get_or_load("key", forgiving(), load).await;
    assert_eq!(loaded, Ok(value));
}

async fn is_lost(runtime: &Runtime) {
    eventually("the link is lost", PATIENCE, async || {
        runtime.health().is_err()
    })
    .await;
}

/// As far as this process was told.
#[tokio::test]
async fn what_others_had_removed_before_an_outage_stands_in_for_nothing() {
    for what in ["tag", "everything"] {
        let server = RedisServer::start();
        let here = build(Runtime::builder().redis(server.url())).await;
        let elsewhere = build(Runtime::builder().redis(server.url())).await;
        loads(&here.cache(), 1).await;
        match what {
            "tag" => elsewhere.cache().invalidate_tag("tag").await.unwrap(),
            _ => server.command::<()>(&["FLUSHALL"]),
        }
        // What others remove is told before this is answered.
        here.cache().get::<u64>("any").await.unwrap();
        server.kill();
        is_lost(&here).await;
        assert_eq!(fails(&here.cache()).await, Err(()), "{what}");
    }
}

#[tokio::test]
async fn what_was_removed_by_its_tag_in_an_outage_stands_in_for_nothing() {
    let server = RedisServer::start();
    let builder = Runtime::builder().redis(server.url()).degraded_ttl(LONG);
    let here = build(builder).await;
    server.kill();
    is_lost(&here).await;
    let cache = here.cache();
    loads(&cache, 1).await;
    assert_eq!(fails(&cache).await, Ok(1), "it is kept");
    cache.invalidate_tag("tag").await.unwrap_err();
    assert_eq!(fails(&cache).await, Err(()));
}

struct Service(Runtime);

impl Service {
    #[cacheable(ttl = 600, key_prefix = "shut", runtime = self.0)]
    pub(crate) async fn read(&self, value: u64) -> u64 {
        value
    }

    #[cacheable_runtime::cache_put(method(Self::read(id)), runtime = self.0)]
    async fn replace(&self, id: u64, value: u64) -> u64 {
        let _ = id;
        value
    }
}

/// The write has been made, so what others have is old.
#[tokio::test]
async fn a_put_during_a_shutdown_leaves_no_old_value() {
    let server = RedisServer::start();
    let here = Service(build(Runtime::builder().redis(server.url())).await);
    let elsewhere = build(Runtime::builder().redis(server.url())).await.cache();
    assert_eq!(here.read(1).await, 1);
    // Until this has ended there is no end.
    let (begun, has_begun) = oneshot::channel();
    let hung = tokio::spawn({
        let cache = here.0.cache();
        async move {
            let load = async move || {
                begun.send(()).unwrap();
                std::future::pending::<Result<u64, ()>>().await
            };
            cache.get_or_load("hung", policy(), load).await
        }
    });
    has_begun.await.unwrap();
    let shutdown = tokio::spawn({
        let runtime = here.0.clone();
        async move { runtime.shutdown(PATIENCE).await }
    });
    eventually("calls run uncached", PATIENCE, async || {
        let bypasses = || here.0.observe().method("shut.read").bypasses;
        let before = bypasses();
        here.read(2).await;
        bypasses() > before
    })
    .await;
    assert_eq!(here.replace(1, 7).await, 7);
    let found = elsewhere.get::<u64>(Service::read_key(1)).await.unwrap();
    assert_ne!(found, Some(1));
    hung.abort();
    shutdown.await.unwrap();
    // Nor does it wait for a server that it has let go.
    assert_eq!(here.replace(1, 8).await, 8);
}
