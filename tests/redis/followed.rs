//! A server follows no more keys than its table has room for. Of one that it drops
//! for another it tells everybody but the connection whose command it was: `NOLOOP`.

use cacheable_runtime::Runtime;
use cacheable_tests::{RedisServer, eventually};

use crate::service::{PATIENCE, Service};

/// Many more than the table holds.
const KEYS: u32 = 200;

/// Far from those that loads are numbered by.
const NEW: u64 = 1_000_000;

async fn crowded() -> RedisServer {
    let server = RedisServer::start();
    server.command::<()>(&["CONFIG", "SET", "tracking-table-max-keys", "10"]);
    server
}

async fn with_level_one(server: &RedisServer) -> Service {
    let service = Service::with(Runtime::builder().redis(server.url()).budget(PATIENCE)).await;
    for id in 0..KEYS {
        service.read(id).await.unwrap();
    }
    service
}

#[tokio::test]
async fn what_a_full_table_dropped_is_not_answered_with_after_a_change() {
    let server = crowded().await;
    let here = with_level_one(&server).await;
    let there = with_level_one(&server).await;
    for id in 0..KEYS {
        there.replace(id, NEW).await.unwrap();
    }
    eventually("all are read anew", PATIENCE, async || {
        for id in 0..KEYS {
            if here.read(id).await.unwrap() != NEW {
                return false;
            }
        }
        true
    })
    .await;
}

#[tokio::test]
async fn nor_after_the_removal_of_its_whole_prefix() {
    let server = crowded().await;
    let here = with_level_one(&server).await;
    let there = with_level_one(&server).await;
    let before = here.loads();
    let removed = there.runtime.cache().clear("cache:service:*").await;
    removed.unwrap();
    eventually("all are loaded anew", PATIENCE, async || {
        for id in 0..KEYS {
            if here.read(id).await.unwrap() <= before {
                return false;
            }
        }
        true
    })
    .await;
}
