//! When to stop asking a server that does not answer.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Open: no command is sent. Opened by answers that do not come, or that say
/// that the server is of no use now; closed by the supervisor's own question.
#[derive(Default)]
pub(super) struct Breaker {
    strikes: AtomicU32,
    open: AtomicBool,
}

/// So many commands in a row without an answer in time.
const STRIKES: u32 = 3;

impl Breaker {
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// A command was answered.
    pub(super) fn answered(&self) {
        // Without a write that every command would share.
        if self.strikes.load(Ordering::Relaxed) != 0 {
            self.strikes.store(0, Ordering::Relaxed);
        }
    }

    /// A command was not answered in time. `true`: that opened it.
    pub(super) fn strike(&self) -> bool {
        let strikes = self.strikes.fetch_add(1, Ordering::Relaxed) + 1;
        strikes >= STRIKES && self.open()
    }

    /// `true`: it was closed.
    pub(super) fn open(&self) -> bool {
        !self.open.swap(true, Ordering::SeqCst)
    }

    pub(super) fn close(&self) {
        self.strikes.store(0, Ordering::Relaxed);
        self.open.store(false, Ordering::SeqCst);
    }
}
