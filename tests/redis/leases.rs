//! A load that lives keeps its lease; one that died does not keep others.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use cacheable_runtime::{Cache, Policy};
use cacheable_tests::{Of, Proxy, RedisServer, eventually, hung_load};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::service::{PATIENCE, Service, level_two};
use crate::wire::calls;

const SHORT: Duration = Duration::from_millis(200);

async fn cache(server: &RedisServer) -> Cache {
    let builder = level_two().redis(server.url()).lease(SHORT);
    builder.require_connection().build().await.unwrap().cache()
}

/// A call in a task of its own that would load `value`.
fn call(cache: &Cache, value: u64) -> JoinHandle<Result<u64, ()>> {
    let cache = cache.clone();
    let policy = Policy::new(Duration::from_secs(600));
    tokio::spawn(async move { cache.get_or_load("key", policy, async || Ok(value)).await })
}

/// Waits until leases were renewed so often, which takes a third of their life each time.
async fn renewed(server: &RedisServer, times: u64) {
    let before = calls(server, "pexpire");
    eventually("the lease is renewed", PATIENCE, async || {
        calls(server, "pexpire") >= before + times
    })
    .await;
}

#[tokio::test]
async fn a_body_that_takes_longer_than_the_lease_keeps_it() {
    let server = RedisServer::start();
    let first = cache(&server).await;
    let second = cache(&server).await;
    let (begun, has_begun) = oneshot::channel();
    let (release, released) = oneshot::channel();
    let loader = tokio::spawn(async move {
        let load = async move || {
            begun.send(()).unwrap();
            released.await.unwrap();
            Ok::<u64, ()>(1)
        };
        let policy = Policy::new(Duration::from_secs(600));
        first.get_or_load("key", policy, load).await
    });
    has_begun.await.unwrap();
    let waiter = call(&second, 2);
    // Three lives of the lease.
    renewed(&server, 9).await;
    assert!(!waiter.is_finished(), "it did not wait for the load");
    release.send(()).unwrap();
    assert_eq!(loader.await.unwrap(), Ok(1));
    assert_eq!(waiter.await.unwrap(), Ok(1), "it loaded by itself");
    assert_eq!(second.get("key").await.unwrap(), Some(1_u64));
}

/// The control of the test above, and of the one below.
#[tokio::test]
async fn a_lease_that_nobody_renews_ends() {
    let server = RedisServer::start();
    let cache = cache(&server).await;
    foreign_lease(&server, SHORT).await;
    let waiter = call(&cache, 2);
    let outcome = tokio::time::timeout(PATIENCE, waiter).await;
    assert_eq!(outcome.expect("it waits no longer").unwrap(), Ok(2));
    assert_eq!(cache.get("key").await.unwrap(), Some(2_u64));
}

#[tokio::test]
async fn who_waits_for_a_lease_waits_as_long_as_it_lives() {
    let server = RedisServer::start();
    let cache = cache(&server).await;
    foreign_lease(&server, Duration::from_secs(600)).await;
    let waiter = call(&cache, 2);
    let before = calls(&server, "get");
    eventually("it looks again and again", PATIENCE, async || {
        calls(&server, "get") > before + 20
    })
    .await;
    assert!(!waiter.is_finished());
    // An invalidation takes the lease away, and with it the wait.
    server.command::<()>(&["UNLINK", "key"]);
    assert_eq!(waiter.await.unwrap(), Ok(2));
}

/// Puts under `key` the bytes of a lease whose holder is unknown.
async fn foreign_lease(server: &RedisServer, life: Duration) {
    let holder = cache(server).await;
    let held = hung_load(&holder, "other").await;
    // A lease is not bound to its key.
    let life = life.as_millis().to_string();
    server.command::<()>(&["COPY", "other", "key"]);
    server.command::<()>(&["PEXPIRE", "key", &life]);
    held.abort();
}

/// A process that loads and never ends.
struct Holder(Child);

