//! Figures: what this process's cache did, and what its servers say.
//!
//! A [`sample`] puts both together. The text of a server is read by [`info`]
//! into a [`server`], two of those make [`changes`], the slow log is followed
//! in [`slow`], and [`findings`] says what is wrong. Only what stands in
//! [`redis`] talks to a server.

mod big_keys;
mod changes;
mod findings;
mod info;
#[cfg(feature = "redis")]
mod redis;
mod sample;
mod server;
mod slow;
mod stats;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::sync::BoxFuture;
pub use big_keys::{BigKey, BigKeys, BigKeysReport};
pub use changes::{Reset, ServerChanges};
pub use findings::{Finding, Thresholds};
pub(crate) use sample::{Own, Subject};
use sample::{Sampler, is_over};
pub use server::{
    ClientStats, CommandStats, MemoryLimit, MemoryStats, PersistenceStats, ReplicationStats,
    ServerCounters, ServerStats,
};
pub use slow::{SlowCommand, SlowLog};
pub use stats::{CacheStats, NodeStats, Stats, Tally, Unavailable};

#[doc = include_str!("../docs/monitoring.md")]
///
/// # This type
///
/// A stream of [`Stats`], made by [`Runtime::monitor`](crate::Runtime::monitor).
/// It takes a sample when it is asked for one and the interval since the last
/// one is over: there is no task in the background, nothing piles up, and a
/// consumer that comes late gets the present figures.
///
/// A server that is away makes no end: the sample says so. The stream ends
/// after [`stop`](Self::stop) and after
/// [`Runtime::shutdown`](crate::Runtime::shutdown). Dropped, it is gone at
/// once.
#[must_use = "a monitor takes no samples unless it is asked for the next one"]
pub struct Monitor {
    interval: Duration,
    /// When the next sample is due; `None`: at once.
    due: Option<Instant>,
    state: State,
    ending: watch::Receiver<()>,
    /// Where the timers live, whoever asks.
    runtime: Option<Handle>,
}

enum State {
    Idle(Box<Sampler>),
    /// Waiting, or asking the servers. It goes on where it was when the
    /// consumer gives up waiting and comes again.
    Busy(BoxFuture<'static, Option<(Sampler, Stats)>>),
    Over,
}

/// Samples are never closer together, whatever is asked for.
const SHORTEST: Duration = Duration::from_millis(10);

/// As good as never, and no overflow.
const LONGEST: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

impl Monitor {
    pub(crate) fn new(subject: Subject, interval: Duration, ending: &Ending) -> Self {
        Self {
            interval: interval.clamp(SHORTEST, LONGEST),
            due: None,
            state: State::Idle(Box::new(Sampler::new(subject))),
            ending: ending.0.subscribe(),
            runtime: Handle::try_current().ok(),
        }
    }

    /// The next sample: the first at once, every other when the interval since
    /// the one before is over. `None`: it was stopped, or the runtime was shut
    /// down.
    ///
    /// # Cancellation
    /// Nothing is lost when this future is dropped; the next call goes on where
    /// it was.
    pub async fn next(&mut self) -> Option<Stats> {
        poll_fn(|context| self.poll_sample(context)).await
    }

    /// Ends it: [`next`](Self::next) gives `None` from now on.
    pub fn stop(&mut self) {
        self.state = State::Over;
    }

    fn poll_sample(&mut self, context: &mut Context<'_>) -> Poll<Option<Stats>> {
        let runtime = self.runtime.clone().or_else(|| Handle::try_current().ok());
        let Some(runtime) = runtime else {
            tracing::error!("a monitor needs a Tokio runtime to wait in: none is here");
            self.stop();
            return Poll::Ready(None);
        };
        let _entered = runtime.enter();
        if let State::Idle(_) = &self.state {
            let State::Idle(sampler) = std::mem::replace(&mut self.state, State::Over) else {
                return Poll::Ready(None);
            };
            let take = take(*sampler, self.due, self.ending.clone());
            self.state = State::Busy(Box::pin(take));
        }
        let State::Busy(taken) = &mut self.state else {
            return Poll::Ready(None);
        };
        let taken = ready!(taken.as_mut().poll(context));
        let Some((sampler, stats)) = taken else {
            self.stop();
            return Poll::Ready(None);
        };
        self.state = State::Idle(Box::new(sampler));
        let now = Instant::now();
        // Whoever is late gets a whole interval again instead of a burst.
        let next = self.due.unwrap_or(now) + self.interval;
        self.due = Some(if next > now {
            next
        } else {
            now + self.interval
        });
        Poll::Ready(Some(stats))
    }
}

/// Waits and takes a sample, unless the runtime is shut down first.
async fn take(
    sampler: Sampler,
    due: Option<Instant>,
    mut ending: watch::Receiver<()>,
) -> Option<(Sampler, Stats)> {
    let sample = async {
        if let Some(due) = due {
            tokio::time::sleep_until(due).await;
        }
        sampler.sample().await
    };
    let over = async {
        // An error says that the runtime is gone, and this outlives it.
        if ending.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        () = over => None,
        (sampler, stats) = sample => (!is_over(&stats)).then_some((sampler, stats)),
    }
}

impl Stream for Monitor {
    type Item = Stats;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Stats>> {
        self.get_mut().poll_sample(context)
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor")
            .field("interval", &self.interval)
            .field("over", &matches!(self.state, State::Over))
            .finish_non_exhaustive()
    }
}

/// Tells the monitors of a runtime that it is being shut down.
#[derive(Clone)]
pub(crate) struct Ending(Arc<watch::Sender<()>>);

impl Default for Ending {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(())))
    }
}

impl Ending {
    pub(crate) fn now(&self) {
        self.0.send_replace(());
    }
}
