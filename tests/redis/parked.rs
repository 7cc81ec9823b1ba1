//! Large values do not go through a script.

use std::time::Duration;

use cacheable_runtime::Policy;
use cacheable_tests::RedisServer;

use crate::service::{PATIENCE, level_two};
use crate::wire::calls;

const LARGE: usize = 100_000;

async fn cache(server: &RedisServer) -> cacheable_runtime::Cache {
    let builder = level_two().redis(server.url()).budget(PATIENCE);
    builder.require_connection().build().await.unwrap().cache()
}

fn policy() -> Policy {
    Policy::new(Duration::from_secs(600))
}

#[tokio::test]
async fn a_large_value_is_parked_and_put_in_the_place_of_the_lease() {
    let server = RedisServer::start();
    let cache = cache(&server).await;
    let large = "x".repeat(LARGE);
    for (key, renames) in [("large", 1), ("again", 2)] {
        let load = async || Ok::<_, ()>(large.clone());
        assert!(cache.get_or_load(key, policy(), load).await.unwrap() == large);
        assert_eq!(calls(&server, "rename"), renames);
    }
    let load = async || Ok::<_, ()>("small".to_owned());
    cache.get_or_load("small", policy(), load).await.unwrap();
    assert_eq!(
        calls(&server, "rename"),
        2,
        "a small one goes through the script"
    );
    // What was stored is what is read, with its life.
    assert!(cache.get::<String>("large").await.unwrap().unwrap() == large);
    let left: i64 = server.command(&["PTTL", "large"]);
    assert!((500_000..=600_000).contains(&left), "{left}");
    let parked: Vec<String> = server.command(&["KEYS", "parked:*"]);
    assert_eq!(parked, [""; 0]);
}

/// The connection may break between the two.
#[tokio::test]
async fn a_large_value_that_nobody_comes_for_is_not_parked_for_its_whole_life() {
    let server = RedisServer::start();
    let cache = cache(&server).await;
    server.command::<()>(&["CONFIG", "SET", "slowlog-log-slower-than", "0"]);
    let load = async || Ok::<_, ()>("x".repeat(LARGE));
    cache.get_or_load("key", policy(), load).await.unwrap();
    let said: Vec<Vec<redis::Value>> = server.command(&["SLOWLOG", "GET", "-1"]);
    let said = said.into_iter().map(|mut entry| entry.swap_remove(3));
    let mut commands = said.map(|words| redis::from_redis_value::<Vec<Vec<u8>>>(words).unwrap());
    let park = commands
        .find(|words| words[0] == b"SET" && words[1].starts_with(b"parked:"))
        .unwrap();
    let life = String::from_utf8(park[4].clone()).unwrap();
    let life: u64 = life.parse().unwrap();
    assert!(life <= 60_000, "{life}");
}

#[tokio::test]
async fn a_large_value_whose_lease_is_gone_leaves_nothing() {
    let server = RedisServer::start();
    let cache = cache(&server).await;
    let load = async || {
        server.command::<()>(&["DEL", "key"]);
        Ok::<_, ()>("x".repeat(LARGE))
    };
    cache.get_or_load("key", policy(), load).await.unwrap();
    let left: Vec<String> = server.command(&["KEYS", "*"]);
    assert!(left.iter().all(|key| key.starts_with("tag:")), "{left:?}");
}

#[tokio::test]
async fn a_large_value_replaces_the_one_it_refreshes() {
    let server = RedisServer::start();
    let cache = cache(&server).await;
    let policy = || {
        Policy::new(Duration::from_millis(50))
            .jitter(0.0)
            .stale_while_revalidate(Duration::from_secs(600))
    };
    let load = |letter: &'static str| async move || Ok::<_, ()>(letter.repeat(LARGE));
    cache.get_or_load("key", policy(), load("a")).await.unwrap();
    cacheable_tests::eventually("it is refreshed", PATIENCE, async || {
        cache
            .get_or_load("key", policy(), load("b"))
            .await
            .unwrap()
            .starts_with('b')
    })
    .await;
    assert_eq!(calls(&server, "rename"), 2);
}
