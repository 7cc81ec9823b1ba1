//! How a runtime is to be, and what is wrong with that.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Runtime;
#[cfg(feature = "redis")]
use crate::bus::Listener;
use crate::cache::{Engine, Settings};
use crate::config::{Environment, check_namespace};
#[cfg(feature = "redis")]
use crate::conn::address::Server;
#[cfg(feature = "redis")]
use crate::conn::subscribe::Subscriptions;
#[cfg(feature = "redis")]
use crate::conn::{Cluster, Greeting, Link, Routes, Timeouts};
use crate::error::{Error, ErrorKind};
use crate::local::{Local, LocalSettings};
use crate::monitor::Ending;
#[cfg(feature = "redis")]
use crate::primitives::Server as Fleet;
use crate::primitives::{Ground, Patience};
use crate::remote::RemoteStore;
use crate::remote::memory::MemoryStore;
#[cfg(feature = "redis")]
use crate::remote::redis::{PRELOADED, RedisStore, counter_key, counter_script};
use crate::time::{Clock, ManualClock};
/// One mebibyte, for sizes: `64 * MIB`.
pub const MIB: u64 = 1024 * 1024;

/// How a [`Runtime`] is to be.
///
/// ```
/// use cacheable_runtime::{MIB, Runtime};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cacheable_runtime::Error> {
/// let runtime = Runtime::builder()
///     .namespace("shop")
///     .embedded_capacity(16 * MIB)
///     .build()
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct Builder {
    /// The address, and what it is called in errors.
    redis: Option<(&'static str, String)>,
    /// Certificates as PEM.
    ca: Option<Vec<u8>>,
    namespace: Option<String>,
    connect_timeout: Duration,
    command_timeout: Duration,
    pool_size: u32,
    require_connection: bool,
    embedded_capacity: u64,
    local_capacity: u64,
    max_value: usize,
    lease: Duration,
    budget: Duration,
    degraded_ttl: Duration,
    clock: Option<ManualClock>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            redis: None,
            ca: None,
            namespace: None,
            connect_timeout: Duration::from_secs(5),
            command_timeout: Duration::from_secs(5),
            pool_size: 10,
            require_connection: false,
            embedded_capacity: 64 * MIB,
            local_capacity: 64 * MIB,
            max_value: MIB as usize,
            lease: Duration::from_secs(10),
            budget: Duration::from_millis(100),
            degraded_ttl: Duration::from_secs(1),
            clock: None,
        }
    }
}

const LONGEST_LEASE: Duration = Duration::from_secs(3600);

/// What a server takes under one key.
const LARGEST_VALUE: usize = 512 * MIB as usize;

/// How long a start waits for a server that does not answer at all.
#[cfg(feature = "redis")]
const START_PATIENCE: Duration = Duration::from_secs(1);

impl Builder {
    /// What the variables of [`Runtime::from_env`] say, for a service that has
    /// settings beside them. A later setter overrules a variable.
    ///
    /// ```no_run
    /// use cacheable_runtime::Builder;
    ///
    /// # async fn start() -> Result<(), cacheable_runtime::Error> {
    /// Builder::from_env()?.namespace("shop").build().await?.install()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`is_configuration`](Error::is_configuration): a variable that cannot
    /// be used.
    pub fn from_env() -> Result<Self, Error> {
        let environment = Environment::read()?;
        let mut builder = Self::default();
        if let Some(url) = environment.url {
            builder.redis = Some((crate::config::variable::URL, url));
        }
        builder.ca = environment.ca;
        if let Some(timeout) = environment.connect_timeout {
            builder = builder.connect_timeout(timeout);
        }
        if let Some(timeout) = environment.command_timeout {
            builder = builder.command_timeout(timeout);
        }
        if let Some(size) = environment.pool_size {
            builder = builder.pool_size(size);
        }
        Ok(builder)
    }

    /// The server, `redis://[[user]:password@]host[:port][/database]`, or
    /// `unix:///path`; `rediss://` with the feature `tls`. A cluster is
    /// `redis+cluster://[[user]:password@]host[:port],host[:port]…`, by one or
    /// more of its nodes; the others are learned from them, by the names that
    /// `CLUSTER SLOTS` gives, which this process must be able to reach.
    ///
    /// A primary that is chosen by sentinels is
    /// `redis+sentinel://[[user]:password@]host[:port],host[:port]…/service[/database]`:
    /// the hosts are those of the sentinels (port 26379 unless it is said), the
    /// service is what `sentinel monitor` calls the primary, and user, password
    /// and database are the server's. What the sentinels themselves want stands
    /// behind it, `?sentinel_user=…&sentinel_password=…`. They are asked once a
    /// second, and the server that they name, by the address that they give,
    /// is the one that is used; `rediss+sentinel://` reaches both by TLS.
    ///
    /// ```
    /// # async fn example() -> Result<(), cacheable_runtime::Error> {
    /// let url = "redis+sentinel://:password@sentinel-1,sentinel-2,sentinel-3/mymaster/0";
    /// let runtime = cacheable_runtime::Runtime::builder().redis(url).build().await?;
    /// # Ok(()) }
    /// ```
    /// Default: the embedded store.
    pub fn redis(mut self, url: impl Into<String>) -> Self {
        self.redis = Some(("the address given to `redis(…)`", url.into()));
        self
    }

