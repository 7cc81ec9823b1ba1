//! Locks that one holder in the fleet has at a time.

mod attempt;
mod background;
mod guard;
mod hold;
mod memory;
#[cfg(feature = "redis")]
mod redis;
mod request;
mod room;
mod slot;
mod ticks;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Ground;
use crate::error::Error;
pub use guard::{HeldLock, LockGuard, Release};
pub(super) use memory::Memory;
pub use request::{LockRequest, OnLost};

#[doc = include_str!("../../docs/locks.md")]
#[derive(Clone)]
pub struct Locks {
    ground: Arc<Ground>,
}

impl Locks {
    pub(crate) fn new(ground: Arc<Ground>) -> Self {
        Self { ground }
    }

    /// Runs `body` while this process holds the lock, and returns what it
    /// returns.
    ///
    /// Short for [`lock(name)`](Self::lock)`.ttl(ttl).`[`run(body)`](LockRequest::run):
    /// it waits for the lock for at most `ttl`, renews it at a third of `ttl`
    /// for as long as the body runs, drops the body when the lock is lost, and
    /// releases it at the end, also after a panic.
    ///
    /// ```
    /// use cacheable_runtime::Runtime;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cacheable_runtime::Error> {
    /// # async fn charge(_: u64) -> Result<(), String> { Ok(()) }
    /// let locks = Runtime::embedded().locks();
    /// let paid = locks
    ///     .with_lock("process:payment:456", Duration::from_secs(30), |held| async move {
    ///         charge(held.fence()).await
    ///     })
    ///     .await?;
    /// assert_eq!(paid, Ok(()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`is_lock_lost`](Error::is_lock_lost), else as
    /// [`LockRequest::run`].
    ///
    /// # Cancellation
    /// Dropped, the body is dropped, then the lock released.
    pub async fn with_lock<T, F, B>(&self, name: &str, ttl: Duration, body: B) -> Result<T, Error>
    where
        B: FnOnce(HeldLock) -> F,
        F: Future<Output = T>,
    {
        self.lock(name).ttl(ttl).run(body).await
    }

    /// Takes the lock if nobody holds it. It is held for `ttl`, and not
    /// renewed unless [`extend`](LockGuard::extend) is called.
    ///
    /// ```
    /// use cacheable_runtime::{Release, Runtime};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cacheable_runtime::Error> {
    /// let locks = Runtime::embedded().locks();
    /// let ttl = Duration::from_secs(30);
    /// if let Some(guard) = locks.try_acquire("import:job:123", ttl).await? {
    ///     assert!(locks.try_acquire("import:job:123", ttl).await?.is_none());
    ///     assert_eq!(guard.release().await?, Release::Released);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`LockRequest::try_acquire`].
    ///
    /// # Cancellation
    /// Dropped, what it may have taken is released in the background.
    pub async fn try_acquire(&self, name: &str, ttl: Duration) -> Result<Option<LockGuard>, Error> {
        self.lock(name).ttl(ttl).try_acquire().await
    }

    /// Takes the lock, and waits for it for at most `wait`. It is held for
    /// `ttl`, and not renewed unless [`extend`](LockGuard::extend) is called.
    ///
    /// ```
    /// use cacheable_runtime::Runtime;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cacheable_runtime::Error> {
    /// let locks = Runtime::embedded().locks();
    /// let (ttl, wait) = (Duration::from_secs(30), Duration::from_millis(20));
    /// let guard = locks.acquire("import:job:123", ttl, wait).await?;
    /// let second = locks.acquire("import:job:123", ttl, wait).await;
    /// assert!(second.unwrap_err().is_timeout());
    /// # drop(guard);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`is_timeout`](Error::is_timeout): somebody else held it all the time.
    /// Else as [`LockRequest::acquire`].
    ///
    /// # Cancellation
    /// Dropped, it leaves the line, and what it may have taken is released in
    /// the background.
    pub async fn acquire(
        &self,
        name: &str,
        ttl: Duration,
        wait: Duration,
    ) -> Result<LockGuard, Error> {
        self.lock(name).ttl(ttl).wait(wait).acquire().await
    }

    /// The lock of this name, to be asked for in other ways.
    pub fn lock(&self, name: impl Into<String>) -> LockRequest {
        LockRequest::new(Arc::clone(&self.ground), name.into())
    }
}

impl fmt::Debug for Locks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locks").finish_non_exhaustive()
    }
}
