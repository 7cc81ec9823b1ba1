//! A lock that is held: until when, and whether it was lost.
//!
//! This process takes it for lost at a moment of its own clock, which lies
//! before the one at which the store lets somebody else have it. So nobody has
//! to answer for a loss to be known. Once lost, it stays lost.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use super::background::Running;
use super::slot::{Slot, Standing, backoff, may_pass};
use crate::error::{Error, ErrorKind};
use crate::observe::LockLoss;
use crate::sync::lock;

pub(super) struct Hold {
    pub(super) slot: Arc<Slot>,
    pub(super) fence: u64,
    asked: Duration,
    /// It is not lengthened beyond this.
    most: Option<Duration>,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    until: Duration,
    ended: Option<Ended>,
}

/// Why it is not held any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Its time has run out, and it could not or should not be renewed.
    Expired,
    /// It was held for as long as it may be.
    MaxHold,
    /// The store does not know of it any more.
    Missing,
    /// The store says that somebody else has it.
    Taken,
    /// Its holder gave it back.
    Released,
}

impl Hold {
    /// `asked`: before it was asked for.
    pub(super) fn new(
        slot: Arc<Slot>,
        fence: u64,
        asked: Duration,
        ttl: Duration,
        max_hold: Option<Duration>,
    ) -> Self {
        let until = asked.saturating_add(ttl.saturating_sub(slot.ticks.margin(ttl)));
        let most = max_hold.map(|max_hold| asked.saturating_add(max_hold));
        Self {
            slot,
            fence,
            asked,
            most,
            state: Mutex::new(State { until, ended: None }),
            changed: Notify::new(),
        }
    }

    /// Why it is not held, if so.
    pub(super) fn ended(&self) -> Option<Ended> {
        let state = lock(&self.state);
        if state.ended.is_none() {
            let now = self.slot.ticks.now();
            let why = if self.most.is_some_and(|most| now >= most) {
                Some(Ended::MaxHold)
            } else {
                (now >= state.until).then_some(Ended::Expired)
            };
            if let Some(why) = why {
                self.end_as(state, why);
                return Some(why);
            }
        }
        state.ended
    }

    pub(super) fn end(&self, why: Ended) {
        let state = lock(&self.state);
        if state.ended.is_none() {
            self.end_as(state, why);
        }
    }

    fn end_as(&self, mut state: MutexGuard<'_, State>, why: Ended) {
        state.ended = Some(why);
        let until = self.most.map_or(state.until, |most| most.min(state.until));
        // Whoever hears of it may look at this very lock.
        drop(state);
        self.changed.notify_waiters();
        let figures = self.slot.ground.figures.locks();
        let ended = self.slot.ticks.now().min(until);
        figures.ended(ended.saturating_sub(self.asked));
        if let Some(loss) = why.loss() {
            figures.lost(loss);
            tracing::warn!(
                lock = self.slot.name,
                fence = self.fence,
                reason = why.why(),
                "a lock was lost"
            );
        }
    }

    /// When this process takes it for lost, unless it is renewed.
    pub(super) fn until(&self) -> Duration {
        let until = lock(&self.state).until;
        self.most.map_or(until, |most| most.min(until))
    }

    pub(super) fn remaining(&self) -> Duration {
        if self.ended().is_some() {
            return Duration::ZERO;
        }
        self.until().saturating_sub(self.slot.ticks.now())
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        self.ended().map_or(Ok(()), |why| Err(self.error(why)))
    }

    pub(super) fn error(&self, why: Ended) -> Error {
        Error::new(
            ErrorKind::LockLost,
            format!(
                "the lock `{}` with fence {} is not held any more: {}",
                self.slot.name,
                self.fence,
                why.why()
            ),
        )
    }

    /// Returns when it is lost, however that comes about.
    pub(super) async fn lost(&self) -> Error {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(why) = self.ended() {
                return self.error(why);
            }
            let left = self.until().saturating_sub(self.slot.ticks.now());
            drop(timeout(self.slot.ticks.nap(left), changed).await);
        }
    }

    /// Lengthens it to so long from now on, up to the most that it may be held.
    pub(super) async fn extend(&self, ttl: Duration) -> Result<(), Error> {
        self.check()?;
        let asked = self.slot.ticks.now();
        let ttl = self.most.map_or(ttl, |most| {
            ttl.min(self.slot.ticks.covering(most.saturating_sub(asked)))
        });
        match self.slot.extend(ttl).await? {
            Standing::Ours => {
                let life = ttl.saturating_sub(self.slot.ticks.margin(ttl));
                let mut state = lock(&self.state);
                // What was found to be lost meanwhile stays so.
                state.until = state.until.max(asked.saturating_add(life));
                drop(state);
                self.check()
            }
            Standing::Missing => {
                self.end(Ended::Missing);
                self.check()
            }
            Standing::Others => {
                self.end(Ended::Taken);
                self.check()
            }
        }
    }

    /// Renews it at a third of its life until it is lost, or all is to end.
    pub(super) async fn renew(self: Arc<Self>, ttl: Duration, running: Running) {
        let ticks = &self.slot.ticks;
        let third = ttl / 3;
        let mut due = self.asked.saturating_add(third);
        let mut failures = 0;
        loop {
            while self.ended().is_none() {
                let now = ticks.now();
                if now >= due {
                    break;
                }
                let end = due.min(self.until());
                if !running.sleep(ticks.nap(end.saturating_sub(now))).await {
                    return;
                }
            }
            if self.ended().is_some() {
                return;
            }
            let asked = ticks.now();
            // An answer that is lost must leave time for another question.
            let patience = (self.remaining() / 2).max(Duration::from_millis(5));
            match timeout(patience, self.extend(ttl)).await {
                Ok(Ok(())) => {
                    failures = 0;
                    due = asked.saturating_add(third);
                }
                // It is held until its time has run out; then others can take it.
                Ok(Err(error)) if error.kind() == ErrorKind::ShutDown => return,
                Ok(Err(error)) => {
                    tracing::debug!(lock = self.slot.name, %error, "a lock was not renewed yet");
                    let pause = if may_pass(&error) {
                        backoff(failures).min(third)
                    } else {
                        third
                    };
                    failures += 1;
                    due = ticks.now().saturating_add(pause);
                }
                Err(_) => due = ticks.now(),
            }
        }
    }
}

impl Ended {
    /// As what it counts; `None`: it was not lost.
    pub(super) fn loss(self) -> Option<LockLoss> {
        match self {
            Self::Expired => Some(LockLoss::Expired),
            Self::MaxHold => Some(LockLoss::MaxHold),
            Self::Missing => Some(LockLoss::Missing),
            Self::Taken => Some(LockLoss::Taken),
            Self::Released => None,
        }
    }

    fn why(self) -> &'static str {
        match self {
            Self::Expired => "its time to live has run out",
            Self::MaxHold => "it was held for as long as `max_hold` allows",
            Self::Missing => "it was removed or has expired in the store",
            Self::Taken => "somebody else has taken it",
            Self::Released => "it was released",
        }
    }
}
