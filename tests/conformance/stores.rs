//! One function for each store that the cases run over.

use std::time::Duration;

use cacheable_runtime::{Cache, Runtime};
use cacheable_tests::RedisServer;

/// An empty store, and what looks at it.
pub(crate) struct Subject {
    pub(crate) runtime: Runtime,
    pub(crate) cache: Cache,
    /// Another runtime over the same entries, as another process would be.
    pub(crate) sibling: Runtime,
    /// Another service, which must not notice the first.
    pub(crate) neighbour: Runtime,
}

pub(crate) async fn embedded() -> Subject {
    let runtime = Runtime::embedded();
    // Nobody else can reach into a process: the same runtime stands in.
    subject(runtime.clone(), runtime, Runtime::embedded())
}

pub(crate) async fn redis() -> Subject {
    let server = RedisServer::shared();
    let namespace = server.namespace();
    let connect = async |namespace: String| {
        let builder = Runtime::builder().redis(server.url()).namespace(namespace);
        builder.require_connection().build().await.unwrap()
    };
    subject(
        connect(namespace.clone()).await,
        connect(namespace).await,
        connect(server.namespace()).await,
    )
}

fn subject(runtime: Runtime, sibling: Runtime, neighbour: Runtime) -> Subject {
    Subject {
        cache: runtime.cache(),
        runtime,
        sibling,
        neighbour,
    }
}

/// Long enough to be there when the test ends.
pub(crate) const LONG: Duration = Duration::from_secs(600);

/// How long anything may take that must happen at last.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
