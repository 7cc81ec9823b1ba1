//! `when` is asked before, `unless` about the value.

#![deny(warnings)]

use std::sync::atomic::{AtomicU64, Ordering};

use cacheable_runtime::{Runtime, cacheable};

static LOADS: AtomicU64 = AtomicU64::new(0);

#[derive(PartialEq)]
struct Id {
    number: u64,
}

#[cacheable(ttl = 60, key_prefix = "when", when = *number != 0 && !fresh, skip(fresh))]
async fn when(number: &u64, fresh: bool) -> u64 {
    LOADS.fetch_add(1, Ordering::Relaxed) * 100 + number
}

#[cacheable(ttl = 60, key_prefix = "when", when = id == Id { number: 1 }, key = "{id.number}")]
async fn when_struct(id: Id) -> u64 {
    LOADS.fetch_add(1, Ordering::Relaxed);
    id.number
}

#[cacheable(ttl = 60, key_prefix = "unless", unless = |value| value.len() < 2)]
async fn unless(text: String) -> Result<String, String> {
    LOADS.fetch_add(1, Ordering::Relaxed);
    Ok(text)
}

fn is_short(text: &String) -> bool {
    text.len() < 2
}

#[cacheable(ttl = 60, key_prefix = "unless", unless = is_short)]
async fn unless_named(text: &str) -> Option<String> {
    LOADS.fetch_add(1, Ordering::Relaxed);
    Some(text.to_owned())
}

#[cacheable(ttl = 60, key_prefix = "unless", unless = |&value| value == number)]
async fn unless_argument(number: u64) -> u64 {
    LOADS.fetch_add(1, Ordering::Relaxed);
    number / 2 * 2
}

async fn loads<T>(call: impl AsyncFn() -> T) -> u64 {
    let before = LOADS.load(Ordering::Relaxed);
    call().await;
    call().await;
    LOADS.load(Ordering::Relaxed) - before
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Runtime::embedded().install().unwrap();
    assert_eq!(loads(async || when(&1, false).await).await, 1);
    assert_eq!(loads(async || when(&1, true).await).await, 2);
    assert_eq!(loads(async || when(&0, false).await).await, 2);
    assert_eq!(loads(async || when_struct(Id { number: 1 }).await).await, 1);
    assert_eq!(loads(async || when_struct(Id { number: 2 }).await).await, 2);
    assert_eq!(loads(async || unless("ab".to_owned()).await).await, 1);
    assert_eq!(loads(async || unless("a".to_owned()).await).await, 2);
    assert_eq!(loads(async || unless_named("ab").await).await, 1);
    assert_eq!(loads(async || unless_named("a").await).await, 2);
    assert_eq!(loads(async || unless_argument(3).await).await, 1);
    assert_eq!(loads(async || unless_argument(2).await).await, 2);
}
