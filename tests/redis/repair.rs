//! Removals that the server did not hear of are made up for.

use std::time::Duration;

use cacheable_runtime::{Cache, Policy, Runtime};
use cacheable_tests::{RedisServer, eventually};

use crate::service::PATIENCE;

const LONG: Duration = Duration::from_secs(600);

async fn runtime(server: &RedisServer) -> Runtime {
    let builder = Runtime::builder().redis(server.url()).budget(PATIENCE);
    builder.require_connection().build().await.unwrap()
}

async fn read(cache: &Cache, key: &str, value: u64) -> u64 {
    let policy = Policy::new(LONG).tag("all");
    let load = async || Ok::<_, ()>(value);
    cache.get_or_load(key, policy, load).await.unwrap()
}

/// Breaks every connection, and lets nobody in until the returned value says so.
pub(crate) struct ShutOut<'a>(&'a RedisServer, redis::Connection);

impl<'a> ShutOut<'a> {
    pub(crate) fn new(server: &'a RedisServer) -> Self {
        let mut admin = server.connect();
        let () = redis::cmd("CONFIG")
            .arg(&["SET", "requirepass", "secret"])
            .query(&mut admin)
            .unwrap();
        let kill = ["KILL", "TYPE", "normal", "SKIPME", "yes"];
        let _: u64 = redis::cmd("CLIENT").arg(&kill).query(&mut admin).unwrap();
        Self(server, admin)
    }

    pub(crate) fn lets_in(mut self) -> &'a RedisServer {
        let () = redis::cmd("CONFIG")
            .arg(&["SET", "requirepass", ""])
            .query(&mut self.1)
            .unwrap();
        self.0
    }
}

pub(crate) async fn is_shut_out(runtime: &Runtime) {
    eventually("the connection is lost", PATIENCE, async || {
        runtime.health().is_err()
    })
    .await;
}

#[tokio::test]
async fn a_removal_is_delivered_and_until_then_its_process_does_without() {
    let server = RedisServer::start();
    let (here, elsewhere) = (runtime(&server).await, runtime(&server).await);
    let caches = [here.cache(), elsewhere.cache()];
    for key in ["key", "tagged", "cache:p:whole", "pat:tern"] {
        for cache in &caches {
            assert_eq!(read(cache, key, 1).await, 1);
        }
    }
    let shut_out = ShutOut::new(&server);
    is_shut_out(&here).await;
    let cache = here.cache();
    assert!(cache.remove("key").await.unwrap_err().is_unavailable() || here.health().is_err());
    assert!(cache.invalidate_tag("all").await.is_err());
    assert!(cache.clear("cache:p:*").await.is_err());
    assert!(cache.clear("pat:*").await.is_err());
    for key in ["key", "tagged", "cache:p:whole", "pat:tern"] {
        assert_eq!(
            read(&cache, key, 2).await,
            2,
            "{key}: an old value was read"
        );
    }
    shut_out.lets_in();
    eventually("others hear of it", PATIENCE, async || {
        let mut all = true;
        for key in ["key", "tagged", "cache:p:whole", "pat:tern"] {
            all &= read(&caches[1], key, 3).await != 1;
        }
        all && elsewhere.health().is_ok()
    })
    .await;
    for key in ["key", "tagged", "cache:p:whole", "pat:tern"] {
        assert_ne!(read(&cache, key, 4).await, 1, "{key}");
    }
}

/// More than are kept apart: everything beside them goes, too.
#[tokio::test]
async fn too_many_removals_take_their_prefixes_along() {
    let server = RedisServer::start();
    let runtime = runtime(&server).await;
    let cache = runtime.cache();
    cache.set("many:beside", &1, LONG).await.unwrap();
    cache.set("other:key", &1, LONG).await.unwrap();
    let shut_out = ShutOut::new(&server);
    is_shut_out(&runtime).await;
    for id in 0..10_100 {
        cache.remove(format!("many:{id}")).await.unwrap_err();
    }
    // Until then it is not read.
    assert_eq!(cache.get::<i32>("many:beside").await.ok().flatten(), None);
    let server = shut_out.lets_in();
    eventually("it is removed", PATIENCE, async || {
        let beside: Option<Vec<u8>> = server.command(&["GET", "many:beside"]);
        beside.is_none()
    })
    .await;
    eventually("the server is used", PATIENCE, async || {
        matches!(cache.get::<i32>("other:key").await, Ok(Some(1)))
    })
    .await;
}

#[tokio::test]
async fn a_shutdown_delivers_what_it_can() {
    let server = RedisServer::start();
    let runtime = runtime(&server).await;
    let cache = runtime.cache();
    cache.set("key", &1, LONG).await.unwrap();
    let shut_out = ShutOut::new(&server);
    is_shut_out(&runtime).await;
    cache.remove("key").await.unwrap_err();
    let server = shut_out.lets_in();
    runtime.shutdown(PATIENCE).await;
    let left: Option<Vec<u8>> = server.command(&["GET", "key"]);
    assert_eq!(left, None);
}
