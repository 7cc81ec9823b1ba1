//! Waiting for a load of another process.

use std::time::{Duration, Instant};

use super::read::MAX_DISPERSALS;
use super::{Engine, Settings, flight};
use crate::local::Ticket;

/// How long to wait for another process's load, and how often to look.
///
/// A load that lives is waited for, however long it takes: a dead one ends
/// with its lease, or, in a store whose leases do not end, is given up after a
/// long time. A call inside a body does not wait longer than one lease, since
/// the other load may be waiting for this very body.
pub(super) struct Patience {
    left: Duration,
    pause: Duration,
    lease: Vec<u8>,
    loads: usize,
}

impl Patience {
    pub(super) fn new(settings: &Settings) -> Self {
        let left = if flight::is_inside() {
            settings.lease
        } else if settings.renews {
            Duration::MAX
        } else {
            settings.lease * flight::LONGEST_WAIT
        };
        Self {
            left,
            pause: Duration::from_millis(2),
            lease: Vec::new(),
            loads: 0,
        }
    }

    /// Whether the wait has lasted long enough to wonder if the load can end:
    /// a store that takes no writes lets it neither fill nor give up.
    pub(super) fn wonders(&self) -> bool {
        self.pause >= Duration::from_millis(32)
    }

    /// Waits for the load under `lease`: until the store tells of a change, or
    /// for a while, since it may not. `false`: the patience is used up.
    pub(super) async fn wait(&mut self, engine: &Engine, lease: &[u8], ticket: &Ticket) -> bool {
        // A change that is told is not waited for in vain; one that is not,
        // such as the end of a lease, is found by looking.
        let longest = if engine.local().follows() && engine.settings().renews {
            Duration::from_millis(250)
        } else {
            Duration::from_millis(25)
        };
        if self.lease != lease {
            self.lease = lease.to_vec();
            self.loads += 1;
        }
        // Without a timer there is no waiting.
        let timeless = tokio::runtime::Handle::try_current().is_err();
        if self.left.is_zero() || self.loads > MAX_DISPERSALS || timeless {
            return false;
        }
        let pause = self.pause.min(self.left);
        let began = Instant::now();
        drop(tokio::time::timeout(pause, engine.local().changed(ticket)).await);
        self.left = self.left.saturating_sub(began.elapsed());
        self.pause = (self.pause * 2).min(longest);
        true
    }
}
