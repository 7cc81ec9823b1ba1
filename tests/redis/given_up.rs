//! What a connection that was given up had sent, and the network brings when the
//! one after it is in use: nothing of it is carried out.

use std::time::Duration;

use cacheable_runtime::{Policy, Runtime};
use cacheable_tests::{Of, Proxy, RedisServer, eventually};
use tokio::task::JoinSet;

use crate::service::{PATIENCE, level_two};

/// Longer than a test may take.
const LONG: Duration = Duration::from_secs(600);

/// So many that most are given up when the server is left alone already: what would
/// undo them is not sent over the same connection then.
fn keys() -> impl Iterator<Item = String> {
    (0..64).map(|number| format!("key:{number}"))
}

/// One process over a network that keeps what it sends.
struct Stranded {
    server: RedisServer,
    proxy: Proxy,
    runtime: Runtime,
}

impl Stranded {
    async fn new() -> Self {
        let server = RedisServer::start();
        let proxy = Proxy::to(&server);
        let builder = level_two().redis(proxy.url()).lease(LONG);
        let runtime = builder.require_connection().build().await.unwrap();
        Self {
            server,
            proxy,
            runtime,
        }
    }

    /// Waits until other connections are in use.
    async fn is_connected_anew(&self) {
        let cache = self.runtime.cache();
        eventually("other connections are in use", PATIENCE, async || {
            self.proxy.seen().connections > 2 && cache.set("probe", &1, LONG).await.is_ok()
        })
        .await;
    }

    /// Lets what was kept go on its way, and waits until all of it has come.
    async fn brings_the_rest(&self) {
        self.proxy.release();
        eventually("the connections before are closed", PATIENCE, async || {
            let clients: String = self.server.command(&["CLIENT", "LIST"]);
            // The two in use, and the one that asks.
            clients.lines().count() == 3
        })
        .await;
    }
}

#[tokio::test]
async fn an_old_value_does_not_replace_a_newer_one() {
    let stranded = Stranded::new().await;
    let cache = stranded.runtime.cache();
    stranded.proxy.strand(Of::Untracked);
    let mut puts = JoinSet::new();
    for key in keys() {
        let cache = cache.clone();
        puts.spawn(async move { cache.set(key, "old", LONG).await.is_err() });
    }
    assert!(puts.join_all().await.into_iter().all(|failed| failed));
    stranded.is_connected_anew().await;
    let found = async |key: &str| cache.get::<String>(key).await.ok().flatten();
    for key in keys() {
        // What was not answered is removed before that.
        eventually("a newer one is stored", PATIENCE, async || {
            drop(cache.set(key.as_str(), "new", LONG).await);
            found(&key).await.as_deref() == Some("new")
        })
        .await;
    }
    stranded.brings_the_rest().await;
    for key in keys() {
        assert_eq!(found(&key).await.as_deref(), Some("new"), "{key}");
    }
}

#[tokio::test]
async fn leases_that_nobody_holds_are_not_placed() {
    let stranded = Stranded::new().await;
    let cache = stranded.runtime.cache();
    for key in keys() {
        // Then a lease is the first that it asks for.
        cache.remove(key).await.unwrap();
    }
    stranded.proxy.strand(Of::Tracked);
    let mut calls = JoinSet::new();
    for key in keys() {
        let cache = cache.clone();
        calls.spawn(async move {
            let load = async || Ok::<_, ()>(1);
            cache.get_or_load(key, Policy::new(LONG), load).await
        });
    }
    assert_eq!(calls.join_all().await, vec![Ok(1); keys().count()]);
    stranded.is_connected_anew().await;
    stranded.brings_the_rest().await;
    let left: Vec<_> = keys()
        .filter(|key| stranded.server.command::<u64>(&["EXISTS", key.as_str()]) == 1)
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
