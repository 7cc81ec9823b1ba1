//! What each argument of the attributes does to calls and entries.

mod identity;
mod invalidate;
mod keys;
mod lives;
mod options;
mod values;

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the bodies that ran.
#[derive(Debug, Default)]
struct Loads(AtomicU64);

impl Loads {
    /// Which load this is, from 1 on.
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    /// How many bodies three calls in a row run.
    async fn of_three<T>(&self, call: impl AsyncFn() -> T) -> u64 {
        let before = self.count();
        for _ in 0..3 {
            call().await;
        }
        self.count() - before
    }
}
