//! What stands in for a load that fails while the server is away: only what
//! nobody had removed before.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cacheable_runtime::{Runtime, cacheable};
use cacheable_tests::{RedisServer, eventually};

use crate::source::Broken;
use crate::stores::PATIENCE;

#[derive(Clone)]
pub(crate) struct Service {
    runtime: Runtime,
    /// 0 while the database is away, too.
    version: Arc<AtomicU64>,
}

impl Service {
    async fn on(server: &RedisServer) -> Self {
        let builder = Runtime::builder().redis(server.url());
        let runtime = builder.require_connection().build().await;
        Self {
            runtime: runtime.expect("the server is up"),
            version: Arc::new(AtomicU64::new(1)),
        }
    }

    #[cacheable(
        ttl = 600,
        stale_if_error = 600,
        tags = ["all"],
        key_prefix = "away",
        runtime = self.runtime
    )]
    pub(crate) async fn read(&self, id: u32) -> Result<u64, Broken> {
        let _ = id;
        match self.version.load(Ordering::SeqCst) {
            0 => Err(Broken),
            version => Ok(version),
        }
    }

    /// Waits until level 1 answers.
    async fn is_kept(&self, id: u32) {
        let hits = || self.runtime.observe().method("away.read").hits_local;
        eventually("level 1 has it", PATIENCE, async || {
            let before = hits();
            let read = self.read(id).await;
            read.is_ok() && hits() > before
        })
        .await;
    }

    /// The server goes away, and the database with it.
    async fn left_alone(&self, server: &RedisServer) {
        server.kill();
        eventually("the loss is noticed", PATIENCE, async || {
            self.runtime.health().is_err()
        })
        .await;
        self.version.store(0, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn what_nobody_has_removed_stands_in() {
    let server = RedisServer::start();
    let s = Service::on(&server).await;
    s.is_kept(1).await;
    s.left_alone(&server).await;
    assert_eq!(s.read(1).await, Ok(1));
    assert_eq!(s.read(2).await, Err(Broken));
}

#[tokio::test]
async fn what_this_process_has_removed_does_not() {
    let server = RedisServer::start();
    let s = Service::on(&server).await;
    for id in [1, 2, 3] {
        s.is_kept(id).await;
    }
    let cache = s.runtime.cache();
    cache.remove(Service::read_key(1)).await.unwrap();
    s.left_alone(&server).await;
    assert_eq!(s.read(1).await, Err(Broken));
    assert_eq!(s.read(2).await, Ok(1));
    // What does not reach the server counts as well.
    cache.remove(Service::read_key(2)).await.unwrap_err();
    assert_eq!(s.read(2).await, Err(Broken));
    cache.invalidate_tag("all").await.unwrap_err();
    assert_eq!(s.read(3).await, Err(Broken));
}

#[tokio::test]
async fn what_was_removed_by_its_tag_before_the_loss_does_not() {
    let server = RedisServer::start();
    let s = Service::on(&server).await;
    s.is_kept(1).await;
    s.runtime.cache().invalidate_tag("all").await.unwrap();
    s.left_alone(&server).await;
    assert_eq!(s.read(1).await, Err(Broken));
}

#[tokio::test]
async fn what_was_removed_with_its_prefix_before_the_loss_does_not() {
    let server = RedisServer::start();
    let s = Service::on(&server).await;
    s.is_kept(1).await;
    let clear = s.runtime.cache().clear("cache:away:*");
    clear.without_waiting().await.unwrap();
    s.left_alone(&server).await;
    assert_eq!(s.read(1).await, Err(Broken));
}

/// Its changes were not told to this process any more.
#[tokio::test]
async fn what_is_from_before_an_earlier_loss_does_not() {
    let server = RedisServer::start();
    let s = Service::on(&server).await;
    s.is_kept(1).await;
    server.kill();
    server.restart();
    let other = Service::on(&server).await;
    other
        .runtime
        .cache()
        .remove(Service::read_key(1))
        .await
        .unwrap();
    eventually("the server is back", PATIENCE, async || {
        s.runtime.health().is_ok()
    })
    .await;
    s.left_alone(&server).await;
    assert_eq!(s.read(1).await, Err(Broken));
}
