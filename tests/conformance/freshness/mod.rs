//! Values that are past their time, or soon will be: who gets them, who loads
//! them again, and what becomes of a load that something overtakes.

mod deadlines;
mod early;
mod on_error;
mod origin;
mod overtaken;
mod revalidate;

use std::sync::Arc;
use std::time::Duration;

use cacheable_runtime::{MethodCounts, Runtime, cache_put, cacheable};
use tokio::task::JoinHandle;

use crate::source::Broken;
use crate::stores::{LONG, PATIENCE, Time};
use origin::Origin;

/// The life of an entry that a test waits for the end of. What is loaded once
/// it has is to be there when the test ends.
const TTL: Duration = Duration::from_millis(300);

/// Longer than a process leaves a refresh alone that somebody else is at.
const QUIET: Duration = Duration::from_millis(1_100);

/// How an entry lives, beside [`TTL`].
#[derive(Clone, Copy)]
pub(crate) struct Life {
    window: Duration,
    on_error: Duration,
    retry: Duration,
    timeout: Duration,
}

/// Everything for long, so that a test shortens what it is about.
const LASTING: Life = Life {
    window: LONG,
    on_error: Duration::from_millis(1),
    retry: LONG,
    timeout: PATIENCE,
};

/// Which method: it says where a refresh runs.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// In the caller that has found the value old.
    Inline,
    /// There, too, without level 1.
    Shared,
    /// Behind the caller, on copies of what the method borrows.
    Copied,
    /// Behind the caller, on what it was given.
    Behind,
}

/// Cached methods over one origin, each as patient as the others.
#[derive(Clone)]
pub(crate) struct Service {
    runtime: Runtime,
    origin: Arc<Origin>,
    life: Life,
}

impl Service {
    fn new(runtime: Runtime, life: Life) -> Self {
        Self {
            runtime,
            origin: Arc::default(),
            life,
        }
    }

    /// The same over another runtime, as another process has it.
    fn over(&self, runtime: Runtime) -> Self {
        Self {
            runtime,
            ..self.clone()
        }
    }

    fn ttl(&self) -> Duration {
        if self.origin.is_old() { LONG } else { TTL }
    }

    /// Waits until what has been loaded so far is past its time.
    async fn grow_old(&self, time: &Time) {
        time.pass(TTL).await;
        self.origin.grow_old();
    }

    /// Calls one of the methods.
    async fn call(&self, way: Way) -> Result<u64, Broken> {
        match way {
            Way::Inline => self.inline(7).await,
            Way::Shared => self.shared(7).await,
            Way::Copied => self.copied(7).await,
            Way::Behind => behind(self.clone(), 7).await,
        }
    }

    fn spawn(&self, way: Way) -> JoinHandle<Result<u64, Broken>> {
        let service = self.clone();
        tokio::spawn(async move { service.call(way).await })
    }

    fn counts(&self, method: &str) -> MethodCounts {
        self.runtime.observe().method(&format!("fresh.{method}"))
    }

    #[cacheable(
        ttl = self.ttl(),
        jitter = 0.0,
        stale_while_revalidate = self.life.window,
        stale_if_error = self.life.on_error,
        retry_after = self.life.retry,
        load_timeout = self.life.timeout,
        timeout_error = Broken,
        tags = ["group:{id}", "version:{value}"],
        key_prefix = "fresh",
        runtime = self.runtime
    )]
    pub(crate) async fn inline(&self, id: u32) -> Result<u64, Broken> {
        let _ = id;
        self.origin.load().await
    }

    #[cacheable(
        ttl = self.ttl(),
        jitter = 0.0,
        stale_while_revalidate = self.life.window,
        retry_after = self.life.retry,
        local = false,
        tags = ["group:{id}", "version:{value}"],
        key_prefix = "fresh",
        runtime = self.runtime
    )]
    pub(crate) async fn shared(&self, id: u32) -> Result<u64, Broken> {
        let _ = id;
        self.origin.load().await
    }

    #[cacheable(
        ttl = self.ttl(),
        jitter = 0.0,
        stale_while_revalidate = self.life.window,
        key_prefix = "fresh",
        runtime = self.runtime
    )]
    pub(crate) async fn perhaps(&self) -> Option<u64> {
        self.origin.load().await.ok()
    }

    #[cacheable(
        ttl = self.ttl(),
        none_ttl = LONG,
        jitter = 0.0,
        stale_while_revalidate = self.life.window,
        key_prefix = "fresh",
        runtime = self.runtime
    )]
    pub(crate) async fn perhaps_kept(&self) -> Option<u64> {
        self.origin.load().await.ok()
    }

    #[cacheable(
        ttl = self.ttl(),
        jitter = 0.0,
        stale_while_revalidate = self.life.window,
        retry_after = self.life.retry,
        refresh = "background",
        load_timeout = self.life.timeout,
        timeout_error = Broken,
        tags = ["group:{id}", "version:{value}"],
        key_prefix = "fresh",
        runtime = self.runtime
    )]
    pub(crate) async fn copied(&self, id: u32) -> Result<u64, Broken> {
        let _ = id;
        self.origin.load().await
    }
}

#[cacheable(
    ttl = service.ttl(),
    jitter = 0.0,
    stale_while_revalidate = service.life.window,
    retry_after = service.life.retry,
    skip(service),
    key_prefix = "fresh",
    runtime = service.runtime
)]
pub(crate) async fn behind(service: Service, id: u32) -> Result<u64, Broken> {
    let _ = id;
    service.origin.load().await
}

#[cache_put(method(behind(service, id)), runtime = service.runtime)]
async fn replace(service: Service, id: u32) -> Result<u64, Broken> {
    let _ = id;
    Ok(service.origin.write())
}
