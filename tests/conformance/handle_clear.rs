//! Removal by pattern removes what it names and nothing else.

use cacheable_runtime::{Cache, ErrorKind};

use crate::on_every_store;
use crate::stores::{LONG, Store};

on_every_store![
    removes_what_matches_and_counts,
    reads_patterns_as_redis_does,
    covers_thousands,
    refuses_what_reaches_too_far,
];

async fn fill(cache: &Cache, keys: &[&str]) {
    let entries = keys.iter().map(|key| (*key, &1));
    cache.set_many(entries, LONG).await.unwrap();
}

async fn left(cache: &Cache, keys: &[&str]) -> Vec<String> {
    let found = cache.get_many::<i32, _>(keys.iter().copied()).await;
    keys.iter()
        .zip(found.unwrap())
        .filter_map(|(key, value)| value.map(|_| (*key).to_owned()))
        .collect()
}

async fn removes_what_matches_and_counts(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    let keys = [
        "api:users:1",
        "api:users:2:posts",
        "api:user",
        "api:posts:1",
        "xapi:users:1",
    ];
    fill(&cache, &keys).await;
    assert_eq!(cache.clear("api:users:*").await.unwrap(), 2);
    assert_eq!(left(&cache, &keys).await, keys[2..]);
    assert_eq!(cache.clear("api:users:*").await.unwrap(), 0);
    // A pattern without a wildcard is one key.
    assert_eq!(cache.clear("api:user").await.unwrap(), 1);
    assert_eq!(left(&cache, &keys).await, keys[3..]);
    // Dropped before it is awaited: nothing happens.
    drop(cache.clear("api:*"));
    assert_eq!(left(&cache, &keys).await, keys[3..]);
}

async fn reads_patterns_as_redis_does(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    let keys = [
        "k:a", "k:b", "k:ab", "k:*", "k:[a]", "k:\\", "k:^", "k:\u{e9}",
    ];
    for (pattern, covered) in [
        ("k:?", vec!["k:a", "k:b", "k:*", "k:\\", "k:^"]),
        ("k:??", vec!["k:ab", "k:\u{e9}"]),
        ("k:[ab]", vec!["k:a", "k:b"]),
        ("k:[^a-z]", vec!["k:*", "k:\\", "k:^"]),
        ("k:a*", vec!["k:a", "k:ab"]),
        (r"k:\*", vec!["k:*"]),
        (r"k:\[a\]", vec!["k:[a]"]),
        (r"k:\\", vec!["k:\\"]),
        ("k:\u{e9}", vec!["k:\u{e9}"]),
        ("k:*b", vec!["k:b", "k:ab"]),
        ("K:*", vec![]),
    ] {
        fill(&cache, &keys).await;
        assert_eq!(
            cache.clear(pattern).await.unwrap(),
            covered.len() as u64,
            "{pattern}"
        );
        let mut expected = keys.to_vec();
        expected.retain(|key| !covered.contains(key));
        assert_eq!(left(&cache, &keys).await, expected, "{pattern}");
    }
}

async fn covers_thousands(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    let entries = |name: &'static str, count| (0..count).map(move |n| (format!("{name}:{n}"), &1));
    cache.set_many(entries("go", 5_000), LONG).await.unwrap();
    cache.set_many(entries("stay", 1_000), LONG).await.unwrap();
    assert_eq!(cache.clear("go:*").await.unwrap(), 5_000);
    let stayed = cache.get_many::<i32, _>((0..1_000).map(|n| format!("stay:{n}")));
    assert!(stayed.await.unwrap().iter().all(Option::is_some));
    assert_eq!(cache.clear("*").unrestricted().await.unwrap(), 1_000);
}

async fn refuses_what_reaches_too_far(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    fill(&cache, &["a", "b"]).await;
    for (pattern, said) in [
        ("*", "unrestricted"),
        ("?", "unrestricted"),
        ("[ab]", "unrestricted"),
        ("s*", "session:"),
        ("session:*", "session:"),
        ("session:1", "session:"),
        ("lo[a-z]k:*", "lock:"),
        ("l*", "reserved or unrestricted"),
        ("limit:*", "limit:"),
        ("stream:*", "stream:"),
        ("", "empty"),
        ("a[", "closed"),
        ("a\\", "ends in"),
    ] {
        let error = cache.clear(pattern).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Pattern, "{error}");
        let text = error.to_string();
        let said = said.strip_prefix("reserved or ").unwrap_or(said);
        assert!(text.contains(said), "{pattern}: {text}");
    }
    assert_eq!(left(&cache, &["a", "b"]).await, ["a", "b"]);
    for malformed in ["", "a[", "a\\"] {
        assert!(cache.clear(malformed).unrestricted().await.is_err());
    }
    assert_eq!(cache.clear("[ab]").unrestricted().await.unwrap(), 2);
}
