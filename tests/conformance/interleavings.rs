//! Interleavings that once went wrong; each says what must hold.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use cacheable_runtime::{Policy, Runtime, cache_put, cacheable};
use cacheable_tests::{RedisServer, eventually};
use tokio::sync::Semaphore;

use crate::source::{Broken, Source};
use crate::stores::PATIENCE;

/// Well below the default lease of ten seconds, and far above a round trip.
const SOON: Duration = Duration::from_secs(4);

fn policy() -> Policy {
    Policy::new(Duration::from_secs(600))
}

async fn on(server: &RedisServer) -> Runtime {
    Runtime::builder()
        .redis(server.url())
        .require_connection()
        .build()
        .await
        .expect("the server is up")
}

/// Two runtimes are two graphs of waits.
#[tokio::test]
async fn bodies_of_two_runtimes_may_call_each_other_from_both_sides() {
    let barrier = Arc::new(tokio::sync::Barrier::new(2));
    let runtimes = [Runtime::embedded(), Runtime::embedded()];
    let call = |own: usize| {
        let (barrier, runtimes) = (Arc::clone(&barrier), runtimes.clone());
        tokio::spawn(async move {
            let body = || async {
                barrier.wait().await;
                let other = runtimes[1 - own].cache();
                let inner = other.get_or_load("k", policy(), || async { Ok::<_, ()>(1_u64) });
                Ok::<_, ()>(inner.await? + 1)
            };
            runtimes[own].cache().get_or_load("k", policy(), body).await
        })
    };
    let (first, second) = (call(0), call(1));
    let both = async { (first.await.unwrap(), second.await.unwrap()) };
    tokio::time::timeout(SOON, both)
        .await
        .expect("they wait for each other")
        .0
        .unwrap();
}

/// Lets the server read and hold back writes, until [`go_on`].
fn hold_writes(server: &RedisServer) {
    server.command::<String>(&["CLIENT", "PAUSE", "60000", "WRITE"]);
}

fn go_on(server: &RedisServer) {
    server.command::<String>(&["CLIENT", "UNPAUSE"]);
}

/// Waits until the server has received a command of this name.
async fn received(server: &RedisServer, command: &str) {
    let wanted = format!("cmd={command} ");
    eventually(command, PATIENCE, async || {
        let clients: String = server.command(&["CLIENT", "LIST"]);
        clients.contains(&wanted)
    })
    .await;
}

#[tokio::test]
async fn the_body_of_a_put_may_read_what_it_replaces() {
    let source = Arc::new(Source::new(Runtime::embedded()));
    assert_eq!(source.read(7).await, Ok(1));
    let inner = Arc::clone(&source);
    let put = source.replace(7, async move { drop(inner.read(7).await) });
    let put = tokio::time::timeout(SOON, put).await;
    assert_eq!(put.expect("the put waited for its own lease"), Ok(2));
}

#[tokio::test]
async fn a_caller_does_not_hang_behind_a_loader_that_nobody_polls() {
    let runtime = Runtime::builder()
        .lease(Duration::from_millis(200))
        .build()
        .await
        .unwrap();
    let source = Source::holding(runtime);
    let mut abandoned = Box::pin(source.read(7));
    let mut context = Context::from_waker(Waker::noop());
    assert!(abandoned.as_mut().poll(&mut context).is_pending());
    source.release();
    source.release();
    // As after a `select!` over `&mut abandoned`, or inside the loop over a
    // `buffer_unordered` stream that holds it.
    let second = tokio::time::timeout(SOON, source.read(7)).await;
    assert_eq!(second.expect("it hung"), Ok(1));
}

#[tokio::test]
async fn a_body_may_spawn_a_task_that_calls_its_own_key() {
    let runtime = Runtime::builder()
        .lease(Duration::from_millis(200))
        .build()
        .await
        .unwrap();
    let cache = runtime.cache();
    let outer = cache.get_or_load("self", policy(), || async {
        let cache = cache.clone();
        let inner = tokio::spawn(async move {
            cache
                .get_or_load("self", policy(), || async { Ok::<_, ()>(1_u64) })
                .await
        });
        Ok::<_, ()>(inner.await.unwrap()? + 1)
    });
    assert_eq!(
        tokio::time::timeout(SOON, outer).await.expect("it hung"),
        Ok(2)
    );
}

