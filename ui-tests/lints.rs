//! Expansions stay quiet under the strictest lints: `cargo clippy --all-targets` is the
//! other half of this test.

#![deny(
    warnings,
    missing_docs,
    unused_qualifications,
    unreachable_pub,
    single_use_lifetimes,
    unused_lifetimes,
    elided_lifetimes_in_paths,
    trivial_casts,
    unused_results,
    let_underscore_drop,
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::shadow_unrelated,
    clippy::shadow_reuse,
    clippy::shadow_same,
    clippy::str_to_string,
    clippy::absolute_paths,
    clippy::min_ident_chars,
    clippy::wildcard_enum_match_arm,
    clippy::as_conversions,
    clippy::future_not_send,
    clippy::large_futures
)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cacheable_runtime::{Error, Runtime, cache_invalidate, cache_put, cacheable};

/// A value.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Project {
    name: String,
}

/// A service.
#[derive(Clone, Debug)]
pub struct Projects {
    runtime: Runtime,
    tenant: String,
}

/// What callers see.
#[async_trait]
pub trait Store {
    /// Finds a project.
    async fn find(&self, pair: (u64, u64), _verbose: bool) -> Option<Project>;
    /// Forgets all projects.
    async fn forget(&mut self);
}

impl Projects {
    /// Gets a project by its name.
    ///
    /// # Errors
    /// If there is no name.
    #[cacheable(ttl = 3600, key_prefix = "project", runtime = self.runtime)]
    pub async fn get(&self, name: &str, _version: u32) -> Result<Project, Error> {
        let copied = name.to_owned();
        Ok(Project { name: copied })
    }

    /// Gets a project of this tenant.
    #[cacheable(
        ttl = Duration::from_secs(u64::from(size)),
        key_prefix = "project",
        key = "{self.tenant}:{name}",
        when = size > 0,
        unless = |value| value.name.is_empty(),
        runtime = self.runtime,
    )]
    pub async fn of_tenant(self: Arc<Self>, name: String, mut size: u8) -> Arc<Project> {
        size += 1;
        let sized = format!("{name}{size}");
        Arc::new(Project { name: sized })
    }

    /// Counts something.
    #[cacheable(ttl = 5, key_prefix = "count", runtime = self.runtime, none_ttl = 1)]
    pub(crate) async fn count<T: Default + Send, const N: usize>(&self, list: &[u8]) -> Option<u8> {
        drop(T::default());
        list.get(N).copied()
    }

    /// Finds the longer of two names.
    #[cacheable(ttl = 5, key_prefix = "longer", runtime = runtime, skip(other, chosen, T))]
    pub async fn longer<'name, T: AsRef<str> + Sync + ?Sized, F>(
        runtime: &Runtime,
        name: &'name str,
        other: &'name T,
        chosen: F,
    ) -> String
    where
        F: Fn(&'name str, &'name str) -> &'name str + Send,
    {
        chosen(name, other.as_ref()).to_owned()
    }

    #[cacheable(ttl = 5, key_prefix = "count", runtime = self.runtime, key_fn = hidden_entry)]
    async fn hidden(&self, (left, right): (u8, u8)) -> u8 {
        left + right + u8::from(self.tenant.is_empty())
    }

    /// Gets a project that may be old.
    #[cacheable(
        ttl = 60,
        key_prefix = "old",
        stale_while_revalidate = "10m",
        stale_if_error = Duration::from_secs(u64::from(size)),
        retry_after = 5,
        refresh = "background",
        load_timeout = "2s",
        tags = ["tenant:{self.tenant}", "name:{name}", "loaded:{value.name}", "projects"],
        runtime = self.runtime,
    )]
    pub async fn of_old(&self, name: &str, _version: Option<u32>, size: u8) -> Option<Project> {
        let sized = format!("{name}{size}");
        Some(Project { name: sized })
    }

    /// Gets a project ahead of time.
    ///
    /// # Errors
    /// If it takes too long.
    #[cacheable(
        ttl = 60,
        key_prefix = "ahead",
        refresh_ahead = 0.5,
        load_timeout = Duration::from_secs(1),
        timeout_error = Late,
        tags = ["loaded:{value.name}:{value.name.len()}"],
        unless = |project| project.name.len() == usize::from(size),
        runtime = self.runtime,
    )]
    pub async fn ahead(self: Arc<Self>, name: String, size: u8) -> Result<Arc<Project>, Late> {
        Ok(Arc::new(Project { name }))
    }

    /// Finds a name by itself.
    #[cacheable(ttl = 60, key_prefix = "own", beta = 1.0, runtime = runtime)]
    pub(crate) async fn owned(runtime: Runtime, _id: u64, mut name: String) -> String {
        name.push_str(if runtime.cache().remove("a").await.is_ok() {
            "a"
        } else {
            "b"
        });
        name
    }

    /// Forgets projects.
    #[cache_invalidate(tags = ["name:{_name}", "projects"], runtime = self.runtime)]
    pub async fn forget_named(&self, _name: &str) -> Option<u8> {
        Some(1)
    }

    /// Saves a project.
    ///
    /// # Errors
    /// Never.
    #[cache_invalidate(
        "cache:project:*",
        "cache:count:count:{name}:*",
        method(Self::get(&name, 1)),
        method(self.hidden((1, 2)), key_fn = hidden_entry),
        method(Self::hidden((1, 2)), key_fn = hidden_entry),
        when = !name.is_empty(),
        unless = |project| project.name.is_empty(),
        before,
        on_failure = "error",
        runtime = self.runtime
    )]
    #[cache_put(method(Self::get(&name, 1)), runtime = self.runtime)]
    pub async fn save(&self, name: String) -> Result<Project, Error> {
        Ok(Project { name })
    }
}