impl Holder {
    fn start(server: &RedisServer, key: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_child"))
            .args(["hold", key])
            .env("REDIS_URL", server.url())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut said).unwrap();
        assert_eq!(said, "begun\n");
        Self(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test]
async fn a_process_that_is_killed_in_its_load_is_replaced() {
    let server = RedisServer::start();
    let cache = cache(&server).await;
    let holder = Holder::start(&server, "key");
    let waiter = call(&cache, 2);
    renewed(&server, 6).await;
    assert!(
        !waiter.is_finished(),
        "it did not wait for the other process"
    );
    drop(holder);
    let outcome = tokio::time::timeout(PATIENCE, waiter).await;
    assert_eq!(outcome.expect("it waits no longer").unwrap(), Ok(2));
    assert_eq!(cache.get("key").await.unwrap(), Some(2_u64));
}

/// Two bodies that call each other, each loading what the other waits for.
#[tokio::test]
async fn bodies_in_two_processes_that_call_each_other_do_not_wait_for_ever() {
    let server = RedisServer::start();
    let barrier = Arc::new(tokio::sync::Barrier::new(2));
    let crossing = |cache: Cache, own: &'static str, other: &'static str| {
        let barrier = Arc::clone(&barrier);
        tokio::spawn(async move {
            let policy = || Policy::new(Duration::from_secs(600));
            let load = async || {
                barrier.wait().await;
                cache
                    .get_or_load(other, policy(), async || Ok::<_, ()>(1))
                    .await
            };
            cache.get_or_load(own, policy(), load).await
        })
    };
    let both = [
        crossing(cache(&server).await, "a", "b"),
        crossing(cache(&server).await, "b", "a"),
    ];
    for one in both {
        let crossed = tokio::time::timeout(PATIENCE, one).await;
        assert_eq!(crossed.expect("they wait for each other").unwrap(), Ok(1));
    }
}

#[tokio::test]
async fn a_lease_counts_as_no_value_for_anybody() {
    let server = RedisServer::start();
    let service = Service::on(&server).await;
    foreign_lease(&server, Duration::from_secs(600)).await;
    let cache = service.runtime.cache();
    assert_eq!(cache.get::<u64>("key").await.unwrap(), None);
    assert!(cache.inspect("key").await.unwrap().unwrap().lease);
    assert!(cache.remove("key").await.unwrap());
}

#[tokio::test]
async fn the_body_of_a_put_waits_for_its_own_lease_no_longer_than_it_lives() {
    let server = RedisServer::start();
    let builder = level_two().redis(server.url()).lease(SHORT);
    let service = Arc::new(Service::with(builder).await);
    let reader = Arc::clone(&service);
    let put = service.replace_with(1, async move { reader.read(1).await.unwrap() });
    let value = tokio::time::timeout(PATIENCE, put).await;
    assert_eq!(value.expect("it waits for itself").unwrap(), 1);
    assert_eq!(service.read(1).await.unwrap(), 1);
}

/// Looking at it again costs time, too, but not the time that a call has for
/// the server: it is the load that takes so long.
#[tokio::test]
async fn who_waits_far_from_the_server_waits_as_long_as_it_lives() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let builder = level_two().redis(proxy.url()).lease(SHORT);
    let far = builder.require_connection().build().await.unwrap().cache();
    foreign_lease(&server, Duration::from_secs(600)).await;
    proxy.delay(Of::All, Duration::from_millis(10));
    let waiter = call(&far, 2);
    let before = calls(&server, "get");
    eventually("it looks again and again", PATIENCE, async || {
        waiter.is_finished() || calls(&server, "get") > before + 12
    })
    .await;
    assert!(!waiter.is_finished(), "it loaded by itself");
    server.command::<()>(&["UNLINK", "key"]);
    assert_eq!(waiter.await.unwrap(), Ok(2));
}

/// One lease that cannot be removed does not keep the others.
#[tokio::test]
async fn a_lease_in_whose_place_is_something_else_keeps_no_other() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let builder = level_two()
        .redis(proxy.url())
        .lease(Duration::from_secs(3600));
    let cache = builder.require_connection().build().await.unwrap().cache();
    let hang = |key: &'static str| {
        let cache = cache.clone();
        tokio::spawn(async move {
            let load = async || std::future::pending::<Result<u64, ()>>().await;
            let policy = Policy::new(Duration::from_secs(600));
            cache.get_or_load(key, policy, load).await
        })
    };
    let mut loads = Vec::new();
    for key in ["first", "second"] {
        loads.push(hang(key));
        eventually("it loads", PATIENCE, async || {
            server.command::<bool>(&["EXISTS", key])
        })
        .await;
    }
    proxy.refuse();
    for load in loads {
        load.abort();
        drop(load.await);
    }
    server.command::<()>(&["DEL", "first"]);
    server.command::<()>(&["HSET", "first", "field", "value"]);
    proxy.forward();
    eventually("the other lease goes", PATIENCE, async || {
        !server.command::<bool>(&["EXISTS", "second"])
    })
    .await;
}
