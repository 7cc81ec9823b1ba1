//! A put under a method that has tags.

use cacheable_tests::eventually;

use super::Service;
use crate::on_every_store;
use crate::stores::{PATIENCE, Store};

on_every_store![
    keeps_the_tags_of_the_arguments,
    removes_where_tags_come_from_the_value,
    that_a_tag_removal_overtakes_is_not_read,
];

async fn keeps_the_tags_of_the_arguments(store: Store) {
    let s = Service::new(store.runtime().await);
    let other = s.over(store.beside(&s.runtime).await);
    for (tag, expected) in [("team:a", 3), ("member:1", 5)] {
        let put = s.put_member("a", 1).await;
        for service in [&s, &other] {
            eventually("the put is read", PATIENCE, async || {
                service.member("a", 1).await == put
            })
            .await;
        }
        let entry = s.cache.inspect(Service::member_key("a", 1)).await.unwrap();
        assert_eq!(entry.unwrap().tags, ["team:a", "member:1"]);
        assert_eq!(s.write(), expected);
        s.cache.invalidate_tag(tag).await.unwrap();
        assert_eq!(s.member("a", 1).await, expected);
        eventually("the other has heard of it", PATIENCE, async || {
            other.member("a", 1).await == expected
        })
        .await;
    }
    assert_eq!(s.loads(), 2);
}

/// It does not know them, and an entry without them could not be removed.
async fn removes_where_tags_come_from_the_value(store: Store) {
    let s = Service::new(store.runtime().await);
    s.record(2).await;
    let put = s.put_record(2, "bob").await;
    let entry = s.cache.inspect(Service::record_key(2)).await.unwrap();
    assert!(entry.is_none(), "{entry:?}");
    assert_eq!(s.record(2).await.version, put.version);
    assert_eq!(s.loads(), 2);
    s.update_both("ada", "nobody").await;
    assert_eq!(s.record(2).await.version, 3);
}

/// Put first, removed later: what is removed does not come back.
async fn that_a_tag_removal_overtakes_is_not_read(store: Store) {
    let s = Service::new(store.runtime().await);
    for _ in 0..10 {
        let put = {
            let s = s.clone();
            tokio::spawn(async move { s.put_member("a", 1).await })
        };
        let removed = s.update_team("a").await.unwrap();
        let put = put.await.unwrap();
        // Whichever wrote last.
        let newest = put.max(removed);
        assert_eq!(s.member("a", 1).await, newest);
    }
}
