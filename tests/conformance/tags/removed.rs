//! What has a tag goes with it, and nothing else.

use cacheable_runtime::{Policy, Runtime};
use cacheable_tests::{RedisServer, eventually};

use super::Service;
use crate::on_every_store;
use crate::stores::{LONG, PATIENCE, Store};

on_every_store![
    by_a_tag_of_the_arguments,
    by_a_tag_of_the_value,
    by_a_tag_of_several_methods,
    by_the_handle_and_of_the_handle,
    in_the_other_process_too,
    and_what_is_loaded_right_after_is_valid,
    and_what_others_load_after_is_valid,
    and_no_handle_sees_it_any_more,
    and_other_namespaces_keep_theirs,
];

async fn by_a_tag_of_the_arguments(store: Store) {
    let s = Service::new(store.runtime().await);
    for id in [1, 2] {
        s.member("a", id).await;
        s.member("b", id).await;
    }
    assert_eq!(s.update_team("a").await, Ok(2));
    for id in [1, 2] {
        assert_eq!((s.member("a", id).await, s.member("b", id).await), (2, 1));
    }
    s.write();
    s.cache.invalidate_tag("member:1").await.unwrap();
    assert_eq!((s.member("a", 1).await, s.member("b", 1).await), (3, 3));
    assert_eq!((s.member("a", 2).await, s.member("b", 2).await), (2, 1));
    assert_eq!(s.loads(), 8);
}

async fn by_a_tag_of_the_value(store: Store) {
    let s = Service::new(store.runtime().await);
    for id in 1..=4 {
        assert_eq!(s.record(id).await.version, 1);
        assert_eq!(s.record(id).await.version, 1);
    }
    assert_eq!(s.loads(), 4);
    s.update_both("ada", "nobody").await;
    for id in 1..=4 {
        let expected = if id % 2 == 0 { 2 } else { 1 };
        assert_eq!(s.record(id).await.version, expected, "{id}");
    }
    assert_eq!(s.loads(), 6);
}

async fn by_a_tag_of_several_methods(store: Store) {
    let s = Service::new(store.runtime().await);
    s.member("a", 1).await;
    s.roster("a").await;
    s.roster("b").await;
    s.record(2).await;
    s.update_both("ada", "a").await;
    assert_eq!(s.member("a", 1).await, 2);
    assert_eq!(s.roster("a").await, Some(2));
    assert_eq!(s.record(2).await.version, 2);
    assert_eq!(s.roster("b").await, Some(1));
}

async fn by_the_handle_and_of_the_handle(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    let read = async |key: &str, value: u64| {
        let policy = Policy::new(LONG).tag("red").tag(format!("of {key}"));
        let load = async || Ok::<u64, ()>(value);
        cache.get_or_load(key, policy, load).await.unwrap()
    };
    assert_eq!((read("a", 1).await, read("b", 1).await), (1, 1));
    cache.invalidate_tag("of a").await.unwrap();
    assert_eq!((read("a", 2).await, read("b", 2).await), (2, 1));
    cache.invalidate_tag("red").await.unwrap();
    assert_eq!((read("a", 3).await, read("b", 3).await), (3, 3));
    // Without tags of its own there is nothing to remove it by.
    cache.set("a", &4_u64, LONG).await.unwrap();
    cache.invalidate_tag("red").await.unwrap();
    assert_eq!(read("a", 5).await, 4);
}

async fn in_the_other_process_too(store: Store) {
    let s = Service::new(store.runtime().await);
    let other = s.over(store.beside(&s.runtime).await);
    for service in [&s, &other] {
        // Twice: at level 1, then.
        for _ in 0..2 {
            assert_eq!(service.member("a", 1).await, 1);
            assert_eq!(service.record(2).await.version, 1);
        }
    }
    s.update_both("ada", "a").await;
    eventually("the other has heard of it", PATIENCE, async || {
        other.member("a", 1).await == 2 && other.record(2).await.version == 2
    })
    .await;
    assert_eq!(s.member("a", 1).await, 2);
    assert_eq!(s.record(2).await.version, 2);
}

async fn and_what_is_loaded_right_after_is_valid(store: Store) {
    let s = Service::new(store.runtime().await);
    for _ in 0..20 {
        let version = s.update_both("ada", "a").await;
        let loads = s.loads();
        for _ in 0..3 {
            assert_eq!(s.member("a", 1).await, version);
            assert_eq!(s.record(2).await.version, version);
        }
        assert_eq!(s.loads(), loads + 2);
    }
}

