//! Values that are set come back, and no others.

use std::collections::BTreeMap;
use std::time::Duration;

use cacheable_runtime::{CodecId, ErrorKind};
use cacheable_tests::eventually;
use serde::{Deserialize, Serialize};

use crate::on_every_store;
use crate::stores::{LONG, PATIENCE, Store};

on_every_store![
    come_back,
    of_nothing,
    are_replaced,
    expire,
    need_a_life,
    of_another_type_are_a_miss,
    over_the_limit_are_refused,
    of_many_keys,
    are_seen_by_every_handle,
    are_inspected,
];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
    role: Role,
    tags: BTreeMap<String, Option<f64>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Role {
    Guest,
    Member { since: i32 },
}

async fn come_back(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    let user = User {
        id: u64::MAX,
        name: "Ada \u{1f980}".to_owned(),
        role: Role::Member { since: -1 },
        tags: BTreeMap::from([("a".to_owned(), None), ("b".to_owned(), Some(0.1))]),
    };
    cache.set("user", &user, LONG).await.unwrap();
    assert_eq!(cache.get("user").await.unwrap(), Some(user));
    cache.set("guest", &Role::Guest, LONG).await.unwrap();
    assert_eq!(cache.get("guest").await.unwrap(), Some(Role::Guest));
    cache.set("empty", "", LONG).await.unwrap();
    assert_eq!(cache.get("empty").await.unwrap(), Some(String::new()));
    cache.set("unit", &(), LONG).await.unwrap();
    assert_eq!(cache.get("unit").await.unwrap(), Some(()));
    let bytes: Vec<u8> = (0..=255).cycle().take(500_000).collect();
    cache.set("bytes", &bytes, LONG).await.unwrap();
    assert_eq!(cache.get("bytes").await.unwrap(), Some(bytes));
}

async fn of_nothing(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    assert_eq!(cache.get::<String>("nothing").await.unwrap(), None);
    assert!(!cache.remove("nothing").await.unwrap());
    assert!(cache.inspect("nothing").await.unwrap().is_none());
    cache.set("nothing", "something", LONG).await.unwrap();
    assert!(cache.remove("nothing").await.unwrap());
    assert!(!cache.remove("nothing").await.unwrap());
    assert_eq!(cache.get::<String>("nothing").await.unwrap(), None);
}

async fn are_replaced(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    cache.set("key", &1, Duration::from_secs(60)).await.unwrap();
    cache.set("key", &2, LONG).await.unwrap();
    assert_eq!(cache.get("key").await.unwrap(), Some(2));
    let ttl = cache.inspect("key").await.unwrap().unwrap().ttl;
    assert!(ttl > Duration::from_secs(60) && ttl <= LONG, "{ttl:?}");
}

async fn expire(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    cache.set("stays", &1, LONG).await.unwrap();
    cache
        .set("goes", &1, Duration::from_millis(40))
        .await
        .unwrap();
    // A reader may count its last millisecond a little apart from the server.
    eventually("the entry is gone", PATIENCE, async || {
        let found = cache.get::<i32>("goes").await.unwrap();
        found.is_none() && cache.inspect("goes").await.unwrap().is_none()
    })
    .await;
    let both = cache.get_many::<i32, _>(["stays", "goes"]).await.unwrap();
    assert_eq!(both, [Some(1), None]);
    assert!(!cache.remove("goes").await.unwrap());
    assert_eq!(cache.clear("go*").await.unwrap(), 0);
}

async fn need_a_life(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    for ttl in [Duration::ZERO, Duration::from_micros(999)] {
        let error = cache.set("key", &1, ttl).await.unwrap_err();
        assert!(error.is_configuration(), "{error}");
        assert!(cache.set_many([("key", &1)], ttl).await.is_err());
    }
    assert_eq!(cache.get::<i32>("key").await.unwrap(), None);
    cache.set("key", &1, Duration::MAX).await.unwrap();
    assert_eq!(cache.get("key").await.unwrap(), Some(1));
}

async fn of_another_type_are_a_miss(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    cache.set("key", &(1_u32, 2_u32), LONG).await.unwrap();
    // The same bytes would fit.
    assert_eq!(cache.get::<[u8; 8]>("key").await.unwrap(), None);
    assert_eq!(cache.get::<(i32, i32)>("key").await.unwrap(), None);
    assert_eq!(cache.get::<String>("key").await.unwrap(), None);
    assert_eq!(cache.get("key").await.unwrap(), Some((1_u32, 2_u32)));
    assert_eq!(runtime.observe().method("cache").undecodable, 3);
}

async fn over_the_limit_are_refused(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    cache.set("key", "small", LONG).await.unwrap();
    let large = "x".repeat(1024 * 1024 + 1);
    let error = cache.set("key", &large, LONG).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    let small = "x".repeat(1024 * 1024 - 100);
    let error = cache
        .set_many([("other", &small), ("key", &large)], LONG)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert_eq!(cache.get("key").await.unwrap(), Some("small".to_owned()));
    assert_eq!(cache.get::<String>("other").await.unwrap(), None);
    cache.set("other", &small, LONG).await.unwrap();
    assert_eq!(cache.get("other").await.unwrap(), Some(small));
}

async fn of_many_keys(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    let nothing: [(&str, &i32); 0] = [];
    cache.set_many(nothing, LONG).await.unwrap();
    assert!(cache.get_many::<i32, &str>([]).await.unwrap().is_empty());
    let values: Vec<i32> = (0..300).collect();
    let entries = values.iter().map(|value| (format!("key:{value}"), value));
    cache.set_many(entries, LONG).await.unwrap();
    cache.set("text", "text", LONG).await.unwrap();
    let asked = ["key:7", "missing", "key:299", "text", "key:7"];
    let found = cache.get_many::<i32, _>(asked).await.unwrap();
    assert_eq!(found, [Some(7), None, Some(299), None, Some(7)]);
    let every = values.iter().map(|value| format!("key:{value}"));
    let found = cache.get_many::<i32, _>(every).await.unwrap();
    assert!(found.into_iter().eq(values.into_iter().map(Some)));
}

async fn are_seen_by_every_handle(store: Store) {
    let runtime = store.runtime().await;
    let sibling = store.runtime().await;
    let cache = runtime.cache();
    let other = sibling.cache();
    cache.set("key", "value", LONG).await.unwrap();
    assert_eq!(other.get("key").await.unwrap(), Some("value".to_owned()));
    assert!(other.remove("key").await.unwrap());
    assert_eq!(cache.get::<String>("key").await.unwrap(), None);
    assert_eq!(cache.clone().get::<String>("key").await.unwrap(), None);
}

async fn are_inspected(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    let text = "x".repeat(1000);
    cache
        .set("key", &text, Duration::from_secs(60))
        .await
        .unwrap();
    let seen = cache.inspect("key").await.unwrap().unwrap();
    assert!(seen.ttl <= Duration::from_secs(60) && seen.ttl > Duration::from_secs(20));
    assert!(seen.age.unwrap() < Duration::from_secs(30));
    assert!(seen.size > 1000 && seen.size < 1200, "{}", seen.size);
    assert_eq!(seen.codec, Some(CodecId::Bincode));
    assert!(!seen.absent && !seen.lease && seen.tags.is_empty());
    assert_eq!(cache.get("key").await.unwrap(), Some(text));
}