#[tokio::test]
async fn a_caller_cancelled_while_it_places_its_lease_leaves_none_behind() {
    let server = RedisServer::start();
    let source = Arc::new(Source::new(on(&server).await));
    hold_writes(&server);
    let cancelled = tokio::spawn({
        let source = Arc::clone(&source);
        async move { source.read(7).await }
    });
    received(&server, "evalsha").await;
    cancelled.abort();
    drop(cancelled.await);
    go_on(&server);
    let next = tokio::time::timeout(SOON, source.read(7)).await;
    assert_eq!(next.expect("it waited for the lease of nobody"), Ok(1));
}

#[tokio::test]
async fn a_put_cancelled_while_it_seizes_leaves_no_lease_behind() {
    let server = RedisServer::start();
    let source = Arc::new(Source::new(on(&server).await));
    hold_writes(&server);
    let cancelled = tokio::spawn({
        let source = Arc::clone(&source);
        async move { source.replace(7, async {}).await }
    });
    received(&server, "set").await;
    cancelled.abort();
    drop(cancelled.await);
    go_on(&server);
    let next = tokio::time::timeout(SOON, source.read(7)).await;
    assert_eq!(next.expect("it waited for the lease of nobody"), Ok(1));
}

/// The put waits for the body of "ring", which waits for a reader, who waits
/// for the lease of the put: no single task sees the whole ring.
#[tokio::test]
async fn a_ring_through_a_put_ends_with_one_lease() {
    let builder = Runtime::builder().lease(Duration::from_secs(1));
    let source = Arc::new(Source::new(builder.build().await.unwrap()));
    let cache = source.runtime.cache();
    let waits = |label: &str| source.runtime.observe().method(label).waits;
    let gate = Arc::new(Semaphore::new(0));
    let ring = tokio::spawn({
        let (cache, source, gate) = (cache.clone(), Arc::clone(&source), Arc::clone(&gate));
        async move {
            let body = || async {
                pass(gate).await;
                source.read(7).await
            };
            cache.get_or_load("ring", policy(), body).await
        }
    });
    while source.runtime.observe().method("cache").loads < 1 {
        tokio::task::yield_now().await;
    }
    let put = tokio::spawn({
        let source = Arc::clone(&source);
        async move {
            let body = async move {
                let load = || async { Ok::<u64, Broken>(0) };
                drop(cache.get_or_load("ring", policy(), load).await);
            };
            source.replace(7, body).await
        }
    });
    while waits("cache") < 1 {
        tokio::task::yield_now().await;
    }
    let reader = tokio::spawn({
        let source = Arc::clone(&source);
        async move { source.read(7).await }
    });
    // It leads before the body of "ring" asks, since it was spawned before.
    tokio::task::yield_now().await;
    gate.add_permits(1);
    let all = async {
        (
            put.await.unwrap(),
            ring.await.unwrap(),
            reader.await.unwrap(),
        )
    };
    let (put, ..) = tokio::time::timeout(SOON, all).await.expect("a ring");
    assert_eq!(put, Ok(2));
    assert!(waits("source.read") >= 1, "there was no ring");
}

/// A value with puts that can be held before and after they write.
struct Slow {
    runtime: Runtime,
    value: AtomicU64,
}

impl Slow {
    #[cacheable(ttl = 600, key_prefix = "slow", runtime = self.runtime)]
    pub(crate) async fn read(&self, id: u32) -> Result<u64, Broken> {
        let _ = id;
        Ok(self.value.load(Ordering::SeqCst))
    }

