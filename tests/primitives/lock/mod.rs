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

/// What is kept of a lock: its owner, until when it is held in microseconds, and
/// the last fence. `None`: nothing, or something else.
fn kept(server: &RedisServer, key: &str) -> Option<([u8; 16], u64, u64)> {
    let value: Option<Vec<u8>> = server.command(&["GET", key]);
    let value: [u8; 31] = value?.try_into().ok()?;
    let number = |from: usize| {
        let bytes = value[from..from + 7].iter();
        bytes.fold(0, |number, byte| number << 8 | u64::from(*byte))
    };
    Some((value[..16].try_into().unwrap(), number(16), number(23)))
}

/// Keeps a last fence, of a lock that nobody holds.
fn keep(server: &RedisServer, key: &str, fence: u64) {
    let mut value = vec![0; 31];
    value[23..30].copy_from_slice(&fence.to_be_bytes()[1..]);
    let mut set = ::redis::cmd("SET");
    set.arg(key).arg(value);
    set.exec(&mut server.connect()).unwrap();
}

/// Whether somebody holds it.
fn is_held(server: &RedisServer, key: &str) -> bool {
    let (seconds, micros): (u64, u64) = server.command(&["TIME"]);
    kept(server, key).is_some_and(|(_, until, _)| until > seconds * 1_000_000 + micros)
}

#[track_caller]
fn is_lost<T: std::fmt::Debug>(result: Result<T, Error>, fence: u64) {
    let error = result.expect_err("the lock was lost");
    assert_eq!(error.kind(), ErrorKind::LockLost, "{error}");
    assert!(error.is_lock_lost());
    assert!(error.to_string().contains(&fence.to_string()), "{error}");
}
