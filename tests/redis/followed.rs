//! A server follows no more keys than its table has room for. Of one that it drops
//! for another it tells everybody but the connection whose command it was: `NOLOOP`.

use cacheable_runtime::Runtime;
use cacheable_tests::{RedisServer, eventually};

use crate::service::{PATIENCE, Service};
use crate::wire::calls;

/// Many more than the table holds.
const KEYS: u32 = 200;

/// Far from those that loads are numbered by.
const NEW: u64 = 1_000_000;

/// Two processes, and a server that follows ten keys.
struct Crowd {
    here: Service,
    there: Service,
    others: std::ops::RangeFrom<u32>,
    server: RedisServer,
}

impl Crowd {
    /// Both have read all keys.
    async fn new() -> Self {
        let server = RedisServer::start();
        limit(&server, 10);
        Self::on(server).await.read().await
    }

    /// Both are connected.
    async fn on(server: RedisServer) -> Self {
        let on =
            async || Service::with(Runtime::builder().redis(server.url()).budget(PATIENCE)).await;
        let (here, there) = (on().await, on().await);
        Self {
            here,
            there,
            others: KEYS..,
            server,
        }
    }

    async fn read(self) -> Self {
        for id in 0..KEYS {
            self.here.read(id).await.unwrap();
            self.there.read(id).await.unwrap();
        }
        self
    }

    async fn sees_what_is_replaced(&mut self) {
        for id in 0..KEYS {
            self.there.replace(id, NEW).await.unwrap();
        }
        self.reads("all are the new ones", |value| value == NEW)
            .await;
    }

    /// Waits until all that is read here is as it should be. Meanwhile other keys
    /// are read elsewhere, so that the table stays full.
    async fn reads(&mut self, what: &str, is_right: impl Fn(u64) -> bool) {
        let Self {
            here,
            there,
            others,
            ..
        } = self;
        eventually(what, PATIENCE, async || {
            for id in others.take(20) {
                there.read(id).await.unwrap();
            }
            for id in 0..KEYS {
                if !is_right(here.read(id).await.unwrap()) {
                    return false;
                }
            }
            true
        })
        .await;
    }
}

/// Keys of which the server tells.
fn limit(server: &RedisServer, keys: u64) {
    let keys = keys.to_string();
    server.command::<()>(&["CONFIG", "SET", "tracking-table-max-keys", &keys]);
}

#[tokio::test]
async fn what_a_full_table_dropped_is_not_answered_with_after_a_change() {
    Crowd::new().await.sees_what_is_replaced().await;
}

#[tokio::test]
async fn nor_after_the_removal_of_its_whole_prefix() {
    let mut crowd = Crowd::new().await;
    let before = crowd.here.loads();
    let cache = crowd.there.runtime.cache();
    cache.clear("cache:service:*").await.unwrap();
    crowd
        .reads("all are loaded anew", |value| value > before)
        .await;
}

#[tokio::test]
async fn a_limit_that_is_lowered_later_counts() {
    let crowd = Crowd::on(RedisServer::start()).await;
    limit(&crowd.server, 10);
    crowd.read().await.sees_what_is_replaced().await;
}

/// As the log and the monitor say to do.
#[tokio::test]
async fn a_limit_that_is_raised_later_lets_level_1_be() {
    let crowd = Crowd::new().await;
    limit(&crowd.server, 1_000_000);
    let heartbeats = || calls(&crowd.server, "time");
    let remote = || crowd.here.counts().hits_remote;
    eventually("what is read is kept", PATIENCE, async || {
        crowd.here.read(1).await.unwrap();
        let (before, since) = (remote(), heartbeats());
        // Of two processes: so many for each.
        let some = since + 6;
        eventually("heartbeats", PATIENCE, async || heartbeats() > some).await;
        crowd.here.read(1).await.unwrap();
        remote() == before
    })
    .await;
}
