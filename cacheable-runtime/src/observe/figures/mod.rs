//! What the primitives did: locks, limits, sessions and messages.
//!
//! Everything is counted once, in a [`Figures`] of the runtime, whether or not
//! the feature `metrics` is on; with it, the facade has the same. What is
//! exported has labels whose values stand in this source, and the names of
//! policies: never the name of a lock or a channel, a user or an id.

mod limits;
mod locks;
mod messages;
mod meter;
mod sessions;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use once_cell::sync::Lazy;

pub use limits::RateCounts;
pub(crate) use limits::{Checked, CheckedBy, RateMeter, RateNumbers};
pub use locks::LockCounts;
pub(crate) use locks::{LockFigures, LockLoss, LockOutcome, LockWait};
pub use messages::MessageCounts;
pub(crate) use messages::{MessageFigures, Mode};
#[cfg(feature = "redis")]
pub(crate) use meter::script_reloads;
pub(crate) use sessions::SessionOp;
pub use sessions::{OperationCounts, SessionCounts};

/// The figures of one runtime's primitives. Those that have few series, all of
/// them known, make them when they are first used, so that each is there with a
/// zero before it counts.
#[derive(Default)]
pub(crate) struct Figures {
    locks: Lazy<LockFigures>,
    limits: Arc<RateNumbers>,
    sessions: sessions::SessionFigures,
    messages: Lazy<MessageFigures>,
}

/// All of them at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) locks: LockCounts,
    pub(crate) limits: RateCounts,
    pub(crate) sessions: SessionCounts,
    pub(crate) messages: MessageCounts,
}

impl Figures {
    pub(crate) fn locks(&self) -> &LockFigures {
        &self.locks
    }

    /// Somebody asks for a lock.
    pub(crate) fn lock_wait(self: &Arc<Self>) -> LockWait {
        LockWait::begin(Arc::clone(self))
    }

    /// The figures of a policy of this name, which count in the total, too.
    pub(crate) fn policy(&self, name: &str) -> RateMeter {
        RateMeter::new(name, Arc::clone(&self.limits))
    }

    pub(crate) fn sessions(&self) -> &sessions::SessionFigures {
        &self.sessions
    }

    pub(crate) fn messages(&self) -> &MessageFigures {
        &self.messages
    }

    /// It does not make series that nobody has counted in.
    pub(crate) fn snapshot(&self) -> Counted {
        let locks = Lazy::get(&self.locks).map(LockFigures::snapshot);
        let messages = Lazy::get(&self.messages).map(MessageFigures::snapshot);
        Counted {
            locks: locks.unwrap_or_default(),
            limits: self.limits.snapshot(),
            sessions: self.sessions.snapshot(),
            messages: messages.unwrap_or_default(),
        }
    }
}
