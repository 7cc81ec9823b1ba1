//! Whether the machine itself stood still: figures of that time are not about us.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A thread that does nothing but see whether it gets its turn, until this is
/// dropped.
#[derive(Default)]
pub(crate) struct Standstill(Arc<Watched>);

#[derive(Default)]
struct Watched {
    over: AtomicBool,
    /// In microseconds.
    longest: AtomicU64,
}

const TURN: Duration = Duration::from_millis(5);

impl Standstill {
    pub(crate) fn watch() -> Self {
        let standstill = Self::default();
        let watched = Arc::clone(&standstill.0);
        thread::spawn(move || {
            while !watched.over.load(Ordering::Relaxed) {
                let start = Instant::now();
                thread::sleep(TURN);
                let late = start.elapsed().saturating_sub(TURN).as_micros();
                let late = u64::try_from(late).unwrap_or(u64::MAX);
                watched.longest.fetch_max(late, Ordering::Relaxed);
            }
        });
        standstill
    }

    /// By how much the longest turn came late.
    pub(crate) fn longest(&self) -> Duration {
        Duration::from_micros(self.0.longest.load(Ordering::Relaxed))
    }
}

impl Drop for Standstill {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}
