//! The scenarios of `lock`.

mod faults;
mod held;
mod lost;
mod model;
mod mutual;
mod processes;
mod replicas;
mod waiting;

use std::time::Duration;

use cacheable_runtime::{Builder, Error, ErrorKind, Runtime};
use cacheable_tests::RedisServer;

const SECOND: Duration = Duration::from_secs(1);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A runtime on a server, as good as a process of its own.
async fn on(url: &str, namespace: &str) -> Runtime {
    with(url, namespace, Builder::require_connection).await
}

async fn with(url: &str, namespace: &str, adjust: impl FnOnce(Builder) -> Builder) -> Runtime {
    let builder = Runtime::builder()
        .redis(url)
        .namespace(namespace)
        .budget(10 * SECOND);
    adjust(builder)
        .build()
        .await
        .expect("the settings are right")
}

/// The key of a lock whose name stands in it as it is.
fn key(namespace: &str, name: &str) -> String {
    format!("{namespace}:lock:{{{name}}}")
}

fn exists(server: &RedisServer, key: &str) -> bool {
    server.command::<u8>(&["EXISTS", key]) == 1
}

#[track_caller]
fn is_lost<T: std::fmt::Debug>(result: Result<T, Error>, fence: u64) {
    let error = result.expect_err("the lock was lost");
    assert_eq!(error.kind(), ErrorKind::LockLost, "{error}");
    assert!(error.is_lock_lost());
    assert!(error.to_string().contains(&fence.to_string()), "{error}");
}
