//! What a tag can be called.

use cacheable_runtime::{Builder, ErrorKind, Policy, cacheable};
use cacheable_tests::eventually;

use super::Service;
use crate::on_every_store;
use crate::stores::{LONG, PATIENCE, Store};

on_every_store![
    any_text_is_a_tag_of_its_own,
    what_is_no_tag_is_refused,
    a_value_whose_tag_cannot_be_one_is_not_kept,
    an_argument_is_escaped_in_a_tag,
    a_tag_that_is_new_to_an_entry_removes_it,
];

async fn any_text_is_a_tag_of_its_own(store: Store) {
    let names = [
        "*".to_owned(),
        "team:*".to_owned(),
        "team:?".to_owned(),
        "[a-z]".to_owned(),
        r"back\slash".to_owned(),
        "{tag}:t:other".to_owned(),
        "tag}:p:tags".to_owned(),
        "counter".to_owned(),
        "two words and %20".to_owned(),
        " ".to_owned(),
        "äöü ß 日本語 🦀".to_owned(),
        "'\"<>&;|$".to_owned(),
        "l".repeat(512),
        "l".repeat(511),
    ];
    let runtime = store.runtime().await;
    let other = store.beside(&runtime).await.cache();
    let cache = runtime.cache();
    let read = async |cache: &cacheable_runtime::Cache, number: usize, value: u64| {
        let policy = Policy::new(LONG).tag(&names[number]);
        let load = async || Ok::<u64, ()>(value);
        let key = format!("named:{number}");
        cache.get_or_load(key, policy, load).await.unwrap()
    };
    for number in 0..names.len() {
        assert_eq!(read(&cache, number, 1).await, 1);
    }
    for (number, name) in names.iter().enumerate() {
        cache.invalidate_tag(name).await.unwrap();
        for later in 0..names.len() {
            let expected = if later <= number { 2 } else { 1 };
            assert_eq!(read(&cache, later, 2).await, expected, "{name} {later}");
        }
        eventually("the other has it", PATIENCE, async || {
            read(&other, number, 2).await == 2
        })
        .await;
    }
}

async fn what_is_no_tag_is_refused(store: Store) {
    let runtime = store.runtime().await;
    let cache = runtime.cache();
    for name in [String::new(), "l".repeat(513), "a\nb".into(), "\0".into()] {
        let refused = cache.invalidate_tag(&name).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Key, "{name:?}");
        let mut loads = 0;
        for _ in 0..2 {
            let policy = Policy::new(LONG).tag(&name);
            let load = async || {
                loads += 1;
                Ok::<u64, ()>(1)
            };
            assert_eq!(cache.get_or_load("k", policy, load).await, Ok(1));
        }
        assert_eq!(loads, 2, "an entry without its tag was kept: {name:?}");
    }
}

impl Service {
    #[cacheable(
        ttl = 600,
        tags = ["of:{value.first}:{value.second}:{value.third}"],
        key_prefix = "named",
        runtime = self.runtime
    )]
    pub(crate) async fn parts(&self, part: &str) -> Parts {
        self.load().await;
        Parts {
            first: part.to_owned(),
            second: part.to_owned(),
            third: part.to_owned(),
        }
    }

    #[cacheable(ttl = 600, tags = ["by:{name}"], key_prefix = "named", runtime = self.runtime)]
    pub(crate) async fn by(&self, name: &str) -> u64 {
        let _ = name;
        self.load().await
    }
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Parts {
    first: String,
    second: String,
    third: String,
}

async fn a_value_whose_tag_cannot_be_one_is_not_kept(store: Store) {
    let s = Service::new(store.runtime().await);
    s.parts("short").await;
    s.parts("short").await;
    assert_eq!(s.loads(), 1);
    // Three of these are over the limit.
    let long = "l".repeat(199);
    s.parts(&long).await;
    s.parts(&long).await;
    assert_eq!(s.loads(), 3);
    let counts = s.runtime.observe().method("named.parts");
    assert_eq!(counts.not_stored, 2);
}

/// Text that an argument holds names no other tag, whatever it is.
async fn an_argument_is_escaped_in_a_tag(store: Store) {
    let s = Service::new(store.runtime().await);
    let names = ["*", "a", "a b", "a:b", "a*", "", "日本", "a%20b"];
    for name in names {
        s.by(name).await;
    }
    for name in ["by:*", "by:?", "*"] {
        s.cache.invalidate_tag(name).await.unwrap();
    }
    for name in names {
        s.by(name).await;
    }
    assert_eq!(s.loads(), names.len() as u64);
    s.cache.invalidate_tag("by:a").await.unwrap();
    for name in names {
        s.by(name).await;
    }
    assert_eq!(s.loads(), names.len() as u64 + 1);
}

async fn a_tag_that_is_new_to_an_entry_removes_it(store: Store) {
    // With level 1, and without.
    for capacity in [None, Some(0)] {
        let adjust = |builder: Builder| match capacity {
            Some(capacity) => builder.local_capacity(capacity),
            None => builder,
        };
        let runtime = store.neighbour().runtime_with(adjust).await;
        let cache = runtime.cache();
        let call = async |tags: &[&str], value: u64| {
            let untagged = Policy::new(LONG);
            let policy = tags.iter().fold(untagged, |policy, tag| policy.tag(*tag));
            let load = async || Ok::<u64, ()>(value);
            cache.get_or_load("k", policy, load).await.unwrap()
        };
        assert_eq!(call(&[], 1).await, 1);
        // Once more, so that it has its tag.
        assert_eq!(call(&["t"], 2).await, 2, "{capacity:?}");
        assert_eq!(call(&["t"], 3).await, 2, "{capacity:?}");
        cache.invalidate_tag("t").await.unwrap();
        assert_eq!(call(&["t"], 3).await, 3, "{capacity:?}");
        // One of two is as good as none.
        assert_eq!(call(&["t", "u"], 4).await, 4, "{capacity:?}");
        cache.invalidate_tag("u").await.unwrap();
        assert_eq!(call(&["t", "u"], 5).await, 5, "{capacity:?}");
        // What has more tags than are asked for can be removed by those, too.
        assert_eq!(call(&["u"], 6).await, 5, "{capacity:?}");
    }
}