    /// The certificates, as PEM, of which one has to vouch for a server that is
    /// reached by TLS. Its name is checked in any case.
    ///
    /// Default: `REDIS_CA_FILE` where the variables are read, else those that the
    /// system trusts.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let ca = std::fs::read("/etc/redis/ca.crt")?;
    /// let builder = cacheable_runtime::Runtime::builder();
    /// let runtime = builder.redis("rediss://:password@host").redis_ca(ca).build().await?;
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "tls")]
    pub fn redis_ca(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca = Some(pem.into());
        self
    }

    /// What every key, channel and pattern begins with, before a colon; two
    /// services on one server take different ones. Default: nothing.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// How long connecting may take. Default: 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long the server may take to answer a command. Default: 5 s.
    pub fn command_timeout(mut self, timeout: Duration) -> Self {
        self.command_timeout = timeout;
        self
    }

    /// The most connections that this process may open to the server. Two
    /// carry the commands of all tasks at once, one what is read and one what
    /// is removed, so two are what it opens, whatever is said here.
    /// Default: 10.
    pub fn pool_size(mut self, size: u32) -> Self {
        self.pool_size = size;
        self
    }

    /// Fails the start when the server cannot be reached. Default: it starts,
    /// runs uncached, and connects as soon as it can.
    pub fn require_connection(mut self) -> Self {
        self.require_connection = true;
        self
    }

    /// How many bytes the embedded store may hold, keys and overhead included;
    /// what is used least goes first. Default: 64 [`MIB`].
    pub fn embedded_capacity(mut self, bytes: u64) -> Self {
        self.embedded_capacity = bytes;
        self
    }

    /// How many bytes level 1 may hold, the decoded values of this process;
    /// what is used least goes first. A value counts as its encoded size, its
    /// key and about 240 bytes. 0 keeps nothing there. Default: 64 [`MIB`].
    pub fn local_capacity(mut self, bytes: u64) -> Self {
        self.local_capacity = bytes;
        self
    }

    /// How long one call of an annotated method, or one of its removals, may
    /// wait for the server in all; then it goes on without. A server that is
    /// late a few times in a row is left alone until it answers again. The
    /// handles wait as long as
    /// [`command_timeout`](Self::command_timeout). Default: 100 ms.
    pub fn budget(mut self, budget: Duration) -> Self {
        self.budget = budget;
        self
    }

    /// How long values that were loaded while the server is away are kept in
    /// this process, to shield their source. Removals by other processes are
    /// not heard of meanwhile. Zero keeps none. Default: 1 s.
    pub fn degraded_ttl(mut self, ttl: Duration) -> Self {
        self.degraded_ttl = ttl;
        self
    }

    /// The largest value that is kept, in encoded bytes; a larger one is
    /// returned to the caller and counted. Default: 1 [`MIB`].
    pub fn max_value_size(mut self, bytes: usize) -> Self {
        self.max_value = bytes;
        self
    }

    /// How long a process that loads a value and is never heard of again holds
    /// up the others. A running load renews it; callers in its own process wait
    /// for ten times as long at most, and then run the body themselves.
    /// Default: 10 s.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// A clock for tests; only the embedded store follows it. Default: the
    /// server's clock, or this process's.
    pub fn clock(mut self, clock: &ManualClock) -> Self {
        self.clock = Some(clock.clone());
        self
    }

    /// Builds the runtime. With Redis, it waits for the first attempt to
    /// connect, for one second at most.
    ///
    /// # Errors
    /// [`is_configuration`](Error::is_configuration): a setting that cannot be
    /// used. With [`require_connection`](Self::require_connection), also why
    /// the server cannot be reached.
    pub async fn build(self) -> Result<Runtime, Error> {
        self.check()?;
        match &self.redis {
            None => Ok(self.build_embedded()),
            Some((setting, url)) => {
                let (setting, url) = (*setting, url.clone());
                self.build_redis(setting, &url).await
            }
        }
    }

    fn check(&self) -> Result<(), Error> {
        let refuse = |message: &str| Err(Error::new(ErrorKind::Configuration, message));
        if let Some(namespace) = &self.namespace {
            check_namespace(namespace)?;
        }
        if self.connect_timeout.is_zero() || self.command_timeout.is_zero() || self.budget.is_zero()
        {
            return refuse(
                "a timeout of zero lets nothing succeed: write one such as Duration::from_secs(5)",
            );
        }
        if self.pool_size == 0 {
            return refuse("a pool of no connections reaches no server: write 1 or more");
        }
        if self.lease < Duration::from_millis(100) {
            return refuse(
                "a lease under 100 ms ends before it can be renewed: write one such as Duration::from_secs(10)",
            );
        }
        if self.lease > LONGEST_LEASE {
            return refuse(
                "a lease over an hour keeps a process that died in the way of the others: write one such as Duration::from_secs(10)",
            );
        }
        if self.max_value == 0 {
            return refuse("a largest value of 0 bytes keeps nothing: write one such as 1 << 20");
        }
        if self.max_value > LARGEST_VALUE {
            return refuse(
                "servers take values of up to 512 MiB: write a smaller `max_value_size`",
            );
        }
        if self.redis.is_none() && self.embedded_capacity < 4 * self.max_value as u64 {
            return refuse(
                "the embedded store is too small: `embedded_capacity` must hold four values of `max_value_size`",
            );
        }
        if self.redis.is_some() && self.clock.is_some() {
            return refuse(
                "a manual clock cannot move a server's time: leave out `clock(…)` or `redis(…)`",
            );
        }
        Ok(())
    }

    pub(super) fn build_embedded(self) -> Runtime {
        let clock = match &self.clock {
            Some(clock) => Clock::Manual(clock.clone()),
            None => Clock::process(),
        };
        let store = MemoryStore::new(self.embedded_capacity, self.max_value as u64, clock.clone());
        let local = self.local(clock.clone(), true);
        #[cfg(feature = "redis")]
        let built = Arc::new(self.clone());
        let ground = Ground::new(
            self.prefix(),
            clock.clone(),
            self.patience(),
            #[cfg(feature = "redis")]
            None,
        );
        Runtime {
            ground,
            ending: Ending::default(),
            engine: self.engine(local, Arc::new(store), clock, false),
            #[cfg(feature = "redis")]
            routes: None,
            #[cfg(feature = "redis")]
            built,
        }
    }

    #[cfg(feature = "redis")]
    async fn build_redis(self, setting: &'static str, url: &str) -> Result<Runtime, Error> {
        let mut server = Server::parse(setting, url)?;
        server.secure(self.ca.as_deref())?;
        let timeouts = Timeouts {
            connect: self.connect_timeout,
            command: self.command_timeout,
            budget: self.budget,
        };
        let patience = if self.require_connection {
            self.connect_timeout
        } else {
            self.connect_timeout.min(START_PATIENCE)
        };
        let clock = Clock::process();
        let namespace = self.prefix();
        let greeting = Greeting {
            scripts: &*PRELOADED,
            counter: counter_script(),
            counter_key: counter_key(&namespace),
        };
        let local = self.local(clock.clone(), false);
        let listener: Arc<dyn Listener> = Arc::clone(&local) as _;
        let routes = match server {
            Server::One(address) => {
                let link = Link::open(*address, timeouts, greeting, listener, patience).await;
                Routes::One(Arc::new(link))
            }
            Server::Cluster(seeds) => {
                // A call may ask twice.
                let late = self.budget / 2;
                Routes::Cluster(
                    Cluster::open(seeds, timeouts, greeting, listener, late, patience).await,
                )
            }
        };
        if self.require_connection
            && let Some(error) = routes.trouble()
        {
            routes.close().await;
            return Err(error);
        }
        let routes = Arc::new(routes);
        let store = RedisStore::new(Arc::clone(&routes), &namespace);
        let fleet = Fleet {
            routes: Arc::clone(&routes),
            subscriptions: Subscriptions::new(Arc::clone(&routes), timeouts),
        };
        let ground = Ground::new(namespace, clock.clone(), self.patience(), Some(fleet));
        let built = Arc::new(self.clone());
        Ok(Runtime {
            ground,
            ending: Ending::default(),
            engine: self.engine(local, Arc::new(store), clock, true),
            routes: Some(routes),
            built,
        })
    }

    #[cfg(not(feature = "redis"))]
    #[allow(
        clippy::unused_async,
        reason = "the same call with and without the feature"
    )]
    async fn build_redis(self, setting: &'static str, _: &str) -> Result<Runtime, Error> {
        Err(Error::new(
            ErrorKind::Configuration,
            format!(
                "{setting} asks for a server, which needs the feature `redis` of cacheable-runtime"
            ),
        ))
    }

    fn patience(&self) -> Patience {
        Patience {
            command: self.command_timeout,
            budget: self.budget,
        }
    }

    /// What every key begins with.
    fn prefix(&self) -> String {
        let namespace = self.namespace.as_ref();
        namespace.map_or_else(String::new, |namespace| format!("{namespace}:"))
    }

    fn local(&self, clock: Clock, alone: bool) -> Arc<Local> {
        let settings = LocalSettings {
            capacity: self.local_capacity,
            degraded_ttl: self.degraded_ttl,
            alone,
        };
        Arc::new(Local::new(settings, clock))
    }

    fn engine(
        self,
        local: Arc<Local>,
        store: Arc<dyn RemoteStore>,
        clock: Clock,
        renews: bool,
    ) -> Engine {
        let settings = Settings {
            namespace: self.prefix(),
            max_value: self.max_value,
            lease: self.lease,
            renews,
            budget: renews.then_some(self.budget),
            keeps_here: self.local_capacity > 0,
        };
        Engine::new(local, store, clock, settings)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address holds a password.
        f.debug_struct("Builder")
            .field("redis", &self.redis.is_some())
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}