    #[cache_put(method(Self::read(id)), runtime = self.runtime)]
    async fn put(
        &self,
        id: u32,
        before: impl Future<Output = ()>,
        after: impl Future<Output = ()>,
    ) -> Result<u64, Broken> {
        let _ = id;
        before.await;
        let written = self.value.fetch_add(1, Ordering::SeqCst) + 1;
        after.await;
        Ok(written)
    }
}

async fn pass(gate: Arc<Semaphore>) {
    gate.acquire().await.unwrap().forget();
}

#[tokio::test]
async fn a_put_cancelled_at_its_fill_does_not_let_an_older_put_stand() {
    let server = RedisServer::start();
    let slow = Arc::new(Slow {
        runtime: on(&server).await,
        value: AtomicU64::new(1),
    });
    let gates: [_; 2] = std::array::from_fn(|_| Arc::new(Semaphore::new(0)));
    let seized = Arc::new(Semaphore::new(0));
    let first = tokio::spawn({
        let (slow, gate, seized) = (
            Arc::clone(&slow),
            Arc::clone(&gates[0]),
            Arc::clone(&seized),
        );
        async move {
            let before = async {
                seized.add_permits(1);
                pass(gate).await;
            };
            slow.put(7, before, async {}).await
        }
    });
    pass(Arc::clone(&seized)).await;
    let second = tokio::spawn({
        let (slow, gate, seized) = (
            Arc::clone(&slow),
            Arc::clone(&gates[1]),
            Arc::clone(&seized),
        );
        async move {
            let after = async {
                seized.add_permits(1);
                pass(gate).await;
            };
            slow.put(7, async {}, after).await
        }
    });
    // The second has written 2, and the first will write 3.
    pass(Arc::clone(&seized)).await;
    // So that the script below is not one of before.
    let other = slow.runtime.cache().get::<u64>("other").await;
    assert_eq!(other.unwrap(), None);
    hold_writes(&server);
    gates[0].add_permits(1);
    received(&server, "evalsha").await;
    first.abort();
    drop(first.await);
    go_on(&server);
    gates[1].add_permits(1);
    assert_eq!(second.await.unwrap(), Ok(2));
    assert_eq!(slow.value.load(Ordering::SeqCst), 3);
    // What is done behind the cancelled caller's back is done before the next
    // command of this connection, so there is nothing to wait for.
    assert_eq!(slow.read(7).await, Ok(3), "the older put stands");
}

#[tokio::test]
async fn who_comes_after_another_process_invalidated_does_not_share_an_older_none() {
    let server = RedisServer::start();
    let (reader, writer) = (on(&server).await, on(&server).await);
    let value = Arc::new(AtomicU64::new(0));
    let gate = Arc::new(Semaphore::new(0));
    let begun = Arc::new(Semaphore::new(0));
    let read = || {
        let (cache, value) = (reader.cache(), Arc::clone(&value));
        let (gate, begun) = (Arc::clone(&gate), Arc::clone(&begun));
        tokio::spawn(async move {
            let load = || async {
                let found = Some(value.load(Ordering::SeqCst)).filter(|found| *found > 0);
                begun.add_permits(1);
                pass(gate).await;
                Ok::<_, ()>(found)
            };
            cache.get_or_load("k", policy(), load).await
        })
    };
    let early = read();
    pass(Arc::clone(&begun)).await;
    value.store(1, Ordering::SeqCst);
    assert!(writer.cache().remove("k").await.unwrap(), "the lease");
    let late = read();
    while reader.observe().method("cache").waits < 1 {
        tokio::task::yield_now().await;
    }
    gate.add_permits(2);
    assert_eq!(early.await.unwrap(), Ok(None));
    assert_eq!(late.await.unwrap(), Ok(Some(1)));
}

