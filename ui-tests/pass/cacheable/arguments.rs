//! Every form of argument: borrowed, sliced, generic, taken apart, mutable, unnamed.

#![deny(warnings)]

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use cacheable_runtime::{IntoKey, Key, Runtime, cacheable};
use serde::Serialize;

static LOADS: AtomicU64 = AtomicU64::new(0);

fn load() {
    LOADS.fetch_add(1, Ordering::Relaxed);
}

#[cacheable(ttl = 60, key_prefix = "borrowed")]
pub async fn borrowed<'a, 'b: 'a>(left: &'a str, right: &'b [u8], both: Cow<'a, str>) -> String {
    load();
    format!("{left}{right:?}{both}")
}

#[cacheable(ttl = 60, key_prefix = "impl")]
pub async fn hidden(value: impl Serialize + std::fmt::Debug, list: &[impl Serialize]) -> String {
    load();
    format!("{value:?}{}", list.len())
}

#[derive(Clone, Copy)]
pub struct Point {
    x: i32,
    y: i32,
}

pub struct Wrapped<T>(T);

#[cacheable(ttl = 60, key_prefix = "apart")]
pub async fn apart(
    Point { x, y: height }: Point,
    (first, mut second): (u8, u8),
    Wrapped([one, .., last]): Wrapped<[u8; 4]>,
    &borrowed: &u8,
    whole @ Point { .. }: Point,
) -> i64 {
    load();
    let _ = whole.x;
    second += 1;
    i64::from(x + height) + i64::from(first + second + one + last + borrowed)
}

impl Serialize for Point {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.x, self.y).serialize(serializer)
    }
}

#[cacheable(ttl = 60, key_prefix = "mutable")]
pub async fn mutable(mut list: Vec<u64>, mut sum: u64) -> u64 {
    load();
    while let Some(number) = list.pop() {
        sum += number;
    }
    sum
}

struct NotSerialize;

#[cacheable(ttl = 60, key_prefix = "unnamed")]
pub async fn unnamed(_: u64, _unused: u64, used: u64) -> u64 {
    load();
    used
}

#[cacheable(ttl = 60, key_prefix = "skipped", skip(database, left))]
pub async fn skipped(database: &NotSerializeToo, id: u64, (left, right): (u64, u64)) -> u64 {
    load();
    let _ = database;
    id + left + right
}

pub struct NotSerializeToo(NotSerialize);

pub struct Unit;

// Only its type tells a constant that is taken apart from a name in capitals.
#[allow(non_snake_case)]
#[cacheable(ttl = 60, key_prefix = "capitals")]
pub async fn capitals(ID: u64, Unit: Unit) -> u64 {
    load();
    ID
}

#[cacheable(ttl = 60, key_prefix = "map")]
pub async fn of_map(map: &HashMap<String, Option<u64>>) -> usize {
    load();
    map.len()
}

#[cacheable(ttl = 60, key_prefix = "cfg")]
pub async fn under_cfg(
    id: u64,
    #[cfg(all())] present: u64,
    #[cfg(any())] absent: NotSerialize,
    #[allow(unused_variables)] last: u64,
) -> u64 {
    load();
    id + present
}

fn text(key: impl IntoKey) -> String {
    key.into_key().as_ref().map(Key::to_string).unwrap()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Runtime::embedded().install().unwrap();
    let point = Point { x: 1, y: 2 };
    let database = NotSerializeToo(NotSerialize);
    let _ = &database.0;
    let map = HashMap::from([("a".to_owned(), None), ("b".to_owned(), Some(1))]);
    for _ in 0..2 {
        assert_eq!(borrowed("a", &[1], "b".into()).await, "a[1]b");
        assert_eq!(hidden("a", &[1, 2]).await, "\"a\"2");
        let wrapped = Wrapped([1, 2, 3, 4]);
        assert_eq!(apart(point, (1, 2), wrapped, &5, point).await, 17);
        assert_eq!(mutable(vec![1, 2], 3).await, 6);
        assert_eq!(unnamed(1, 2, 3).await, 3);
        // What has no name is no part of the key; what has one is.
        assert_eq!(unnamed(9, 2, 3).await, 3);
        assert_eq!(skipped(&database, 1, (2, 3)).await, 6);
        assert_eq!(skipped(&database, 1, (9, 3)).await, 6);
        assert_eq!(of_map(&map).await, 2);
        assert_eq!(under_cfg(1, 2, 3).await, 3);
    }
    assert_eq!(capitals(1, Unit).await, 1);
    assert_eq!(capitals(2, Unit).await, 2);
    assert_eq!(LOADS.load(Ordering::Relaxed), 10);
    assert_eq!(text(capitals_key(3)), "cache:capitals:capitals:3");
    assert_eq!(text(borrowed_key("a:b", &[1, 2], "".into())), "cache:borrowed:borrowed:a%3Ab:(1,2):'");
    assert_eq!(
        text(apart_key(point, (1, 2), Wrapped([1, 2, 3, 4]), &5, point)),
        "cache:apart:apart:1:2:1:2:1:4:5:(1,2)"
    );
    assert_eq!(text(unnamed_key(2, 3)), "cache:unnamed:unnamed:2:3");
    assert_eq!(text(skipped_key(1, (2, 3))), "cache:skipped:skipped:1:3");
    assert_eq!(text(under_cfg_key(1, 2, 3)), "cache:cfg:under_cfg:1:2:3");
    assert_eq!(text(mutable_key(vec![1], 2)), "cache:mutable:mutable:(1):2");
}
