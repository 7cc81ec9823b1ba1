//! What all of the primitives stand on.

use std::sync::Arc;
use std::time::Duration;

use super::{limiter, lock, pubsub, session};
#[cfg(feature = "redis")]
use crate::conn::Routes;
#[cfg(feature = "redis")]
use crate::conn::subscribe::Subscriptions;
use crate::observe::Figures;
use crate::time::Clock;

/// One runtime, as its primitives see it.
pub(crate) struct Ground {
    /// What every key and channel begins with, its colon included.
    namespace: String,
    clock: Clock,
    patience: Patience,
    /// `None`: all is in this process.
    #[cfg(feature = "redis")]
    server: Option<Server>,
    /// What was done on it.
    pub(crate) figures: Arc<Figures>,
    pub(super) limits: limiter::Memory,
    pub(super) locks: lock::Memory,
    pub(super) messages: pubsub::Memory,
    pub(super) sessions: session::Memory,
}

/// How long to wait for a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For one command.
    pub(crate) command: Duration,
    /// For what is only an aid to a call, and can be done without.
    pub(crate) budget: Duration,
}

#[cfg(feature = "redis")]
pub(crate) struct Server {
    pub(crate) routes: Arc<Routes>,
    pub(crate) subscriptions: Subscriptions,
}

impl Ground {
    pub(crate) fn new(
        namespace: String,
        clock: Clock,
        patience: Patience,
        #[cfg(feature = "redis")] server: Option<Server>,
    ) -> Arc<Self> {
        let figures = Arc::<Figures>::default();
        Arc::new(Self {
            namespace,
            clock,
            patience,
            #[cfg(feature = "redis")]
            server,
            limits: limiter::Memory::new(&figures),
            figures,
            locks: lock::Memory::default(),
            messages: pubsub::Memory::default(),
            sessions: session::Memory::default(),
        })
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn patience(&self) -> Patience {
        self.patience
    }

    #[cfg(feature = "redis")]
    pub(super) fn server(&self) -> Option<&Server> {
        self.server.as_ref()
    }

    /// Ends what runs in the background. Handles return
    /// [`ErrorKind::ShutDown`](crate::ErrorKind::ShutDown) from then on, as
    /// far as they need a server.
    pub(crate) async fn close(&self, deadline: Duration) {
        #[cfg(feature = "redis")]
        if let Some(server) = &self.server {
            self.locks.close(deadline).await;
            server.subscriptions.close(deadline).await;
        }
        #[cfg(not(feature = "redis"))]
        let _ = deadline;
        self.messages.close();
    }
}
