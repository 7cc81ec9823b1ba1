//! What the holder of a lock has in hand.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::hold::{Ended, Hold};
use super::request::check_ttl;
use crate::error::Error;
use crate::sync::{Mutex, lock};

/// A lock that is held. Dropped, it is released in the background.
///
/// It is held until its time to live has run out *on the clock of this
/// process*, counted from before it was asked for, less one per cent and 2 ms.
/// So the loss is known here before anybody else can hold the lock, without an
/// answer of the server. On Linux that clock goes on while the machine is
/// suspended.
///
/// It renews itself if [`renew`](super::LockRequest::renew) was asked for.
#[must_use = "the lock is released when this is dropped"]
pub struct LockGuard {
    hold: Arc<Hold>,
    renewal: Mutex<Option<JoinHandle<()>>>,
    /// Nothing is left to be released.
    settled: AtomicBool,
}

/// What came of releasing a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Release {
    /// It was held, and is free.
    Released,
    /// It had expired, or had been removed. Nobody holds it.
    Expired,
    /// It had expired, and somebody else holds it.
    NotOwner,
}

impl LockGuard {
    pub(super) fn new(hold: Hold, renews: Option<Duration>) -> Self {
        let hold = Arc::new(hold);
        let renewal = renews.and_then(|ttl| {
            let runtime = hold.slot.runtime.as_ref()?;
            let running = hold.slot.ground.locks.background.begin();
            Some(runtime.spawn(Arc::clone(&hold).renew(ttl, running)))
        });
        Self {
            hold,
            renewal: Mutex::new(renewal),
            settled: AtomicBool::new(false),
        }
    }

    /// A number greater than that of every holder before. Hand it to what the
    /// lock protects, and have that refuse a smaller one than it has seen: then
    /// even a holder that was stopped for minutes, and has not noticed yet,
    /// can do no harm.
    pub fn fence(&self) -> u64 {
        self.hold.fence
    }

    /// The name of the lock.
    pub fn name(&self) -> &str {
        &self.hold.slot.name
    }

    /// For how long it is still held, unless it is extended. Zero: it is lost.
    pub fn remaining(&self) -> Duration {
        self.hold.remaining()
    }

    /// Whether it is held now. It looks at the clock, and asks nobody.
    pub fn is_held(&self) -> bool {
        self.hold.ended().is_none()
    }

    /// [`is_held`](Self::is_held), for `?` before each step of the work.
    ///
    /// # Errors
    /// [`is_lock_lost`](Error::is_lock_lost).
    pub fn check(&self) -> Result<(), Error> {
        self.hold.check()
    }

    /// Waits until the lock is lost, and says why.
    ///
    /// # Cancellation
    /// It can be dropped and called again at any time.
    pub async fn lost(&self) -> Error {
        self.hold.lost().await
    }

    /// The same lock for others to look at, such as tasks that work under it.
    pub fn watch(&self) -> HeldLock {
        HeldLock {
            hold: Arc::clone(&self.hold),
        }
    }

    /// Holds it for `ttl` from now on. It never shortens a lock, never brings
    /// back one that is lost, and never goes beyond
    /// [`max_hold`](super::LockRequest::max_hold).
    ///
    /// # Errors
    /// [`is_lock_lost`](Error::is_lock_lost): it is not held any more.
    /// [`is_unavailable`](Error::is_unavailable): the server did not answer; it
    /// is held as before. [`ErrorKind::Argument`](crate::ErrorKind::Argument):
    /// `ttl` is below 10 ms or above a year.
    ///
    /// # Cancellation
    /// Dropped, it may have lengthened the lock or not.
    pub async fn extend(&self, ttl: Duration) -> Result<(), Error> {
        check_ttl(ttl)?;
        self.hold.extend(ttl).await
    }

    /// Releases the lock, and says whether it was held to the end. Called
    /// again, it finds [`Expired`](Release::Expired) or
    /// [`NotOwner`](Release::NotOwner), and touches nobody's lock.
    ///
    /// # Errors
    /// The server cannot be reached. When the guard is dropped the release is
    /// tried again in the background; at the latest the lock expires.
    ///
    /// # Cancellation
    /// Dropped, the lock is not held any more, and the drop of the guard
    /// releases it.
    pub async fn release(&self) -> Result<Release, Error> {
        // No step is taken under it from here on, and nothing renews it.
        let was_held = self.is_held();
        self.hold.end(Ended::Released);
        let renewal = lock(&self.renewal).take();
        if let Some(renewal) = renewal {
            // Its end is not waited for, since the Tokio runtime it is on may
            // stand still. A question that is on its way makes no lock.
            renewal.abort();
        }
        let until = if was_held {
            self.hold.until()
        } else {
            Duration::ZERO
        };
        let release = self.hold.slot.release(until).await?;
        let found = match release {
            Release::Expired if was_held => Ended::Missing,
            Release::NotOwner if was_held => Ended::Taken,
            _ => Ended::Released,
        };
        self.settle(found);
        Ok(release)
    }

    /// Nothing is left to be released. What ended it counts, once, unless it
    /// was lost before.
    fn settle(&self, found: Ended) {
        let settled = self.settled.swap(true, Ordering::SeqCst);
        if settled || self.hold.ended() != Some(Ended::Released) {
            return;
        }
        let figures = self.hold.slot.ground.figures.locks();
        match found.loss() {
            Some(loss) => figures.lost(loss),
            None => figures.released(),
        }
    }
}

impl Drop for LockGuard {
    fn drop(&mut self) {
        let known = matches!(self.hold.ended(), Some(Ended::Missing | Ended::Taken));
        self.hold.end(Ended::Released);
        if let Some(renewal) = lock(&self.renewal).take() {
            renewal.abort();
        }
        if !known && !self.settled.load(Ordering::SeqCst) {
            self.settle(Ended::Released);
            let slot = Arc::clone(&self.hold.slot);
            slot.release_later(self.hold.until(), false);
        }
    }
}

impl fmt::Debug for LockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hold.show(f, "LockGuard")
    }
}

/// A lock that is held elsewhere, to be looked at: what the body of
/// [`with_lock`](super::Locks::with_lock) is given, and
/// [`LockGuard::watch`] returns. Cheap to clone; it holds nothing itself.
#[derive(Clone)]
pub struct HeldLock {
    hold: Arc<Hold>,
}

impl HeldLock {
    pub(super) fn hold(&self) -> &Hold {
        &self.hold
    }

    /// See [`LockGuard::fence`].
    pub fn fence(&self) -> u64 {
        self.hold.fence
    }

    /// The name of the lock.
    pub fn name(&self) -> &str {
        &self.hold.slot.name
    }

    /// See [`LockGuard::remaining`].
    pub fn remaining(&self) -> Duration {
        self.hold.remaining()
    }

    /// See [`LockGuard::is_held`].
    pub fn is_held(&self) -> bool {
        self.hold.ended().is_none()
    }

    /// [`is_held`](Self::is_held), for `?` before each step of the work.
    ///
    /// # Errors
    /// [`is_lock_lost`](Error::is_lock_lost).
    pub fn check(&self) -> Result<(), Error> {
        self.hold.check()
    }

    /// Waits until the lock is lost or released, and says which.
    ///
    /// # Cancellation
    /// It can be dropped and called again at any time.
    pub async fn lost(&self) -> Error {
        self.hold.lost().await
    }
}

impl fmt::Debug for HeldLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hold.show(f, "HeldLock")
    }
}

impl Hold {
    /// Without its owner, which would let others release it.
    fn show(&self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        f.debug_struct(name)
            .field("name", &self.slot.name)
            .field("fence", &self.fence)
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}