#[tokio::test]
async fn shutdown_lets_a_removal_end() {
    let server = RedisServer::start();
    let runtime = on(&server).await;
    let cache = runtime.cache();
    let keys: Vec<_> = (0..5_000).map(|id| format!("many:{id}")).collect();
    let entries = keys.iter().map(|key| (key.as_str(), &1_u8));
    cache
        .set_many(entries, Duration::from_secs(600))
        .await
        .unwrap();
    hold_writes(&server);
    let clear = tokio::spawn(cache.clear("many:*").into_future());
    received(&server, "unlink").await;
    let shutdown = tokio::spawn({
        let runtime = runtime.clone();
        async move { runtime.shutdown(PATIENCE).await }
    });
    // Time enough for a shutdown that does not wait.
    eventually_or_not(Duration::from_millis(300), || runtime.health().is_err()).await;
    go_on(&server);
    assert_eq!(
        clear.await.unwrap().map_err(|error| error.kind()),
        Ok(5_000)
    );
    shutdown.await.unwrap();
}

#[tokio::test]
async fn shutdown_waits_for_a_set() {
    let server = RedisServer::start();
    let runtime = on(&server).await;
    let cache = runtime.cache();
    hold_writes(&server);
    let set = tokio::spawn(async move { cache.set("key", &1_u8, Duration::from_secs(60)).await });
    received(&server, "set").await;
    let shutdown = tokio::spawn({
        let runtime = runtime.clone();
        async move { runtime.shutdown(PATIENCE).await }
    });
    // Time enough for a shutdown that does not wait.
    eventually_or_not(Duration::from_millis(300), || shutdown.is_finished()).await;
    assert!(!shutdown.is_finished(), "it did not wait");
    go_on(&server);
    set.await.unwrap().unwrap();
    shutdown.await.unwrap();
}

async fn eventually_or_not(longest: Duration, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() && start.elapsed() < longest {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_lease_that_the_server_refuses_is_refused_at_the_start() {
    let server = RedisServer::start();
    let runtime = Runtime::builder()
        .redis(server.url())
        .lease(Duration::MAX)
        .build()
        .await;
    // Either it is said, or it works.
    let Ok(runtime) = runtime else { return };
    let load = || async { Ok::<_, ()>(1_u64) };
    for _ in 0..2 {
        runtime
            .cache()
            .get_or_load("k", policy(), load)
            .await
            .unwrap();
    }
    assert_eq!(runtime.observe().method("cache").loads, 1);
}

#[test]
fn health_is_bad_when_the_tokio_runtime_of_the_connection_is_gone() {
    let server = RedisServer::start();
    let first = tokio::runtime::Runtime::new().unwrap();
    let runtime = first.block_on(on(&server));
    runtime.health().unwrap();
    drop(first);
    assert!(runtime.health().is_err());
}

#[test]
fn the_embedded_store_needs_no_tokio_runtime() {
    let source = Source::new(Runtime::embedded());
    let gate = Arc::new(Semaphore::new(0));
    let mut put = Box::pin(source.replace(7, pass(Arc::clone(&gate))));
    let mut context = Context::from_waker(Waker::noop());
    assert!(put.as_mut().poll(&mut context).is_pending());
    // The put holds the lease; a reader has to wait for it somehow.
    let mut read: Pin<Box<dyn Future<Output = _>>> = Box::pin(source.read(7));
    let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        read.as_mut().poll(&mut context).is_pending()
    }));
    assert!(polled.is_ok(), "a cached call panicked");
}

#[tokio::test]
async fn a_none_that_is_not_kept_costs_the_next_caller_no_pause() {
    let server = RedisServer::start();
    let cache = on(&server).await.cache();
    let start = Instant::now();
    for _ in 0..200 {
        let none = cache.get_or_load("k", policy(), || async { Ok::<Option<u64>, ()>(None) });
        assert_eq!(none.await, Ok(None));
    }
    let of_none = start.elapsed();
    let start = Instant::now();
    for id in 0..200 {
        let some = cache.get_or_load(format!("k{id}"), policy(), || async {
            Ok::<_, ()>(Some(id))
        });
        assert_eq!(some.await, Ok(Some(id)));
    }
    let of_loads = start.elapsed();
    assert!(
        of_none < of_loads * 2,
        "200 loads of nothing took {of_none:?}, 200 stored loads {of_loads:?}"
    );
}
