//! When entries go: after a success, unless a condition says otherwise.

#![deny(warnings)]

use std::sync::atomic::{AtomicU64, Ordering};

use cacheable_runtime::{Runtime, cache_invalidate, cacheable};

static LOADS: AtomicU64 = AtomicU64::new(0);

#[cacheable(ttl = 60, key_prefix = "p")]
pub async fn project(id: u64) -> u64 {
    LOADS.fetch_add(1, Ordering::Relaxed);
    id
}

#[cache_invalidate("cache:p:*")]
async fn result(fails: bool) -> Result<u64, std::io::Error> {
    if fails {
        return Err(std::io::Error::other("failed"));
    }
    Ok(1)
}

#[cache_invalidate(method(project(1)))]
async fn option(found: bool) -> Option<u64> {
    found.then_some(1)
}

#[cache_invalidate("cache:p:*", when = !dry)]
async fn when(dry: bool) -> u64 {
    u64::from(dry)
}

#[cache_invalidate("cache:p:*", unless = |changed| *changed == 0)]
async fn unless(changed: u64) -> Result<u64, String> {
    Ok(changed)
}

#[cache_invalidate("cache:p:*", before)]
async fn before() -> Result<u64, String> {
    // Removed once, and loaded again by this body; removed again only on success.
    assert_eq!(loads().await, 1);
    Err("failed".to_owned())
}

#[derive(Debug)]
enum Failure {
    Cache,
}

impl From<cacheable_runtime::Error> for Failure {
    fn from(_: cacheable_runtime::Error) -> Self {
        Self::Cache
    }
}

#[cache_invalidate("cache:p:*", on_failure = "error", name = "reporting")]
async fn reporting() -> Result<u64, Failure> {
    Ok(1)
}

#[cache_invalidate("cache:p:{text}", on_failure = "error", unless = |value| *value == 0)]
async fn too_long(text: String, value: u64) -> Result<u64, Failure> {
    let _ = text;
    Ok(value)
}

#[cache_invalidate("cache:p:*", on_failure = "log", crate = ::cacheable_runtime)]
async fn logging() -> Result<(), String> {
    Ok(())
}

/// How often the project was loaded: 1 if it had gone.
async fn loads() -> u64 {
    let before = LOADS.load(Ordering::Relaxed);
    project(1).await;
    LOADS.load(Ordering::Relaxed) - before
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Runtime::embedded().install().unwrap();
    assert_eq!(loads().await, 1);
    assert_eq!(loads().await, 0);
    result(true).await.unwrap_err();
    assert_eq!(loads().await, 0);
    result(false).await.unwrap();
    assert_eq!(loads().await, 1);
    option(false).await;
    assert_eq!(loads().await, 0);
    option(true).await;
    assert_eq!(loads().await, 1);
    assert_eq!(when(true).await, 1);
    assert_eq!(loads().await, 0);
    when(false).await;
    assert_eq!(loads().await, 1);
    unless(0).await.unwrap();
    assert_eq!(loads().await, 0);
    unless(1).await.unwrap();
    assert_eq!(loads().await, 1);
    before().await.unwrap_err();
    assert_eq!(loads().await, 0);
    reporting().await.unwrap();
    assert_eq!(loads().await, 1);
    logging().await.unwrap();
    assert_eq!(loads().await, 1);
    too_long("x".repeat(20), 1).await.unwrap();
    assert!(matches!(Failure::Cache, Failure::Cache));
}
