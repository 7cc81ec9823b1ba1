//! What is asked for, and how.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;

use super::super::{Ground, name};
use super::attempt::Attempt;
use super::guard::{HeldLock, LockGuard, Release};
use super::hold::{Ended, Hold};
use crate::error::{Error, ErrorKind};
use crate::observe::LockOutcome;

/// A lock that is about to be asked for, from
/// [`Locks::lock`](super::Locks::lock).
///
/// ```
/// use cacheable_runtime::Runtime;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cacheable_runtime::Error> {
/// let locks = Runtime::embedded().locks();
/// let sum = locks
///     .lock("report:2026")
///     .ttl(Duration::from_secs(10))
///     .wait(Duration::from_secs(2))
///     .max_hold(Duration::from_secs(60))
///     .run(|held| async move { held.fence() > 0 })
///     .await?;
/// assert!(sum);
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "nothing is asked for until `acquire`, `try_acquire` or `run`"]
pub struct LockRequest {
    ground: Arc<Ground>,
    name: String,
    terms: Terms,
    wait: Option<Duration>,
    renew: Option<bool>,
    on_lost: OnLost,
}

/// What a lock is held under.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) ttl: Duration,
    pub(super) renews: bool,
    pub(super) max_hold: Option<Duration>,
    /// How many, and how long to wait for them.
    pub(super) replicas: Option<(usize, Duration)>,
}

/// What becomes of the body of [`LockRequest::run`] when its lock is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnLost {
    /// It is dropped at its next `await`. Default.
    #[default]
    Drop,
    /// It is let go on to its end, and can look at its [`HeldLock`]. The call
    /// returns the loss nevertheless.
    Finish,
}

