//! The scenarios of figures: what is right about them, on every server, and
//! what becomes of them when the server changes, refuses or is away.

mod access;
mod big_keys;
mod cache;
#[cfg(feature = "cluster")]
mod cluster;
mod exported;
mod outage;
mod server;
mod slow_log;

use std::time::Duration;

use cacheable_runtime::{Finding, Monitor, NodeStats, Policy, Runtime, ServerStats, Stats};
use cacheable_tests::RedisServer;
use cacheable_tests::store::{LONG, PATIENCE};

/// Short enough for a test to wait for many of it.
const OFTEN: Duration = Duration::from_millis(20);

/// A runtime over a server of the test's own.
async fn on(server: &RedisServer) -> Runtime {
    let builder = Runtime::builder().redis(server.url()).budget(PATIENCE);
    let runtime = builder.require_connection().build().await;
    runtime.expect("the server is up")
}

/// The next sample, which comes at last.
async fn next(monitor: &mut Monitor) -> Stats {
    let next = tokio::time::timeout(PATIENCE, monitor.next()).await;
    next.expect("a sample comes in time").expect("it goes on")
}

/// The one server.
#[track_caller]
fn node(stats: &Stats) -> &NodeStats {
    assert_eq!(stats.nodes.len(), 1, "{:?}", stats.nodes);
    &stats.nodes[0]
}

/// What the one server says.
#[track_caller]
fn server(stats: &Stats) -> &ServerStats {
    node(stats).server.as_ref().expect("it may be asked")
}

/// Loads a value by the handle, or hits it.
async fn read(runtime: &Runtime, key: &str) {
    let load = async || Ok::<_, ()>(6);
    let cache = runtime.cache();
    let value = cache.get_or_load(key, Policy::new(LONG), load);
    assert_eq!(value.await, Ok(6));
}

/// What is wrong, in words.
fn said(findings: &[Finding]) -> String {
    let said: Vec<String> = findings.iter().map(Finding::to_string).collect();
    said.join("\n")
}

/// The compiler is the test: samples can be kept and sent, and so can a
/// monitor and what its futures are.
#[tokio::test]
async fn what_is_told_can_be_sent_and_shared() {
    fn shared<T: Send + Sync + Unpin + Clone>(_: &T) {}
    fn sent<T: Send>(value: T) -> T {
        value
    }
    let runtime = Runtime::embedded();
    let stats = sent(runtime.stats()).await.expect("there is no server");
    shared(&stats);
    shared(&stats.findings());
    let mut monitor = sent(runtime.monitor(OFTEN));
    shared(&sent(monitor.next()).await.expect("it goes on"));
    assert!(sent(runtime.big_keys().run()).await.is_err());
}
