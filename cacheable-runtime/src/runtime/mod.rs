//! The runtime: what is built once and installed when a service starts.

mod builder;
mod figures;
mod probe;

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use once_cell::sync::OnceCell;

use crate::cache::Engine;
use crate::cache::handle::Cache;
#[cfg(feature = "redis")]
use crate::conn::Routes;
use crate::error::{Error, ErrorKind};
use crate::monitor::Ending;
use crate::observe::Observation;
use crate::primitives::Ground;
use crate::primitives::limiter::RateLimiter;
use crate::primitives::lock::Locks;
use crate::primitives::pubsub::PubSub;
use crate::primitives::session::Sessions;
pub use builder::{Builder, MIB};
pub use probe::{Probe, ProbeReport};

/// A cache on Redis, Valkey or an embedded store. Cheap to clone; clones are
/// the same runtime.
///
/// ```no_run
/// use cacheable_runtime::Runtime;
///
/// # async fn start() -> Result<(), cacheable_runtime::Error> {
/// // REDIS_URL names the server; without it the embedded store is used.
/// Runtime::from_env().await?.install()?;
/// # Ok(()) }
/// ```
///
/// It lives on the Tokio runtime it was built in: a test that uses Redis
/// builds its own, and hands it to a method by `runtime = …`.
#[derive(Clone)]
pub struct Runtime {
    pub(crate) engine: Engine,
    ground: Arc<Ground>,
    ending: Ending,
    #[cfg(feature = "redis")]
    routes: Option<Arc<Routes>>,
    /// How it was built, for another one like it.
    #[cfg(feature = "redis")]
    built: Arc<Builder>,
}

static GLOBAL: OnceCell<Runtime> = OnceCell::new();

impl Runtime {
    /// The runtime that the environment describes:
    ///
    /// | variable | meaning | default |
    /// |---|---|---|
    /// | `REDIS_URL` | the server, `redis://[[user]:password@]host[:port][/database]`, or a cluster, `redis+cluster://[[user]:password@]host[:port],host[:port]…`, or what sentinels watch, `redis+sentinel://[[user]:password@]host[:port],host[:port]…/service[/database]`: see [`Builder::redis`] | the embedded store |
    /// | `REDIS_CONNECTION_TIMEOUT` | milliseconds to connect in | 5000 |
    /// | `REDIS_COMMAND_TIMEOUT` | milliseconds to answer in | 5000 |
    /// | `REDIS_POOL_SIZE` | the most connections this process may open | 10 |
    /// | `REDIS_CA_FILE` | certificates as PEM, of which one vouches for a server reached by TLS | those of the system |
    ///
    /// It starts when the server is away, and uses it as soon as it is there.
    ///
    /// # Errors
    /// [`is_configuration`](Error::is_configuration): a variable that cannot
    /// be used. The message names it, says what to write, and never holds the
    /// password.
    pub async fn from_env() -> Result<Self, Error> {
        Builder::from_env()?.build().await
    }

    /// A runtime over a store of its own in this process: every promise that
    /// concerns one process, and no server.
    ///
    /// ```
    /// use cacheable_runtime::{Runtime, cacheable};
    ///
    /// #[cacheable(ttl = 60, key_prefix = "square", skip(runtime), runtime = runtime)]
    /// async fn square(runtime: &Runtime, number: u64) -> u64 {
    ///     number * number
    /// }
    /// # fn main() {}
    /// ```
    pub fn embedded() -> Self {
        Self::builder().build_embedded()
    }

    /// A runtime with settings of one's own.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Makes this the runtime of every annotated method that names no other.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyInstalled`]: there is one. It stays: methods that
    /// run already must not change their cache.
    pub fn install(&self) -> Result<(), Error> {
        GLOBAL.set(self.clone()).map_err(|_| {
            Error::new(
                ErrorKind::AlreadyInstalled,
                "a runtime is already installed in this process: install one when the service \
                 starts, and name others in the attributes with `runtime = …`",
            )
        })
    }

