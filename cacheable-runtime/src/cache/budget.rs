//! How long one call may wait for the store.

use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::Engine;
use crate::error::{Error, ErrorKind};
use crate::sync::in_time;

/// What one call has left to spend on the store.
pub(crate) struct Budget {
    /// In microseconds; `u64::MAX` for without limit.
    limit: u64,
    left: AtomicU64,
}

impl Budget {
    /// Without one, for a store that is always there.
    const UNLIMITED: u64 = u64::MAX;

    pub(super) fn new(limit: Option<Duration>) -> Self {
        let limit = limit.map_or(Self::UNLIMITED, |limit| micros(limit).min(u64::MAX - 1));
        Self {
            limit,
            left: AtomicU64::new(limit),
        }
    }

    /// All of it again, for a call that has waited for something else.
    pub(crate) fn renew(&self) {
        self.left.store(self.limit, Ordering::Relaxed);
    }

    /// Awaits an answer of the store for as long as there is something left. A
    /// store that does not answer in time is told so, and may be left alone.
    ///
    /// What is behind a pointer already: any other future would be moved, and
    /// take its room more than once.
    pub(crate) async fn spend<T>(
        &self,
        engine: &Engine,
        answer: impl Future<Output = Result<T, Error>> + Unpin,
    ) -> Result<T, Error> {
        let left = self.left.load(Ordering::Relaxed);
        if left == Self::UNLIMITED {
            return answer.await;
        }
        if left == 0 {
            return Err(spent());
        }
        match engine.runtime() {
            // On another executor than the connection's: its timers have to be
            // found all the same.
            Some(runtime) if Handle::try_current().is_err() => {
                let mut counted = Box::pin(self.count(engine, left, answer));
                poll_fn(|context| {
                    let _entered = runtime.enter();
                    counted.as_mut().poll(context)
                })
                .await
            }
            _ => self.count(engine, left, answer).await,
        }
    }

    async fn count<T>(
        &self,
        engine: &Engine,
        left: u64,
        mut answer: impl Future<Output = Result<T, Error>> + Unpin,
    ) -> Result<T, Error> {
        let began = Instant::now();
        let limit = began + Duration::from_micros(left);
        let answered = in_time(limit, &mut answer).await;
        let took = micros(began.elapsed());
        if let Some(answer) = answered {
            self.left
                .store(left.saturating_sub(took), Ordering::Relaxed);
            answer
        } else {
            self.left.store(0, Ordering::Relaxed);
            // The last of many answers that were each in time says nothing.
            if took >= self.limit / 2 {
                engine.remote().overdue();
            }
            Err(spent())
        }
    }

    /// Asks for what is under a key, within what is left.
    ///
    /// The first question of a call, which most have no other after, leaves it to
    /// the store to look at the time, with one timer for all that it asks at once.
    /// Where the store's own timers run, that is: elsewhere nobody knows whether
    /// they do.
    pub(crate) async fn look_up(
        &self,
        engine: &Engine,
        key: &str,
    ) -> Result<Option<Vec<u8>>, Error> {
        let remote = engine.remote();
        let left = self.left.load(Ordering::Relaxed);
        if left != self.limit || left == Self::UNLIMITED || !is_at_home(engine) {
            let (bytes, _) = self.spend(engine, remote.get(key, &[])).await?;
            return Ok(bytes);
        }
        let began = Instant::now();
        let answer = remote
            .get_until(key, began + Duration::from_micros(left))
            .await;
        let left = left.saturating_sub(micros(began.elapsed()));
        self.left.store(left, Ordering::Relaxed);
        match answer {
            // It has told itself.
            Err(_) if left == 0 => Err(spent()),
            answer => answer,
        }
    }
}

/// Whether this runs where the cache was built.
fn is_at_home(engine: &Engine) -> bool {
    let here = Handle::try_current();
    let home = engine.runtime();
    here.is_ok_and(|here| home.is_some_and(|home| home.id() == here.id()))
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn spent() -> Error {
    Error::new(
        ErrorKind::Timeout,
        "the store did not answer within the time that a call has for it",
    )
}
