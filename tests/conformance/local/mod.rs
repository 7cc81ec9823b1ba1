//! Level 1, the values in this process: what is answered from there, for how
//! long, and what ends it.

mod away;
mod bounds;
mod lives;
mod outcomes;
mod overtaken;
mod peers;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cacheable_runtime::{MethodCounts, Runtime, cache_invalidate, cache_put, cacheable};

/// Long enough to be told from at once, short enough to be waited for.
const SHORT: Duration = Duration::from_millis(300);

/// A value with a version, in a database that other processes have, too.
#[derive(Clone)]
pub(crate) struct Service {
    runtime: Runtime,
    version: Arc<AtomicU64>,
    loads: Arc<AtomicU64>,
}

impl Service {
    fn new(runtime: Runtime) -> Self {
        Self {
            runtime,
            version: Arc::new(AtomicU64::new(1)),
            loads: Arc::default(),
        }
    }

    /// The same in another process.
    fn over(&self, runtime: Runtime) -> Self {
        Self {
            runtime,
            ..self.clone()
        }
    }

    fn counts(&self, method: &str) -> MethodCounts {
        self.runtime.observe().method(&format!("local.{method}"))
    }

    fn loads(&self) -> u64 {
        self.loads.load(Ordering::SeqCst)
    }

    fn load(&self) -> u64 {
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.version.load(Ordering::SeqCst)
    }

    fn write(&self) -> u64 {
        self.version.fetch_add(1, Ordering::SeqCst) + 1
    }

    #[cacheable(ttl = 600, tags = ["group:{id}", "all"], key_prefix = "local", runtime = self.runtime)]
    pub(crate) async fn read(&self, id: u32) -> u64 {
        let _ = id;
        self.load()
    }

    #[cacheable(ttl = 600, local = false, key_prefix = "local", runtime = self.runtime)]
    pub(crate) async fn remote(&self, id: u32) -> u64 {
        let _ = id;
        self.load()
    }

    #[cacheable(ttl = 600, local_ttl = "300ms", key_prefix = "local", runtime = self.runtime)]
    pub(crate) async fn brief(&self, id: u32) -> u64 {
        let _ = id;
        self.load()
    }

    #[cacheable(ttl = "300ms", jitter = 0.0, key_prefix = "local", runtime = self.runtime)]
    pub(crate) async fn ending(&self, id: u32) -> u64 {
        let _ = id;
        self.load()
    }

    #[cacheable(
        ttl = 600,
        none_ttl = "300ms",
        jitter = 0.0,
        key_prefix = "local",
        runtime = self.runtime
    )]
    pub(crate) async fn nothing(&self, id: u32) -> Option<u64> {
        let _ = id;
        self.load();
        None
    }

    #[cacheable(ttl = 600, key_prefix = "local", runtime = self.runtime)]
    pub(crate) async fn large(&self, id: u32) -> String {
        self.load();
        format!("{id:01000}")
    }

    #[cacheable(ttl = 600, when = id != 7, key_prefix = "local", runtime = self.runtime)]
    pub(crate) async fn never(&self, id: u32) -> u64 {
        let _ = id;
        self.load()
    }

    #[cache_put(method(Self::read(id)), runtime = self.runtime)]
    pub(crate) async fn put(&self, id: u32) -> u64 {
        let _ = id;
        self.write()
    }

    #[cache_invalidate(method(Self::read(id)), runtime = self.runtime)]
    pub(crate) async fn update(&self, id: u32) {
        let _ = id;
        self.write();
    }

    #[cache_invalidate(tags = ["group:{id}"], runtime = self.runtime)]
    pub(crate) async fn update_group(&self, id: u32) {
        let _ = id;
        self.write();
    }

    #[cache_invalidate("cache:local:*", runtime = self.runtime)]
    pub(crate) async fn update_all(&self) {
        self.write();
    }

    #[cache_invalidate("cache:lo[a-d]al:read:*", runtime = self.runtime)]
    pub(crate) async fn update_matching(&self) {
        self.write();
    }
}
