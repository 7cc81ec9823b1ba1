//! A source with versions behind cached methods, in two processes as it were.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cacheable_runtime::{
    Builder, IntoKey, MethodCounts, Runtime, cache_invalidate, cache_put, cacheable,
};
use cacheable_tests::{RedisCluster, eventually};

/// How long anything may take that must happen at last.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// As many entries as it takes for each node to have some.
pub(crate) const MANY: u32 = 24;

/// What is behind all runtimes of a test.
#[derive(Default)]
pub(crate) struct Source {
    version: AtomicU64,
    loads: AtomicU64,
}

impl Source {
    pub(crate) fn loads(&self) -> u64 {
        self.loads.load(Ordering::SeqCst)
    }

    /// All that was read before is out of date.
    pub(crate) fn changes(&self) {
        self.version.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::SeqCst)
    }
}

pub(crate) struct Service {
    pub(crate) runtime: Runtime,
    source: Arc<Source>,
}

pub(crate) fn builder(cluster: &RedisCluster, namespace: &str) -> Builder {
    Runtime::builder()
        .redis(cluster.url())
        .namespace(namespace)
        // On a machine that is busy with other tests.
        .budget(PATIENCE)
        .require_connection()
}

/// Two runtimes that share nothing but the cluster and the source.
pub(crate) async fn pair(cluster: &RedisCluster) -> (Arc<Source>, Service, Service, String) {
    let namespace = cluster.namespace();
    let source = Arc::new(Source::default());
    let build = async || {
        let runtime = builder(cluster, &namespace).build().await;
        Service {
            runtime: runtime.expect("the cluster is up"),
            source: Arc::clone(&source),
        }
    };
    let (here, there) = (build().await, build().await);
    (source, here, there, namespace)
}

impl Service {
    pub(crate) async fn on(builder: Builder, source: &Arc<Source>) -> Self {
        let runtime = builder.build().await;
        Self {
            runtime: runtime.expect("a runtime starts without its servers"),
            source: Arc::clone(source),
        }
    }

    pub(crate) fn counts(&self) -> MethodCounts {
        self.runtime.observe().method("service.read")
    }

    /// The name of an entry in the cluster.
    pub(crate) fn entry(namespace: &str, id: u32) -> String {
        let key = Self::read_key(id).into_key();
        let key = key.expect("a number can be part of a key");
        format!("{namespace}:{key}")
    }

    /// Reads everything, and asserts that nothing is old.
    #[track_caller]
    pub(crate) fn reads_all(&self) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            for id in 0..MANY {
                let version = self.source.version();
                let Ok(read) = self.read(id).await;
                assert!(read >= version, "{caller}: {id} is {read}, not {version}");
            }
        }
    }

    /// Reads everything until nothing is old.
    pub(crate) async fn sees_all(&self) {
        for id in 0..MANY {
            eventually("the change is seen", PATIENCE, async || {
                let Ok(read) = self.read(id).await;
                read == self.source.version()
            })
            .await;
        }
    }

    /// Waits until calls are answered by level 1: nothing is away or new.
    pub(crate) async fn settles(&self) {
        eventually("level 1 answers again", PATIENCE, async || {
            self.runtime.health().is_ok() && {
                self.reads_all().await;
                let before = self.counts();
                self.reads_all().await;
                self.counts().hits_local - before.hits_local == u64::from(MANY)
            }
        })
        .await;
    }

    #[cacheable(
        ttl = 600,
        key_prefix = "service",
        tags = ["all", "one:{id}"],
        runtime = self.runtime
    )]
    pub(crate) async fn read(&self, id: u32) -> Result<u64, Infallible> {
        let _ = id;
        self.source.loads.fetch_add(1, Ordering::SeqCst);
        Ok(self.source.version())
    }

    #[cache_invalidate(method(Self::read(id)), runtime = self.runtime)]
    pub(crate) async fn write(&self, id: u32) -> Result<(), Infallible> {
        let _ = id;
        Ok(())
    }

    #[cache_invalidate(
        method(Self::read(a)),
        method(Self::read(b)),
        method(Self::read(c)),
        runtime = self.runtime
    )]
    pub(crate) async fn write_three(&self, a: u32, b: u32, c: u32) -> Result<(), Infallible> {
        let _ = (a, b, c);
        Ok(())
    }

    #[cache_invalidate("cache:serv*:read:*", runtime = self.runtime)]
    pub(crate) async fn write_by_pattern(&self) -> Result<(), Infallible> {
        Ok(())
    }

    #[cache_invalidate("cache:service:*", runtime = self.runtime)]
    pub(crate) async fn write_by_prefix(&self) -> Result<(), Infallible> {
        Ok(())
    }

    #[cache_invalidate(tags = ["all"], runtime = self.runtime)]
    pub(crate) async fn write_by_tag(&self) -> Result<(), Infallible> {
        Ok(())
    }

    #[cache_put(method(Self::read(id)), runtime = self.runtime)]
    pub(crate) async fn replace(&self, id: u32, value: u64) -> Result<u64, Infallible> {
        let _ = id;
        Ok(value)
    }
}
