//! Keys mean themselves.

use cacheable_runtime::{ErrorKind, Policy};

use crate::on_every_store;
use crate::stores::{LONG, Store};

on_every_store![
    are_literal,
    may_be_any_text,
    are_checked,
    of_the_runtime_are_refused,
    of_a_namespace_are_its_own,
];

async fn are_literal(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    for key in ["a*", "ab", "a?", "a[b]", "a\\b"] {
        cache.set(key, key, LONG).await.unwrap();
    }
    for key in ["a*", "a?", "a[b]", "a\\b"] {
        assert_eq!(cache.get(key).await.unwrap(), Some(key.to_owned()));
        assert!(cache.remove(key).await.unwrap());
        assert_eq!(cache.get::<String>(key).await.unwrap(), None);
    }
    assert_eq!(cache.get("ab").await.unwrap(), Some("ab".to_owned()));
}

async fn may_be_any_text(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    let longest = "k".repeat(1024);
    let keys = [" ", "\u{fc}:\u{6570}", "a b", ":", "{x}", "'", &longest];
    for key in keys {
        cache.set(key, key, LONG).await.unwrap();
    }
    let found = cache.get_many::<String, _>(keys).await.unwrap();
    assert!(found.into_iter().eq(keys.map(|key| Some(key.to_owned()))));
}

async fn are_checked(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    let long = "k".repeat(1025);
    for key in ["", "a\nb", "\0", &long] {
        let errors = [
            cache.get::<i32>(key).await.map(drop),
            cache.set(key, &1, LONG).await,
            cache.remove(key).await.map(drop),
            cache.inspect(key).await.map(drop),
            cache.get_many::<i32, _>(["good", key]).await.map(drop),
            cache.set_many([("good", &1), (key, &1)], LONG).await,
        ];
        for error in errors {
            assert_eq!(error.unwrap_err().kind(), ErrorKind::Key, "{key:?}");
        }
        // A cache in the way of a load must not fail it.
        let loaded = cache.get_or_load(key, Policy::new(LONG), async || Ok::<_, ()>(1));
        assert_eq!(loaded.await, Ok(1));
    }
    assert_eq!(cache.get::<i32>("good").await.unwrap(), None);
}

async fn of_the_runtime_are_refused(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    for key in ["session:1", "lock:import", "limit:api:1", "stream:orders"] {
        let error = cache.set(key, &1, LONG).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Key, "{error}");
        assert!(cache.set_many([(key, &1)], LONG).await.is_err());
        assert!(cache.remove(key).await.is_err());
        assert_eq!(cache.get::<i32>(key).await.unwrap(), None);
    }
    cache.set("sessions:1", &1, LONG).await.unwrap();
}

async fn of_a_namespace_are_its_own(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    let neighbour = store.neighbour().runtime().await.cache();
    cache.set("key", "mine", LONG).await.unwrap();
    neighbour.set("key", "theirs", LONG).await.unwrap();
    assert_eq!(cache.get("key").await.unwrap(), Some("mine".to_owned()));
    assert!(cache.remove("key").await.unwrap());
    cache.set("key", "mine", LONG).await.unwrap();
    assert_eq!(cache.clear("*").unrestricted().await.unwrap(), 1);
    assert_eq!(
        neighbour.get("key").await.unwrap(),
        Some("theirs".to_owned())
    );
}
