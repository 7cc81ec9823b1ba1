//! The stores that the cases run over.

use cacheable_runtime::{Builder, Runtime};
use cacheable_tests::RedisServer;

/// One store, for one case: what it keeps is seen by no other case.
pub(crate) struct Store {
    place: Place,
}

enum Place {
    /// The only runtime that this store can have.
    Embedded(Runtime),
    /// A namespace of the server.
    Redis(String),
}

impl Store {
    pub(crate) fn embedded() -> Self {
        Self {
            place: Place::Embedded(Runtime::embedded()),
        }
    }

    pub(crate) fn redis() -> Self {
        Self {
            place: Place::Redis(RedisServer::shared().namespace()),
        }
    }

    /// A runtime over this store. On Redis each is as good as a process of its
    /// own: it shares nothing with the others but the server.
    pub(crate) async fn runtime(&self) -> Runtime {
        self.runtime_with(|builder| builder).await
    }

    pub(crate) async fn runtime_with(&self, adjust: impl FnOnce(Builder) -> Builder) -> Runtime {
        match &self.place {
            Place::Embedded(runtime) => runtime.clone(),
            Place::Redis(namespace) => {
                let builder = Runtime::builder()
                    .redis(RedisServer::shared().url())
                    .namespace(namespace)
                    .require_connection();
                adjust(builder)
                    .build()
                    .await
                    .expect("the shared server is up")
            }
        }
    }
}
