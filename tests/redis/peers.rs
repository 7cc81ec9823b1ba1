//! What one process has to know of the others.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use cacheable_runtime::{Builder, Cache, Policy, Runtime, cache_put, cacheable};
use cacheable_tests::{Of, Proxy, RedisServer, eventually};
use serde::{Deserialize, Deserializer, Serialize};

use crate::service::PATIENCE;

const LONG: Duration = Duration::from_secs(600);

async fn build(builder: Builder) -> Runtime {
    builder.require_connection().build().await.unwrap()
}

async fn on(server: &RedisServer) -> Runtime {
    build(Runtime::builder().redis(server.url()).budget(PATIENCE)).await
}

async fn tagged(cache: &Cache, value: u64) -> u64 {
    let policy = Policy::new(LONG).tag("tag");
    let load = async || Ok::<_, ()>(value);
    cache.get_or_load("key", policy, load).await.unwrap()
}

/// Where nobody may have changes told, nothing that was told is believed.
#[tokio::test]
async fn who_is_told_nothing_asks_for_removals_by_tag() {
    let server = RedisServer::start();
    let user = ["ACL", "SETUSER", "deaf", "on", ">deaf", "~*", "&*", "+@all"];
    // Redis 6.2 can allow a subcommand, but not forbid one.
    server.command::<()>(&[&user[..], &["-client", "+client|setname"]].concat());
    let url = format!("redis://deaf:deaf@127.0.0.1:{}/", server.port());
    let deaf = build(Runtime::builder().redis(url).budget(PATIENCE)).await;
    let other = on(&server).await;
    for round in 1..4 {
        assert_eq!(tagged(&deaf.cache(), round).await, round);
        assert_eq!(tagged(&deaf.cache(), 0).await, round, "it is kept");
        other.cache().invalidate_tag("tag").await.unwrap();
    }
}

struct Service(Runtime);

impl Service {
    #[cacheable(ttl = 600, key_prefix = "peers", runtime = self.0)]
    pub(crate) async fn read(&self, id: u64) -> u64 {
        let _ = id;
        0
    }

    #[cache_put(method(Self::read(id)), runtime = self.0)]
    async fn replace(&self, id: u64, value: u64) -> u64 {
        let _ = id;
        value
    }
}

/// The removal was before them.
#[tokio::test]
async fn what_is_stored_after_another_process_removed_the_prefix_is_there() {
    let server = RedisServer::start();
    let (here, other) = (Service(on(&server).await), on(&server).await);
    let cache = here.0.cache();
    let clear = async || {
        let clear = other.cache().clear("cache:peers:*");
        clear.without_waiting().await.unwrap();
        // It is told before this is answered.
        assert_eq!(cache.get::<u64>("any").await.unwrap(), None);
    };
    clear().await;
    cache.set(Service::read_key(1), &5_u64, LONG).await.unwrap();
    assert_eq!(cache.get(Service::read_key(1)).await.unwrap(), Some(5_u64));
    clear().await;
    let key = Service::read_key(2);
    cache.set_many([(key, &6_u64)], LONG).await.unwrap();
    assert_eq!(cache.get(Service::read_key(2)).await.unwrap(), Some(6_u64));
    clear().await;
    here.replace(3, 7).await;
    assert_eq!(here.read(3).await, 7);
}

/// Stands still while it is read, from when it is told to.
#[derive(Clone, Serialize)]
struct Slow(u64);

static HOLDS: AtomicBool = AtomicBool::new(false);
static HELD: Mutex<bool> = Mutex::new(false);
static CHANGED: Condvar = Condvar::new();

impl<'de> Deserialize<'de> for Slow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = u64::deserialize(deserializer)?;
        if HOLDS.swap(false, Ordering::SeqCst) {
            tokio::task::block_in_place(|| {
                let mut held = HELD.lock().unwrap();
                *held = true;
                drop(CHANGED.wait_while(held, |held| *held).unwrap());
            });
        }
        Ok(Self(value))
    }
}

async fn slow(cache: &Cache, policy: Policy, value: u64) -> u64 {
    let load = async || Ok::<_, ()>(Slow(value));
    let loaded = cache.get_or_load("slow", policy, load).await;
    loaded.unwrap().0
}

/// Who asks does not name the tag; the entry has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_look_up_hands_over_nothing_whose_tag_was_removed_meanwhile() {
    let server = RedisServer::start();
    let (here, other) = (on(&server).await, on(&server).await);
    let named = Policy::new(LONG).tag("tag");
    assert_eq!(slow(&other.cache(), named, 1).await, 1);
    HOLDS.store(true, Ordering::SeqCst);
    let look = |value| {
        let cache = here.cache();
        tokio::spawn(async move { slow(&cache, Policy::new(LONG), value).await })
    };
    let early = look(2);
    eventually("it has read the entry", PATIENCE, async || {
        *HELD.lock().unwrap()
    })
    .await;
    here.cache().invalidate_tag("tag").await.unwrap();
    let late = look(2);
    eventually("it has joined", PATIENCE, async || {
        here.observe().method("cache").waits == 1
    })
    .await;
    *HELD.lock().unwrap() = false;
    CHANGED.notify_all();
    assert_eq!(early.await.unwrap(), 1);
    assert_eq!(late.await.unwrap(), 2, "it came after the removal");
}

/// A server that answers, but later than any call can wait for it.
#[tokio::test]
async fn a_server_that_is_always_late_is_left_alone() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let budget = Duration::from_millis(100);
    let builder = Runtime::builder().redis(proxy.url()).budget(budget);
    let cache = build(builder).await.cache();
    proxy.delay(Of::All, Duration::from_millis(250));
    let mut late = 0;
    let began = Instant::now();
    let mut call = 0_u64;
    while began.elapsed() < Duration::from_secs(5) {
        call += 1;
        let called = Instant::now();
        let load = async || Ok::<_, ()>(call);
        let policy = Policy::new(LONG).local(false);
        cache
            .get_or_load(format!("key:{call}"), policy, load)
            .await
            .unwrap();
        late += u32::from(called.elapsed() >= budget);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(
        (1..=6).contains(&late),
        "{late} calls of {call} waited for it"
    );
}
