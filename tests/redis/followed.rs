//! A server follows no more keys than its table has room for. Of one that it drops
//! for another it tells everybody but the connection whose command it was: `NOLOOP`.

use cacheable_runtime::Runtime;
use cacheable_tests::{RedisServer, eventually};

use crate::service::{PATIENCE, Service};

/// Many more than the table holds.
const KEYS: u32 = 200;

/// Far from those that loads are numbered by.
const NEW: u64 = 1_000_000;

/// Two processes, and a server that follows ten keys.
struct Crowd {
    here: Service,
    there: Service,
    others: std::ops::RangeFrom<u32>,
    _server: RedisServer,
}

impl Crowd {
    /// Both have read all keys.
    async fn new() -> Self {
        let server = RedisServer::start();
        server.command::<()>(&["CONFIG", "SET", "tracking-table-max-keys", "10"]);
        let on =
            async || Service::with(Runtime::builder().redis(server.url()).budget(PATIENCE)).await;
        let (here, there) = (on().await, on().await);
        for id in 0..KEYS {
            here.read(id).await.unwrap();
            there.read(id).await.unwrap();
        }
        Self {
            here,
            there,
            others: KEYS..,
            _server: server,
        }
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

#[tokio::test]
async fn what_a_full_table_dropped_is_not_answered_with_after_a_change() {
    let mut crowd = Crowd::new().await;
    for id in 0..KEYS {
        crowd.there.replace(id, NEW).await.unwrap();
    }
    crowd
        .reads("all are the new ones", |value| value == NEW)
        .await;
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