/// The time was up.
#[derive(Debug)]
pub struct Late;

/// Makes a name longer.
#[cacheable(ttl = 60, key_prefix = "longer", beta = 2, refresh = "background", runtime = runtime)]
pub async fn lengthened<T>(runtime: &Runtime, name: &str, by: &T) -> String
where
    T: Clone + Sync + Send + ToString + serde::Serialize + 'static,
{
    format!("{name}{}", by.to_string())
}

#[async_trait]
impl Store for Projects {
    #[cacheable(ttl = 60, key_prefix = "find", runtime = self.runtime)]
    async fn find(&self, (left, right): (u64, u64), _verbose: bool) -> Option<Project> {
        let name = format!("{left}{right}");
        (left < right).then_some(Project { name })
    }

    #[cache_invalidate("cache:find:*", runtime = self.runtime)]
    async fn forget(&mut self) {
        self.tenant.clear();
    }
}

#[tokio::test]
async fn they_run_as_well() -> Result<(), Error> {
    let mut projects = Projects {
        runtime: Runtime::embedded(),
        tenant: String::new(),
    };
    assert_eq!(projects.save("a".to_owned()).await?.name, "a");
    assert_eq!(projects.get("a", 1).await?.name, "a");
    let shared = Arc::new(projects.clone());
    assert_eq!(shared.of_tenant("a".to_owned(), 1).await.name, "a2");
    assert_eq!(projects.count::<u8, 1>(&[1, 2]).await, Some(2));
    assert_eq!(projects.hidden((1, 2)).await, 4);
    let longer = Projects::longer(&projects.runtime, "a", "bc", |_, other| other).await;
    assert_eq!(longer, "bc");
    drop(Projects::longer_key("a"));
    assert!(projects.of_old("a", None, 1).await.is_some());
    let ahead = Arc::new(projects.clone());
    assert!(ahead.ahead("a".to_owned(), 5).await.is_ok());
    let name = "a".to_owned();
    assert_eq!(
        Projects::owned(projects.runtime.clone(), 1, name).await,
        "aa"
    );
    assert_eq!(lengthened(&projects.runtime, "a", &1_u8).await, "a1");
    assert_eq!(projects.forget_named("a").await, Some(1));
    assert!(projects.find((1, 2), true).await.is_some());
    projects.forget().await;
    Ok(())
}
