//! Calls that do not come to their usual end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cacheable_runtime::{ManualClock, Runtime, cache_invalidate, cacheable};
use cacheable_tests::eventually;
use tokio::sync::Semaphore;

use crate::on_every_store;
use crate::stores::{PATIENCE, Store};

on_every_store![
    a_write_that_is_cancelled_leaves_no_old_value,
    a_write_that_panics_leaves_no_old_value,
    a_write_that_never_began_removes_nothing,
    a_value_that_is_not_kept_is_removed_by_its_tags_all_the_same,
];

#[derive(Clone)]
struct Table {
    runtime: Runtime,
    version: Arc<AtomicU64>,
    loads: Arc<AtomicU64>,
    gate: Arc<Semaphore>,
}

impl Table {
    fn new(runtime: Runtime) -> Self {
        Self {
            runtime,
            version: Arc::new(AtomicU64::new(1)),
            loads: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
        }
    }

    #[cacheable(ttl = 600, key_prefix = "cut", runtime = self.runtime)]
    pub(crate) async fn read(&self, id: u32) -> u64 {
        let _ = id;
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.version.load(Ordering::SeqCst)
    }

    /// Writes, and then does as `wait` says.
    #[cache_invalidate(method(Self::read(id)), runtime = self.runtime)]
    async fn write(&self, id: u32, wait: impl Future<Output = ()>) {
        let _ = id;
        self.version.fetch_add(1, Ordering::SeqCst);
        wait.await;
    }

    #[cacheable(
        ttl = 600,
        key_prefix = "cut",
        tags = ["version:{value}"],
        unless = |_| true,
        runtime = self.runtime
    )]
    async fn unkept(&self) -> u64 {
        let version = self.version.load(Ordering::SeqCst);
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.gate.acquire().await.unwrap().forget();
        version
    }
}

/// The database may have it already.
async fn a_write_that_is_cancelled_leaves_no_old_value(store: Store) {
    let table = Table::new(store.runtime().await);
    assert_eq!(table.read(7).await, 1);
    let writing = tokio::spawn({
        let table = table.clone();
        async move { table.write(7, std::future::pending()).await }
    });
    eventually("it has written", PATIENCE, async || {
        table.version.load(Ordering::SeqCst) == 2
    })
    .await;
    assert_eq!(table.read(7).await, 1, "it has not ended");
    writing.abort();
    writing.await.unwrap_err();
    eventually("the old value is gone", PATIENCE, async || {
        table.read(7).await == 2
    })
    .await;
}

async fn a_write_that_panics_leaves_no_old_value(store: Store) {
    let table = Table::new(store.runtime().await);
    assert_eq!(table.read(7).await, 1);
    let writing = tokio::spawn({
        let table = table.clone();
        async move { table.write(7, async { panic!("planned") }).await }
    });
    assert!(writing.await.unwrap_err().is_panic());
    eventually("the old value is gone", PATIENCE, async || {
        table.read(7).await == 2
    })
    .await;
}

async fn a_write_that_never_began_removes_nothing(store: Store) {
    let table = Table::new(store.runtime().await);
    assert_eq!(table.read(7).await, 1);
    drop(table.write(7, std::future::pending()));
    assert_eq!(table.read(7).await, 1);
    assert_eq!(table.loads.load(Ordering::SeqCst), 1);
}

/// Those who wait for it may have come after the removal.
async fn a_value_that_is_not_kept_is_removed_by_its_tags_all_the_same(store: Store) {
    let table = Table::new(store.runtime().await);
    let read = || {
        let table = table.clone();
        tokio::spawn(async move { table.unkept().await })
    };
    let early = read();
    eventually("it loads", PATIENCE, async || {
        table.loads.load(Ordering::SeqCst) == 1
    })
    .await;
    table.version.fetch_add(1, Ordering::SeqCst);
    let cache = table.runtime.cache();
    cache.invalidate_tag("version:1").await.unwrap();
    let late = read();
    eventually("it waits", PATIENCE, async || {
        table.runtime.observe().method("cut.unkept").waits == 1
    })
    .await;
    table.gate.add_permits(2);
    assert_eq!(early.await.unwrap(), 1);
    assert_eq!(late.await.unwrap(), 2, "it came after the removal");
}

#[cacheable(ttl = 600, key_prefix = "cut", load_timeout = "10s", runtime = runtime)]
async fn patient(runtime: &Runtime, id: u32) -> Option<u32> {
    Some(id)
}

/// Without a timer there is no deadline.
#[test]
fn a_load_with_a_deadline_needs_no_tokio_runtime() {
    let runtime = Runtime::embedded();
    let mut call = std::pin::pin!(patient(&runtime, 7));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let polled = call.as_mut().poll(&mut context);
    assert_eq!(polled, std::task::Poll::Ready(Some(7)));
}

#[cacheable(
    ttl = 60,
    jitter = 0.0,
    key_prefix = "cut",
    stale_while_revalidate = 60,
    skip(table),
    runtime = table.runtime
)]
async fn behind(table: Table) -> u64 {
    tokio::time::sleep(Duration::from_millis(1)).await;
    table.version.load(Ordering::SeqCst)
}

/// It is refreshed where it is called.
#[test]
fn a_runtime_that_was_built_before_tokio_refreshes_in_the_background() {
    let clock = ManualClock::new();
    let built = ready(Runtime::builder().clock(&clock).build());
    let table = Table::new(built.unwrap());
    let tokio = tokio::runtime::Runtime::new().unwrap();
    tokio.block_on(async {
        assert_eq!(behind(table.clone()).await, 1);
        table.version.fetch_add(1, Ordering::SeqCst);
        clock.advance(Duration::from_secs(70));
        eventually("it is refreshed", PATIENCE, async || {
            behind(table.clone()).await == 2
        })
        .await;
    });
}

/// What is ready at once.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("it waits"),
    }
}