/// It may load once more, when it did not know of the removal before its load.
async fn and_what_others_load_after_is_valid(store: Store) {
    let s = Service::new(store.runtime().await);
    let other = s.over(store.beside(&s.runtime).await);
    for _ in 0..20 {
        let version = s.update_both("ada", "a").await;
        eventually("the other has it for good", PATIENCE, async || {
            let loads = s.loads();
            let read = (other.member("a", 1).await, other.record(2).await.version);
            read == (version, version) && s.loads() == loads
        })
        .await;
        assert_eq!(s.member("a", 1).await, version);
    }
    assert!(s.loads() <= 20 * 4, "{}", s.loads());
}

async fn and_no_handle_sees_it_any_more(store: Store) {
    let s = Service::new(store.runtime().await);
    let other = store.beside(&s.runtime).await.cache();
    s.member("a", 1).await;
    s.plain(1).await;
    let member = || Service::member_key("a", 1);
    for cache in [&s.cache, &other] {
        let seen = cache.inspect(member()).await.unwrap();
        assert_eq!(seen.unwrap().tags, ["team:a", "member:1"]);
        assert_eq!(cache.get::<u64>(member()).await.unwrap(), Some(1));
    }
    s.cache.invalidate_tag("team:a").await.unwrap();
    for cache in [&s.cache, &other] {
        eventually("it is gone", PATIENCE, async || {
            cache.get::<u64>(member()).await.unwrap().is_none()
        })
        .await;
        assert!(cache.inspect(member()).await.unwrap().is_none());
        let keys = ["cache:tags:member:a:1", "cache:plain:plain:1", "absent"];
        let many = cache.get_many::<u64, _>(keys).await.unwrap();
        assert_eq!(many, [None, Some(1), None]);
    }
    s.update_plain().await;
    for cache in [&s.cache, &other] {
        eventually("it is gone", PATIENCE, async || {
            let many = cache.get_many::<u64, _>(["cache:plain:plain:1"]).await;
            many.unwrap() == [None]
        })
        .await;
        let plain = cache.inspect(Service::plain_key(1)).await.unwrap();
        assert!(plain.is_none());
    }
}

async fn and_other_namespaces_keep_theirs(store: Store) {
    let s = Service::new(store.runtime().await);
    let other = s.over(store.neighbour().runtime().await);
    for service in [&s, &other] {
        service.member("a", 1).await;
        service.record(2).await;
    }
    s.update_both("ada", "a").await;
    s.update_plain().await;
    assert_eq!(s.member("a", 1).await, 3);
    assert_eq!(
        (other.member("a", 1).await, other.record(2).await.version),
        (1, 1)
    );
    assert_eq!(s.loads(), 5);
}

/// Whatever is under a tag, its removal is one script.
#[tokio::test]
async fn ten_thousand_cost_no_more_than_one() {
    let server = RedisServer::start();
    let builder = Runtime::builder().redis(server.url()).budget(PATIENCE);
    let s = Service::new(builder.require_connection().build().await.unwrap());
    for ids in (0..10_000).collect::<Vec<_>>().chunks(500) {
        let calls = ids.iter().map(|&id| {
            let s = s.clone();
            tokio::spawn(async move { s.member("a", id).await })
        });
        for call in calls.collect::<Vec<_>>() {
            assert_eq!(call.await.unwrap(), 1);
        }
    }
    let before = touching(&server);
    s.update_team("a").await.unwrap();
    // The counter and the marker are written, and nobody looks for members.
    let after = touching(&server);
    let (writes, walks) = (after.0 - before.0, after.1 - before.1);
    assert!(writes <= 3 && walks == 0, "{writes} writes, {walks} walks");
    for id in [0, 1, 4_999, 9_999] {
        assert_eq!(s.member("a", id).await, 2);
    }
}

/// How many commands have written, and how many have walked over keys.
fn touching(server: &RedisServer) -> (u64, u64) {
    let stats: String = server.command(&["INFO", "commandstats"]);
    let calls = |names: &[&str]| -> u64 {
        let of = |name: &&str| {
            let start = format!("cmdstat_{name}:calls=");
            let line = stats.lines().find_map(|line| line.strip_prefix(&start));
            let count = line.and_then(|line| line.split(',').next());
            count.map_or(0, |count| count.parse::<u64>().unwrap())
        };
        names.iter().map(of).sum()
    };
    let walks = calls(&["scan", "keys", "unlink", "mget", "getrange"]);
    (calls(&["set", "del"]), walks)
}
