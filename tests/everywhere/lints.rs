//! Expansions pass the lints that a careful project denies.
//!
//! The compiler is the test, and clippy's part of it runs where clippy does.
#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    unreachable_pub,
    unsafe_code,
    unused_import_braces,
    unused_lifetimes,
    unused_qualifications,
    unused_results,
    variant_size_differences,
    let_underscore_drop,
    rust_2018_idioms,
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    clippy::used_underscore_binding,
    clippy::shadow_unrelated,
    clippy::shadow_same,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::absolute_paths,
    clippy::wildcard_imports,
    clippy::let_underscore_must_use,
    clippy::single_call_fn,
    clippy::str_to_string,
    clippy::allow_attributes_without_reason
)]
#![allow(
    clippy::single_call_fn,
    clippy::future_not_send,
    reason = "how often something is called here says nothing"
)]

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use cacheable_runtime::{Error, Runtime, cache_invalidate, cache_put, cacheable};
use serde::Serialize;

/// An error.
#[derive(Debug)]
pub struct Failed(pub Error);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

/// A service.
#[derive(Debug)]
pub struct Service {
    runtime: Runtime,
    life: Duration,
}

/// A repository.
pub trait Repository {
    /// Finds.
    fn find(&self, id: u64) -> impl Future<Output = Option<u64>> + Send;
}

impl Service {
    /// Over `runtime`.
    #[must_use]
    pub const fn new(runtime: Runtime) -> Self {
        Self {
            runtime,
            life: Duration::from_secs(60),
        }
    }

    /// With every argument.
    ///
    /// # Errors
    /// None.
    #[cacheable(
        ttl = self.life,
        none_ttl = 5,
        local_ttl = "1s",
        key_prefix = "lint",
        key = "{id}:{self.life}",
        when = id > 0,
        unless = |value| value.len() > 100,
        jitter = 0.1,
        codec = "msgpack",
        schema = 3,
        name = "lint",
        key_fn = entry,
        runtime = self.runtime
    )]
    pub async fn all(&self, id: u64, _unused: &str) -> Result<Option<String>, Failed> {
        Ok(Some(id.to_string()))
    }

    /// Behind `Arc`.
    #[cacheable(ttl = 60, key_prefix = "lint", skip(_ctx), runtime = self.runtime)]
    pub async fn shared(self: Arc<Self>, _ctx: &[u8], pair: (u64, String)) -> Arc<(u64, String)> {
        Arc::new(pair)
    }

    /// With everything.
    ///
    /// # Errors
    /// Those of the store.
    #[cache_invalidate(
        "cache:lint:{id}:*",
        method(self.all(id), key_fn = entry),
        when = id > 0,
        unless = |value| *value == 0,
        before,
        on_failure = "error",
        name = "change",
        runtime = self.runtime
    )]
    pub async fn change(&self, id: u64, name: &str) -> Result<usize, Failed> {
        Ok(name.len())
    }

    /// A put.
    ///
    /// # Errors
    /// None.
    #[cache_put(method(self.all(id), key_fn = entry), when = id > 1, runtime = self.runtime)]
    pub async fn put(&self, id: u64) -> Result<Option<String>, Failed> {
        Ok(Some(id.to_string()))
    }
}

impl Repository for Service {
    #[cacheable(ttl = 60, key_prefix = "lint", runtime = self.runtime)]
    async fn find(&self, id: u64) -> Option<u64> {
        (id > 0).then_some(id)
    }
}

/// A free function.
#[cacheable(ttl = "1m", key_prefix = "lint", skip(runtime), runtime = runtime)]
pub async fn free<'a, T>(runtime: &'a Runtime, text: &'a str, [first, second]: [T; 2]) -> String
where
    T: Display + Serialize,
{
    format!("{text} {first} {second} {runtime:?}")
}

/// What is denied above is also what this module would be refused for.
#[tokio::test]
async fn expansions_run_as_they_are_written() {
    let service = Arc::new(Service::new(Runtime::embedded()));
    assert!(matches!(
        service.all(1, "").await.as_deref_some(),
        Some("1")
    ));
    assert_eq!(service.change(1, "name").await.ok(), Some(4));
    assert!(service.put(2).await.is_ok());
    assert_eq!(service.find(0).await, None);
    let text = free(&service.runtime, "text", [1, 2]).await;
    assert!(text.starts_with("text 1 2"));
    let pair = service.shared(&[], (1, String::new())).await;
    assert_eq!(pair.0, 1);
}

trait AsDerefSome {
    fn as_deref_some(&self) -> Option<&str>;
}

impl AsDerefSome for Result<Option<String>, Failed> {
    fn as_deref_some(&self) -> Option<&str> {
        self.as_ref().ok().and_then(Option::as_deref)
    }
}
