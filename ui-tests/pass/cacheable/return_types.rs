//! What is kept of each return type, also behind other names.

#![deny(warnings)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cacheable_runtime::{Runtime, cacheable};

static LOADS: AtomicU64 = AtomicU64::new(0);

fn load() -> u64 {
    LOADS.fetch_add(1, Ordering::Relaxed)
}

type ApiResult<T> = Result<T, String>;
type Maybe<T> = Option<T>;
type Nothing = std::convert::Infallible;

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Project {
    name: String,
}

/// Shared, never copied.
#[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Big {
    name: String,
}

#[cacheable(ttl = 60, key_prefix = "alias")]
async fn alias(fails: bool) -> ApiResult<u64> {
    let load = load();
    if fails { Err("failed".to_owned()) } else { Ok(load) }
}

#[cacheable(ttl = 60, key_prefix = "never_fails")]
async fn never_fails(id: u64) -> Result<u64, Nothing> {
    load();
    Ok(id)
}

#[cacheable(ttl = 60, key_prefix = "optional")]
async fn optional(found: bool) -> Maybe<Project> {
    load();
    let name = "p".to_owned();
    found.then_some(Project { name })
}

#[cacheable(ttl = 60, key_prefix = "optional", none_ttl = "5s")]
async fn absent(found: bool) -> ApiResult<Option<Project>> {
    load();
    let name = "p".to_owned();
    Ok(found.then_some(Project { name }))
}

#[cacheable(ttl = 60, key_prefix = "shared")]
async fn shared(name: &str) -> Arc<Big> {
    load();
    let name = name.to_owned();
    Arc::new(Big { name })
}

#[cacheable(ttl = 60, key_prefix = "shared", none_ttl = 5)]
async fn shared_maybe(name: &str) -> Result<Option<Arc<Big>>, String> {
    load();
    let name = name.to_owned();
    Ok((!name.is_empty()).then(|| Arc::new(Big { name })))
}

#[cacheable(ttl = 60, key_prefix = "allowed")]
async fn allowed(user: u64) -> Result<(), String> {
    load();
    if user == 0 { Err("nobody".to_owned()) } else { Ok(()) }
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
    assert_eq!(loads(async || alias(false).await.unwrap()).await, 1);
    assert_eq!(loads(async || alias(true).await.unwrap_err()).await, 2);
    assert_eq!(loads(async || never_fails(1).await.unwrap()).await, 1);
    assert_eq!(loads(async || optional(true).await.unwrap()).await, 1);
    assert_eq!(loads(async || assert_eq!(optional(false).await, None)).await, 2);
    assert_eq!(loads(async || absent(true).await.unwrap().unwrap()).await, 1);
    assert_eq!(loads(async || assert_eq!(absent(false).await, Ok(None))).await, 1);
    assert_eq!(loads(async || assert_eq!(shared("a").await.name, "a")).await, 1);
    assert_eq!(loads(async || shared_maybe("a").await.unwrap().unwrap()).await, 1);
    assert_eq!(loads(async || assert_eq!(shared_maybe("").await, Ok(None))).await, 1);
    assert_eq!(loads(async || allowed(1).await.unwrap()).await, 1);
    assert_eq!(loads(async || allowed(0).await.unwrap_err()).await, 2);
}
