//! Locks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Figures;
use super::meter::{Count, Times, counts};

counts! {
    /// What became of this process's locks.
    ///
    /// Each that was acquired is released or lost in the end, or held now.
    LockCounts {
        /// Calls that got the lock.
        acquired,
        /// Calls that asked once, while somebody else held it.
        busy,
        /// Calls that waited in vain: somebody else held it all the time, or no
        /// answer came.
        timed_out,
        /// Calls that were dropped before they knew.
        cancelled,
        /// Calls that returned another error.
        errors,
        /// Locks that were given back, or dropped while they were held.
        released,
        /// Lost: the time to live had run out.
        lost_expired,
        /// Lost: they were held for as long as `max_hold` allows.
        lost_max_hold,
        /// Lost: the store did not know of them any more.
        lost_missing,
        /// Lost: somebody else had them.
        lost_taken,
        /// How long the calls took that got the lock, together, in
        /// microseconds.
        acquire_micros,
        /// How long locks were held that are not held any more, together, in
        /// microseconds.
        held_micros,
    }
}

impl LockCounts {
    /// Locks that were lost, for whatever reason, while somebody worked under
    /// them.
    pub fn lost(&self) -> u64 {
        self.lost_expired + self.lost_max_hold + self.lost_missing + self.lost_taken
    }

    /// How long it took to get a lock, on average. `None`: none was got.
    pub fn mean_acquire_time(&self) -> Option<Duration> {
        let mean = self.acquire_micros.checked_div(self.acquired)?;
        Some(Duration::from_micros(mean))
    }

    /// How long locks were held, on average. `None`: none was given back or
    /// lost.
    pub fn mean_held_time(&self) -> Option<Duration> {
        let ended = self.released + self.lost();
        Some(Duration::from_micros(self.held_micros.checked_div(ended)?))
    }
}

/// What came of asking for a lock.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LockOutcome {
    Acquired,
    Busy,
    TimedOut,
    Cancelled,
    Failed,
}

/// Why one was lost.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LockLoss {
    Expired,
    MaxHold,
    Missing,
    Taken,
}

pub(crate) struct LockFigures {
    /// In the order of [`LockOutcome`].
    asked: [(AtomicU64, Times); 5],
    /// In the order of [`LockLoss`].
    lost: [Count; 4],
    released: Count,
    held: Times,
}

impl Default for LockFigures {
    fn default() -> Self {
        let asked = ["acquired", "busy", "timeout", "cancelled", "error"].map(|outcome| {
            let times = Times::new("cacheable_lock_acquire_seconds", &[("outcome", outcome)]);
            (AtomicU64::new(0), times)
        });
        let lost = ["expired", "max_hold", "missing", "taken"]
            .map(|reason| Count::new("cacheable_lock_lost_total", &[("reason", reason)]));
        Self {
            asked,
            lost,
            released: Count::new("cacheable_lock_released_total", &[]),
            held: Times::new("cacheable_lock_held_seconds", &[]),
        }
    }
}

impl LockFigures {
    /// One is not held any more, after so long.
    pub(crate) fn ended(&self, held: Duration) {
        self.held.add(held);
    }

    pub(crate) fn released(&self) {
        self.released.add(1);
    }

    pub(crate) fn lost(&self, why: LockLoss) {
        self.lost[why as usize].add(1);
    }

    fn asked(&self, outcome: LockOutcome, time: Duration) {
        let (count, times) = &self.asked[outcome as usize];
        count.fetch_add(1, Ordering::Relaxed);
        times.add(time);
    }

    pub(super) fn snapshot(&self) -> LockCounts {
        let asked = |outcome: LockOutcome| {
            let (count, _) = &self.asked[outcome as usize];
            count.load(Ordering::Relaxed)
        };
        let lost = |why: LockLoss| self.lost[why as usize].get();
        let (_, acquired) = &self.asked[LockOutcome::Acquired as usize];
        LockCounts {
            acquired: asked(LockOutcome::Acquired),
            busy: asked(LockOutcome::Busy),
            timed_out: asked(LockOutcome::TimedOut),
            cancelled: asked(LockOutcome::Cancelled),
            errors: asked(LockOutcome::Failed),
            released: self.released.get(),
            lost_expired: lost(LockLoss::Expired),
            lost_max_hold: lost(LockLoss::MaxHold),
            lost_missing: lost(LockLoss::Missing),
            lost_taken: lost(LockLoss::Taken),
            acquire_micros: acquired.micros(),
            held_micros: self.held.micros(),
        }
    }
}

/// Somebody asks for a lock, until this is told how it went. Dropped before
/// that, they were cancelled.
pub(crate) struct LockWait {
    figures: Arc<Figures>,
    began: Instant,
    outcome: LockOutcome,
}

impl LockWait {
    pub(super) fn begin(figures: Arc<Figures>) -> Self {
        Self {
            figures,
            began: Instant::now(),
            outcome: LockOutcome::Cancelled,
        }
    }

    pub(crate) fn over(mut self, outcome: LockOutcome) {
        self.outcome = outcome;
    }
}

impl Drop for LockWait {
    fn drop(&mut self) {
        let locks = self.figures.locks();
        locks.asked(self.outcome, self.began.elapsed());
    }
}
