//! Arguments that try to be something else.

use std::collections::BTreeSet;

use cacheable_runtime::{IntoKey, Runtime, cache_invalidate, cacheable};
use serde::Serialize;

use super::Loads;
use crate::on_every_store;
use crate::stores::Store;

on_every_store![
    texts_are_told_apart_in_every_place,
    values_of_different_kinds_are_told_apart,
    a_placeholder_removes_exactly_its_own,
    a_placeholder_between_stars_removes_exactly_its_own,
    long_arguments_are_told_apart,
];

/// Everything that means something to keys, patterns, formats or escapes.
const TEXTS: [&str; 34] = [
    "",
    " ",
    ":",
    "::",
    "*",
    "**",
    "?",
    "[",
    "]",
    "[a-z]",
    "[^a]",
    "\\",
    "\\*",
    "\\\\",
    "%",
    "%3A",
    "%25",
    "%2A",
    "a",
    "a:",
    ":a",
    "a:b",
    "a*",
    "a,b",
    "(a)",
    "{id}",
    "'",
    "~",
    "#",
    "1",
    "true",
    "null",
    "\u{fc}\u{6570}\u{1f600}",
    "a\nb\0\x7f",
];

struct Service {
    runtime: Runtime,
    loads: Loads,
}

/// Any of these, under its own form.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Any {
    Unit,
    None(Option<()>),
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'static str),
    List(Vec<Any>),
    Pair(&'static str, &'static str),
    Map { a: i64 },
}

impl Service {
    async fn on(store: &Store) -> Self {
        Self {
            runtime: store.runtime().await,
            loads: Loads::default(),
        }
    }

    #[cacheable(ttl = 600, key_prefix = "k", runtime = self.runtime)]
    pub(crate) async fn one(&self, text: &str) -> String {
        self.loads.next();
        text.to_owned()
    }

    #[cacheable(ttl = 600, key_prefix = "k", runtime = self.runtime)]
    pub(crate) async fn two(&self, first: &str, second: &str) -> (String, String) {
        self.loads.next();
        (first.to_owned(), second.to_owned())
    }

    #[cacheable(ttl = 600, key_prefix = "k", key = "v1:{first}:-x.:{second}", runtime = self.runtime)]
    pub(crate) async fn joined(&self, first: &str, second: &str) -> (String, String) {
        self.loads.next();
        (first.to_owned(), second.to_owned())
    }

    #[cacheable(ttl = 600, key_prefix = "k", runtime = self.runtime)]
    pub(crate) async fn any(&self, value: &Any) -> String {
        self.loads.next();
        format!("{value:?}")
    }

    #[cache_invalidate("cache:k:one:{text}", runtime = self.runtime)]
    async fn forget_one(&self, text: &str) {
        let _ = text;
    }

    #[cache_invalidate("cache:k:t?o:*:{second}", runtime = self.runtime)]
    async fn forget_second(&self, second: &str) {
        let _ = second;
    }

    #[cache_invalidate("cache:k:two:{first}:*", runtime = self.runtime)]
    async fn forget_first(&self, first: &str) {
        let _ = first;
    }
}

async fn texts_are_told_apart_in_every_place(store: Store) {
    let service = Service::on(&store).await;
    for pass in 1..=2 {
        for first in TEXTS {
            assert_eq!(service.one(first).await, first);
            for second in TEXTS {
                let both = (first.to_owned(), second.to_owned());
                assert_eq!(service.two(first, second).await, both, "pass {pass}");
                let joined = service.joined(first, second).await;
                assert_eq!(joined, both, "pass {pass}");
            }
        }
    }
    let loads = TEXTS.len() + 2 * TEXTS.len() * TEXTS.len();
    assert_eq!(service.loads.count(), loads as u64);
}

async fn values_of_different_kinds_are_told_apart(store: Store) {
    let service = Service::on(&store).await;
    let values = [
        Any::None(None),
        Any::Bool(true),
        Any::Text("true"),
        Any::Int(1),
        Any::Int(-1),
        Any::Float(1.0),
        Any::Float(-0.0),
        Any::Float(0.0),
        Any::Text("1"),
        Any::Text("1.0"),
        Any::Text(""),
        Any::Text("null"),
        Any::Text("~"),
        Any::Text("()"),
        Any::Text("(a,b)"),
        Any::Pair("a", "bc"),
        Any::Pair("ab", "c"),
        Any::List(vec![]),
        Any::List(vec![Any::Text("")]),
        Any::List(vec![Any::List(vec![])]),
        Any::List(vec![Any::Int(1), Any::Int(2)]),
        Any::List(vec![Any::Text("1,2")]),
        Any::Map { a: 1 },
        Any::Text("(a=1)"),
    ];
    for _ in 0..2 {
        for value in &values {
            assert_eq!(service.any(value).await, format!("{value:?}"));
        }
    }
    assert_eq!(service.loads.count(), values.len() as u64);
    let keys: BTreeSet<_> = values
        .iter()
        .map(|value| Service::any_key(value).into_key().unwrap().to_string())
        .collect();
    assert_eq!(keys.len(), values.len());
    // What serde itself takes for one is one.
    assert_eq!(
        Service::any_key(&Any::Unit).into_key().unwrap().to_string(),
        "cache:k:any:()"
    );
}

async fn a_placeholder_removes_exactly_its_own(store: Store) {
    let service = Service::on(&store).await;
    for text in TEXTS {
        service.one(text).await;
    }
    for text in TEXTS {
        service.forget_one(text).await;
        let before = service.loads.count();
        assert_eq!(service.one(text).await, text);
        assert_eq!(
            service.loads.count(),
            before + 1,
            "{text:?} was still there"
        );
        for other in TEXTS {
            service.one(other).await;
        }
        assert_eq!(
            service.loads.count(),
            before + 1,
            "{text:?} reached further"
        );
    }
}

async fn a_placeholder_between_stars_removes_exactly_its_own(store: Store) {
    let service = Service::on(&store).await;
    let some: Vec<&str> = TEXTS.into_iter().step_by(3).collect();
    let fill = async || {
        for first in &some {
            for second in &some {
                service.two(first, second).await;
            }
        }
        service.loads.count()
    };
    let mut loads = fill().await;
    assert_eq!(loads, (some.len() * some.len()) as u64);
    for text in &some {
        for forget_first in [true, false] {
            if forget_first {
                service.forget_first(text).await;
            } else {
                service.forget_second(text).await;
            }
            let now = fill().await;
            assert_eq!(now - loads, some.len() as u64, "{text:?} {forget_first}");
            loads = now;
        }
    }
}

async fn long_arguments_are_told_apart(store: Store) {
    let service = Service::on(&store).await;
    let texts: Vec<String> = (0..20)
        .map(|last| format!("{}{last}", "long:*".repeat(1_000)))
        .collect();
    for _ in 0..2 {
        for text in &texts {
            assert_eq!(&service.one(text).await, text);
        }
    }
    assert_eq!(service.loads.count(), 20);
    let key = Service::one_key(&texts[0]).into_key().unwrap();
    assert!(key.as_str().len() < 1024, "{key}");
    service.forget_one(&texts[3]).await;
    for text in &texts {
        service.one(text).await;
    }
    assert_eq!(service.loads.count(), 21);
}
