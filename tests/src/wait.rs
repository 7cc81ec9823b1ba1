//! Waiting for a condition instead of for a time.

use std::thread;
use std::time::{Duration, Instant};

/// Asks until `condition` holds; panics, naming `what`, when it does not by the deadline.
///
/// It blocks its thread: an async test that must go on meanwhile runs it
/// under `spawn_blocking`.
#[track_caller]
pub fn wait_until(what: &str, deadline: Duration, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < deadline,
            "{what}: not so within {deadline:?}"
        );
        thread::sleep(Duration::from_millis(2));
    }
}
