//! Waiting for a condition instead of for a time.

use std::thread;
use std::time::{Duration, Instant};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(2);

/// Asks until `condition` holds; panics, naming `what`, when it does not by the deadline.
///
/// It blocks its thread; async tests have [`eventually`].
#[track_caller]
pub fn wait_until(what: &str, deadline: Duration, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < deadline,
            "{what}: not so within {deadline:?}"
        );
        thread::sleep(PAUSE);
    }
}

/// [`wait_until`] for conditions that are found out by awaiting.
pub async fn eventually(what: &str, deadline: Duration, mut condition: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !condition().await {
            tokio::time::sleep(PAUSE).await;
        }
    };
    let outcome = tokio::time::timeout(deadline, wait).await;
    assert!(outcome.is_ok(), "{what}: not so within {deadline:?}");
}