/// With less there is no time to work in before it ends.
const SHORTEST: Duration = Duration::from_millis(10);
/// What is held for longer is no lease.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl LockRequest {
    pub(super) fn new(ground: Arc<Ground>, name: String) -> Self {
        Self {
            ground,
            name,
            terms: Terms {
                ttl: Duration::from_secs(30),
                renews: false,
                max_hold: None,
                replicas: None,
            },
            wait: None,
            renew: None,
            on_lost: OnLost::Drop,
        }
    }

    /// How long the lock is held unless it is renewed or released: how long
    /// others wait for it when its holder crashes. From 10 ms to a year.
    /// Default: 30 seconds.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.terms.ttl = ttl;
        self
    }

    /// How long to wait for a lock that somebody else holds, or for a server
    /// that is away. Zero: it is tried once. Default: as long as `ttl`.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = Some(wait);
        self
    }

    /// Whether the lock is renewed at a third of its `ttl`, on a task of its
    /// own, for as long as it is held. Default: in [`run`](Self::run) it is, a
    /// guard is not.
    pub fn renew(mut self, renew: bool) -> Self {
        self.renew = Some(renew);
        self
    }

    /// The lock counts as lost when it was held for so long, whatever was
    /// renewed: the end of a holder that lives and makes no progress.
    /// Default: none.
    pub fn max_hold(mut self, max_hold: Duration) -> Self {
        self.terms.max_hold = Some(max_hold);
        self
    }

    /// The lock is held only once so many replicas have it, which they have to
    /// acknowledge in so long (`WAIT`). It opens a connection for each lock
    /// that it takes. Where a replica that has not acknowledged it becomes the
    /// primary, somebody else can hold it at the same time nevertheless; only
    /// the [fence](LockGuard::fence) tells them apart. An embedded store has
    /// no replicas, and nothing to lose to one. Default: none.
    pub fn wait_replicas(mut self, replicas: usize, patience: Duration) -> Self {
        self.terms.replicas = (replicas > 0).then_some((replicas, patience));
        self
    }

    /// What becomes of the body of [`run`](Self::run) when the lock is lost.
    /// Default: it is dropped.
    pub fn on_lost(mut self, on_lost: OnLost) -> Self {
        self.on_lost = on_lost;
        self
    }

    fn attempt(&self, renews: bool) -> Result<Attempt, Error> {
        name::check("lock", &self.name)?;
        check_ttl(self.terms.ttl)?;
        let mut terms = self.terms;
        terms.renews = self.renew.unwrap_or(renews);
        if let Some(max_hold) = terms.max_hold {
            check_life("max_hold", max_hold)?;
        }
        Ok(Attempt::new(&self.ground, &self.name, terms))
    }

    /// Asks once. `None`: somebody else holds it.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire), but none for a lock that is held.
    ///
    /// # Cancellation
    /// Dropped, what it may have taken is released in the background.
    pub async fn try_acquire(self) -> Result<Option<LockGuard>, Error> {
        let attempt = self.attempt(false)?;
        let wait = self.ground.figures.lock_wait();
        let answer = attempt.once().await;
        wait.over(match &answer {
            Ok(Some(_)) => LockOutcome::Acquired,
            Ok(None) => LockOutcome::Busy,
            Err(error) => outcome_of(error),
        });
        answer
    }

    /// Asks, and waits if somebody else holds it.
    ///
    /// Those who wait in one process are served in their order. Among
    /// processes there is none.
    ///
    /// # Errors
    /// - [`is_timeout`](Error::is_timeout): it was held by somebody else for as
    ///   long as `wait`; or the server did not answer.
    /// - [`is_unavailable`](Error::is_unavailable): the server was away all the
    ///   time. Both return by the end of `wait`; replicas are waited for after it.
    /// - [`ErrorKind::Server`]: the server refused, as when its memory is full.
    /// - [`ErrorKind::Replicas`]: too few replicas have acknowledged it.
    /// - [`ErrorKind::Argument`]: the name is empty, or `ttl` out of range.
    ///
    /// # Cancellation
    /// Dropped, it leaves the line, and what it may have taken is released in
    /// the background.
    pub async fn acquire(self) -> Result<LockGuard, Error> {
        self.acquire_for(false).await
    }

    async fn acquire_for(&self, renews: bool) -> Result<LockGuard, Error> {
        let wait = self.wait.unwrap_or(self.terms.ttl);
        let attempt = self.attempt(renews)?;
        let counted = self.ground.figures.lock_wait();
        let answer = attempt.within(wait).await;
        let outcome = answer.as_ref().err().map(outcome_of);
        counted.over(outcome.unwrap_or(LockOutcome::Acquired));
        answer
    }

    /// Runs `body` under the lock, and returns what it returns if the lock was
    /// held all the time.
    ///
    /// It waits for the lock as [`acquire`](Self::acquire) does, renews it, and
    /// drops the body when it is lost. When the body panics, or this future is
    /// dropped, the lock is released in the background.
    ///
    /// At the end it waits for the release, which tells whether the lock was
    /// there to the end: for as long as a command may take
    /// ([`command_timeout`](crate::Builder::command_timeout)), and no longer
    /// than the lock had to live. If the server says nothing in that time, the
    /// lock was held by the clock of this process: the value is returned, and
    /// the release is tried again in the background.
    ///
    /// # Errors
    /// [`is_lock_lost`](Error::is_lock_lost): the lock was lost while the body
    /// ran, and with it what the body returned. Else as
    /// [`acquire`](Self::acquire): the body was not begun.
    ///
    /// What the body itself returns, also a `Result`, is passed on as it is;
    /// `??` unwraps both where its error can be made of this one.
    ///
    /// # Cancellation
    /// Dropped, the body is dropped, then the lock released.
    pub async fn run<T, F, B>(self, body: B) -> Result<T, Error>
    where
        B: FnOnce(HeldLock) -> F,
        F: Future<Output = T>,
    {
        let guard = self.acquire_for(true).await?;
        let held = guard.watch();
        let result = under(held.hold(), self.on_lost, body(guard.watch())).await;
        // One that is lost is released in the background: its server may be away.
        let value = result?;
        guard.check()?;
        // Beyond its end nobody is kept out any more by what is not released.
        let least = self.ground.patience().budget;
        let release = timeout(guard.remaining().max(least), guard.release());
        match release.await {
            // It was held for longer than the body ran, by this clock. The drop
            // of the guard asks again, and what is not released expires.
            Ok(Ok(Release::Released) | Err(_)) | Err(_) => Ok(value),
            Ok(Ok(Release::Expired)) => Err(held.hold().error(Ended::Missing)),
            Ok(Ok(Release::NotOwner)) => Err(held.hold().error(Ended::Taken)),
        }
    }
}

/// The body goes no step further once the lock is lost. It is dropped when this
/// returns.
async fn under<T>(hold: &Hold, on_lost: OnLost, body: impl Future<Output = T>) -> Result<T, Error> {
    let mut body = pin!(body);
    let mut lost = pin!(hold.lost());
    std::future::poll_fn(|context| {
        if on_lost == OnLost::Drop {
            // Whoever was stopped for long finds the body woken, too, so the
            // clock is looked at first.
            hold.check()?;
            if let Poll::Ready(error) = lost.as_mut().poll(context) {
                return Poll::Ready(Err(error));
            }
        }
        body.as_mut().poll(context).map(Ok)
    })
    .await
}

/// As what an error counts.
fn outcome_of(error: &Error) -> LockOutcome {
    if error.kind() == ErrorKind::Timeout {
        LockOutcome::TimedOut
    } else {
        LockOutcome::Failed
    }
}

pub(super) fn check_ttl(ttl: Duration) -> Result<(), Error> {
    check_life("ttl", ttl)
}

fn check_life(what: &str, life: Duration) -> Result<(), Error> {
    if (SHORTEST..=LONGEST).contains(&life) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Argument,
        format!("the {what} of a lock is {life:?}: write one from 10 ms to 365 days"),
    ))
}

impl fmt::Debug for LockRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockRequest")
            .field("name", &self.name)
            .field("terms", &self.terms)
            .field("wait", &self.wait)
            .field("on_lost", &self.on_lost)
            .finish_non_exhaustive()
    }
}