    /// The installed runtime.
    pub fn global() -> Option<Self> {
        GLOBAL.get().cloned()
    }

    /// Another runtime on the same server, as good as one of another process.
    /// `None`: there is no server.
    #[cfg(feature = "redis")]
    async fn sibling(&self) -> Result<Option<Self>, Error> {
        if self.routes.is_none() {
            return Ok(None);
        }
        let builder = Builder::clone(&self.built);
        builder.build().await.map(Some)
    }

    #[cfg(not(feature = "redis"))]
    #[allow(
        clippy::unused_async,
        clippy::unused_self,
        reason = "as with the feature"
    )]
    async fn sibling(&self) -> Result<Option<Self>, Error> {
        Ok(None)
    }

    /// The installed runtime's engine, without counting a reference.
    pub(crate) fn global_engine() -> Option<&'static Engine> {
        GLOBAL.get().map(|runtime| &runtime.engine)
    }

    /// Entries under keys of one's own.
    pub fn cache(&self) -> Cache {
        Cache::new(self.engine.clone())
    }

    /// Locks that one holder in the fleet has at a time.
    pub fn locks(&self) -> Locks {
        Locks::new(Arc::clone(&self.ground))
    }

    /// Limits on how often something may be done, shared by the fleet.
    pub fn rate_limiter(&self) -> RateLimiter {
        RateLimiter::new(Arc::clone(&self.ground))
    }

    /// Sessions of users.
    pub fn sessions(&self) -> Sessions {
        Sessions::new(Arc::clone(&self.ground))
    }

    /// Messages between processes.
    pub fn pubsub(&self) -> PubSub {
        PubSub::new(Arc::clone(&self.ground))
    }

    /// Whether the store can be used now, for the health check of a service.
    /// Annotated methods run either way.
    ///
    /// # Errors
    /// Why the server cannot be reached. The embedded store always can.
    pub fn health(&self) -> Result<(), Error> {
        #[cfg(feature = "redis")]
        if let Some(routes) = &self.routes {
            return routes.trouble().map_or(Ok(()), Err);
        }
        Ok(())
    }

    /// What the cache did so far, per method.
    pub fn observe(&self) -> Observation {
        self.engine.observe().snapshot()
    }

    /// Waits until no call, removal or put is under way, every removal has
    /// reached the server and the leases of loads that were given up are removed
    /// there, for at most `deadline`, and closes the connection; calls that come
    /// meanwhile run uncached. Leases of loads that run on end by themselves.
    /// Afterwards annotated methods run uncached, and handles return
    /// [`ErrorKind::ShutDown`]. The embedded store has nothing to close and
    /// stays usable.
    ///
    /// A runtime that is dropped without it leaves what it holds in the server as
    /// a process that dies does: others wait for the leases of its loads until
    /// they end, after [`Builder::lease`](crate::Builder::lease) at most.
    pub async fn shutdown(&self, deadline: Duration) {
        self.ending.now();
        #[cfg(feature = "redis")]
        if let Some(routes) = &self.routes {
            // When loads outlive the deadline there is nothing more to wait for.
            drop(tokio::time::timeout(deadline, self.engine.close()).await);
            self.ground.close(deadline).await;
            let undelivered = self.engine.repair().len();
            if undelivered > 0 {
                tracing::warn!(
                    undelivered,
                    "removals have not reached the server: old entries may be served until their ttl"
                );
            }
            routes.close().await;
            return;
        }
        drop(tokio::time::timeout(deadline, self.engine.idle()).await);
        self.ground.close(deadline).await;
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut runtime = f.debug_struct("Runtime");
        #[cfg(feature = "redis")]
        if let Some(routes) = &self.routes {
            runtime.field("server", &routes.server());
        }
        runtime
            .field("health", &self.health())
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}

/// For `runtime = …` in an attribute, whatever holds the runtime there.
#[doc(hidden)]
pub fn engine_of<R: Borrow<Runtime> + ?Sized>(runtime: &R) -> Option<&Engine> {
    Some(&runtime.borrow().engine)
}
