//! The stores that the cases run over.

use std::time::Duration;

#[cfg(feature = "cluster")]
use crate::redis_cluster::RedisCluster;
use crate::redis_server::RedisServer;
use cacheable_runtime::{Builder, ManualClock, Runtime};

/// Long enough to be there when the test ends.
pub const LONG: Duration = Duration::from_secs(600);

/// How long anything may take that must happen at last.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// One store, for one case: what it keeps is seen by no other case.
#[derive(Debug)]
pub struct Store {
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// The only runtime that this store can have.
    Embedded(Runtime),
    /// The address of a server or a cluster, and a namespace there.
    Redis(fn() -> String, String),
}

impl Store {
    /// In this process.
    pub fn embedded() -> Self {
        Self {
            place: Place::Embedded(Runtime::embedded()),
        }
    }

    /// On the server that all tests of this binary share.
    pub fn redis() -> Self {
        Self {
            place: Place::Redis(
                || RedisServer::shared().url(),
                RedisServer::shared().namespace(),
            ),
        }
    }

    /// On the cluster that all tests of this binary share.
    #[cfg(feature = "cluster")]
    pub fn cluster() -> Self {
        Self {
            place: Place::Redis(
                || RedisCluster::shared().url(),
                RedisCluster::shared().namespace(),
            ),
        }
    }

    /// Whether what it is told comes from several servers, each in an order of its own.
    pub fn is_cluster(&self) -> bool {
        matches!(self.place, Place::Redis(url, _) if url().starts_with("redis+cluster"))
    }

    /// Another store of this kind, on the same server if there is one.
    pub fn neighbour(&self) -> Self {
        match self.place {
            Place::Embedded(_) => Self::embedded(),
            Place::Redis(url, _) => Self {
                place: Place::Redis(url, RedisServer::shared().namespace()),
            },
        }
    }

    /// A runtime over this store. On Redis each is as good as a process of its
    /// own: it shares nothing with the others but the server.
    pub async fn runtime(&self) -> Runtime {
        match &self.place {
            Place::Embedded(runtime) => runtime.clone(),
            Place::Redis(..) => self.runtime_with(|builder| builder).await,
        }
    }

    /// A runtime, and what makes time pass for it; an embedded one has its own
    /// entries.
    pub async fn timed(&self) -> (Runtime, Time) {
        let clock = match self.place {
            Place::Embedded(_) => Some(ManualClock::new()),
            Place::Redis(..) => None,
        };
        let adjust = |builder: Builder| match &clock {
            Some(clock) => builder.clock(clock),
            None => builder,
        };
        (self.runtime_with(adjust).await, Time(clock))
    }

    /// What another process would have that shares this runtime's entries: the
    /// same runtime where there can be no other.
    pub async fn beside(&self, runtime: &Runtime) -> Runtime {
        match self.place {
            Place::Embedded(_) => runtime.clone(),
            Place::Redis(..) => self.runtime().await,
        }
    }

    /// A runtime of this kind with settings of its own; an embedded one has
    /// its own entries, too.
    pub async fn runtime_with(&self, adjust: impl FnOnce(Builder) -> Builder) -> Runtime {
        let builder = match &self.place {
            Place::Embedded(_) => Runtime::builder(),
            Place::Redis(url, namespace) => Runtime::builder()
                .redis(url())
                .namespace(namespace)
                // On a machine that is busy with other tests.
                .budget(PATIENCE)
                .connect_timeout(PATIENCE)
                .command_timeout(PATIENCE)
                .require_connection(),
        };
        let runtime = adjust(builder).build().await;
        runtime.expect("the settings are right, and the shared server is up")
    }
}

/// A hit reads the clock of the system's timer, which is so late at most.
const TICK: Duration = Duration::from_millis(20);

/// Time that passes at once, or as it does where a server keeps it.
#[derive(Clone, Debug)]
pub struct Time(Option<ManualClock>);

impl Time {
    /// Lets so much of it pass.
    pub async fn pass(&self, duration: Duration) {
        match &self.0 {
            Some(clock) => clock.advance(duration),
            None => tokio::time::sleep(duration + TICK).await,
        }
    }
}
