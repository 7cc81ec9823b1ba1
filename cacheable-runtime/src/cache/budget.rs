//! How long one call may wait for the store.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::Engine;
use crate::error::{Error, ErrorKind};

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
        let micros = |limit: Duration| u64::try_from(limit.as_micros()).unwrap_or(u64::MAX - 1);
        let limit = limit.map_or(Self::UNLIMITED, micros);
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
    pub(crate) async fn spend<T>(
        &self,
        engine: &Engine,
        answer: impl Future<Output = Result<T, Error>>,
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
                let mut counted = pin!(self.count(engine, left, answer));
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
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let began = Instant::now();
        let mut answer = pin!(answer);
        let limit = began + Duration::from_micros(left);
        let in_time = tokio::time::timeout_at(limit.into(), answer.as_mut());
        let mut answered = in_time.await.ok();
        // The answer may be here and wait for its turn behind tasks of ours: a
        // busy process is no slow server.
        for _ in 0..GRACE {
            if answered.is_some() {
                break;
            }
            tokio::task::yield_now().await;
            answered = poll_fn(|context| Poll::Ready(ready(answer.as_mut().poll(context)))).await;
        }
        let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
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
}

/// How often all other tasks may run before an answer is given up.
const GRACE: usize = 3;

fn ready<T>(polled: Poll<T>) -> Option<T> {
    match polled {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

fn spent() -> Error {
    Error::new(
        ErrorKind::Timeout,
        "the store did not answer within the time that a call has for it",
    )
}
