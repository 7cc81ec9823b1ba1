//! The races that the protocol closes, beside what they do to a cache without it.
//!
//! Each interleaving is run twice: through annotated methods, and through the
//! usual `GET`, load, `SET`, where it must show the old value. A control that
//! does not would say that the interleaving proves nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cacheable_runtime::{Cache, Runtime, cacheable};
use cacheable_tests::RedisServer;
use redis::{Commands, Connection};

use crate::service::level_two;
use tokio::sync::{Semaphore, watch};

/// The database: a version, and loads that stop after they have read it.
struct Table {
    version: AtomicU64,
    begun: watch::Sender<u64>,
    gates: [Semaphore; 3],
}

impl Table {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            version: AtomicU64::new(1),
            begun: watch::Sender::new(0),
            gates: [const { Semaphore::const_new(0) }; 3],
        })
    }

    async fn begun(&self, loads: u64) {
        let mut begun = self.begun.subscribe();
        begun.wait_for(|begun| *begun >= loads).await.unwrap();
    }

    fn release(&self, load: usize) {
        self.gates[load - 1].add_permits(1);
    }

    async fn load(&self) -> u64 {
        let version = self.version.load(Ordering::SeqCst);
        let mut load = 0;
        self.begun.send_modify(|begun| {
            *begun += 1;
            load = *begun;
        });
        let gate = &self.gates[usize::try_from(load).unwrap() - 1];
        gate.acquire().await.unwrap().forget();
        version
    }

    fn write(&self) {
        self.version.fetch_add(1, Ordering::SeqCst);
    }
}

/// One process of a service over the table.
struct Node {
    runtime: Runtime,
    table: Arc<Table>,
}

impl Node {
    async fn start(server: &RedisServer, table: &Arc<Table>) -> Arc<Self> {
        let runtime = level_two().redis(server.url()).build().await;
        Arc::new(Self {
            runtime: runtime.unwrap(),
            table: Arc::clone(table),
        })
    }

    #[cacheable(ttl = 600, key_prefix = "node", runtime = self.runtime)]
    pub(crate) async fn read(&self) -> u64 {
        self.table.load().await
    }

    fn call(self: &Arc<Self>) -> tokio::task::JoinHandle<u64> {
        let node = Arc::clone(self);
        tokio::spawn(async move { node.read().await })
    }

    fn cache(&self) -> Cache {
        self.runtime.cache()
    }
}

/// What many services do by hand.
struct Aside(Connection);

impl Aside {
    fn get(&mut self) -> Option<u64> {
        self.0.get("aside").unwrap()
    }

    fn set(&mut self, value: u64) {
        let () = self.0.set("aside", value).unwrap();
    }
}

#[tokio::test]
async fn a_load_is_overtaken_by_an_invalidation() {
    let server = RedisServer::start();
    let table = Table::new();
    let (first, second) = (
        Node::start(&server, &table).await,
        Node::start(&server, &table).await,
    );
    let old = first.call();
    table.begun(1).await;
    table.write();
    second.cache().clear("cache:node:*").await.unwrap();
    table.release(1);
    assert_eq!(old.await.unwrap(), 1);
    table.release(2);
    assert_eq!(second.read().await, 2);
    assert_eq!(first.read().await, 2);
    assert_eq!(table.begun.borrow().to_owned(), 2);
}

#[tokio::test]
async fn without_a_lease_the_old_value_is_kept() {
    let server = RedisServer::start();
    let mut aside = Aside(server.connect());
    let table = Table::new();
    assert_eq!(aside.get(), None);
    let loading = Arc::clone(&table);
    let old = tokio::spawn(async move { loading.load().await });
    table.begun(1).await;
    table.write();
    server.command::<()>(&["UNLINK", "aside"]);
    table.release(1);
    aside.set(old.await.unwrap());
    assert_eq!(aside.get(), Some(1), "the interleaving shows nothing");
}

#[tokio::test]
async fn a_load_is_overtaken_by_an_invalidation_and_the_next_load() {
    let server = RedisServer::start();
    let table = Table::new();
    let (first, second) = (
        Node::start(&server, &table).await,
        Node::start(&server, &table).await,
    );
    let third = Node::start(&server, &table).await;
    let old = first.call();
    table.begun(1).await;
    table.write();
    assert!(third.cache().remove(Node::read_key()).await.unwrap());
    // There is a lease again, but it is another one.
    let new = second.call();
    table.begun(2).await;
    table.release(1);
    assert_eq!(old.await.unwrap(), 1);
    let counts = first.runtime.observe().method("node.read");
    assert_eq!(counts.fills_rejected, 1);
    let reader = third.call();
    table.release(2);
    assert_eq!((new.await.unwrap(), reader.await.unwrap()), (2, 2));
}

/// A marker that says "somebody loads" but not who.
const LOADING: u64 = 0;

#[tokio::test]
async fn with_a_lease_that_names_nobody_the_old_value_is_seen() {
    let server = RedisServer::start();
    let mut aside = Aside(server.connect());
    let fill = |aside: &mut Aside, value| {
        if aside.get() == Some(LOADING) {
            aside.set(value);
        }
    };
    let table = Table::new();
    aside.set(LOADING);
    let load = || {
        let table = Arc::clone(&table);
        tokio::spawn(async move { table.load().await })
    };
    let old = load();
    table.begun(1).await;
    table.write();
    server.command::<()>(&["UNLINK", "aside"]);
    aside.set(LOADING);
    let new = load();
    table.begun(2).await;
    table.release(1);
    fill(&mut aside, old.await.unwrap());
    assert_eq!(aside.get(), Some(1), "the interleaving shows nothing");
    table.release(2);
    new.await.unwrap();
}

#[tokio::test]
async fn without_one_load_per_key_every_caller_loads() {
    let server = RedisServer::start();
    let table = Table::new();
    let callers: Vec<_> = (0..3)
        .map(|_| {
            let (table, mut aside) = (Arc::clone(&table), Aside(server.connect()));
            tokio::spawn(async move {
                match aside.get() {
                    Some(value) => value,
                    None => table.load().await,
                }
            })
        })
        .collect();
    table.begun(3).await;
    for (caller, load) in callers.into_iter().zip(1..) {
        table.release(load);
        caller.await.unwrap();
    }
}
