//! A series of questions for one lock, by one owner.
//!
//! An answer that is lost is asked for again by the same owner, who is given
//! what it may have taken already. If the series is given up, what it may have
//! taken is released.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::super::Ground;
use super::guard::LockGuard;
use super::hold::Hold;
use super::request::Terms;
use super::room::{Bell, Rooms, Turn};
use super::slot::{Slot, Taken, backoff, late, may_pass};
use crate::error::{Error, ErrorKind};

pub(super) struct Attempt {
    slot: Arc<Slot>,
    terms: Terms,
    /// It may have been taken by a question that was asked then.
    unsettled: Option<Duration>,
    /// No answer came to one of the questions.
    unheard: bool,
}

/// One question.
enum Asked {
    Got(Hold),
    /// For so long.
    Held(Duration),
    /// The answer came when it had run out already.
    TooLate,
}

/// As good as for ever.
const LONGEST_WAIT: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

impl Attempt {
    pub(super) fn new(ground: &Arc<Ground>, name: &str, mut terms: Terms) -> Self {
        let slot = Arc::new(Slot::new(ground, name));
        if let Some(max_hold) = terms.max_hold {
            terms.ttl = terms.ttl.min(slot.ticks.covering(max_hold));
        }
        Self {
            slot,
            terms,
            unsettled: None,
            unheard: false,
        }
    }

    pub(super) async fn once(mut self) -> Result<Option<LockGuard>, Error> {
        let patience = self.slot.ground.patience().command;
        match self.ask(patience).await? {
            Asked::Got(hold) => self.keep(hold).await.map(Some),
            Asked::Held(_) => Ok(None),
            Asked::TooLate => Err(self.too_late()),
        }
    }

    pub(super) async fn within(mut self, wait: Duration) -> Result<LockGuard, Error> {
        // What is seldom gone through is behind a pointer: the caller's future would
        // have room for it.
        if wait.is_zero() {
            let name = self.slot.name.clone();
            return Box::pin(self.once())
                .await?
                .ok_or_else(|| held(&name, wait));
        }
        let deadline = Instant::now() + wait.min(LONGEST_WAIT);
        let ground = Arc::clone(&self.slot.ground);
        let slot = Arc::clone(&self.slot);
        let rooms = &ground.locks.rooms;
        // Who comes does not overtake those who wait.
        if !rooms.is_waited_for(slot.key())
            && let Asked::Got(hold) = self.ask_or_wait(deadline, &mut None).await?
        {
            return self.keep(hold).await;
        }
        Box::pin(self.in_turn(wait, deadline, &slot, rooms)).await
    }

    /// Waits behind the others of this process.
    async fn in_turn(
        mut self,
        wait: Duration,
        deadline: Instant,
        slot: &Arc<Slot>,
        rooms: &Rooms,
    ) -> Result<LockGuard, Error> {
        let visit = rooms.enter(slot.key());
        let room = visit.room();
        let Ok(mut turn) = timeout_at(deadline, room.turn.lock()).await else {
            return Err(held(&slot.name, wait));
        };
        let hold = self.wait(wait, deadline, &mut turn, &room.bell).await?;
        // The next one asks, and hears of the release.
        drop(turn);
        self.keep(hold).await
    }

    /// Asks, and waits to be woken, until it is got.
    async fn wait(
        &mut self,
        wait: Duration,
        deadline: Instant,
        turn: &mut Turn,
        bell: &Arc<Bell>,
    ) -> Result<Hold, Error> {
        let slot = Arc::clone(&self.slot);
        if matches!(slot.ticks, super::ticks::Ticks::Store(_)) {
            // Whoever releases it rings.
            bell.hears(true);
        }
        let mut trouble = None;
        let mut failures = 0;
        let mut listening = None;
        loop {
            let pause = match self.ask_or_wait(deadline, &mut trouble).await? {
                Asked::Got(hold) => return Ok(hold),
                Asked::Held(left) => {
                    failures = 0;
                    // Somebody else's key may have no end.
                    let left = left.max(Duration::from_millis(1));
                    if listening.is_none() {
                        listening = listen(&slot, turn, bell);
                    }
                    slot.ticks.nap(left).min(bell.patience())
                }
                Asked::TooLate => {
                    failures += 1;
                    backoff(failures)
                }
            };
            let wake = deadline.min(Instant::now() + pause);
            tokio::select! {
                () = bell.rung() => {}
                () = tokio::time::sleep_until(wake) => {}
                // What is released from here on is heard. So it is asked once
                // more: it may have been released just before.
                () = heard(&mut listening, turn) => listening = None,
            }
            if Instant::now() >= deadline {
                return Err(trouble.unwrap_or_else(|| held(&slot.name, wait)));
            }
        }
    }

    /// Asks, and takes trouble that may pass for a reason to ask later.
    async fn ask_or_wait(
        &mut self,
        deadline: Instant,
        trouble: &mut Option<Error>,
    ) -> Result<Asked, Error> {
        let left = deadline.saturating_duration_since(Instant::now());
        // An answer that is lost must leave time for another question.
        let patience = (left / 2).max(Duration::from_millis(100)).min(left);
        let patience = patience.min(self.slot.ground.patience().command);
        match self.ask(patience).await {
            Ok(asked) => {
                *trouble = None;
                Ok(asked)
            }
            Err(error) if may_pass(&error) => {
                // That the server is away says less than why.
                let keeps = trouble.as_ref().is_some_and(|known| {
                    known.kind() == ErrorKind::Topology && error.kind() == ErrorKind::Unavailable
                });
                if !keeps {
                    *trouble = Some(error);
                }
                Ok(Asked::TooLate)
            }
            Err(error) => Err(error),
        }
    }

    async fn ask(&mut self, patience: Duration) -> Result<Asked, Error> {
        let asked = self.slot.ticks.now();
        self.unsettled = Some(asked);
        let mut taken = pin!(self.slot.take(self.terms.ttl));
        // By reference: moved, it would take its room twice.
        let answer = timeout(patience, taken.as_mut()).await;
        #[cfg(feature = "redis")]
        if answer.is_err()
            && let Some(server) = self.slot.ground.server()
            && patience >= self.slot.ground.patience().budget
        {
            server.routes.overdue();
        }
        let answer = answer.unwrap_or_else(|_| Err(late(patience)));
        match answer {
            Ok(Taken::Got { fence }) => {
                let hold = self.hold(fence, asked);
                if hold.until() <= self.slot.ticks.now() {
                    return Ok(Asked::TooLate);
                }
                Ok(Asked::Got(hold))
            }
            Ok(Taken::Held { left }) => {
                self.unsettled = None;
                Ok(Asked::Held(left))
            }
            Err(error) => {
                if matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable) {
                    self.unheard = true;
                } else {
                    // It is an answer.
                    self.unsettled = None;
                }
                Err(error)
            }
        }
    }

    fn hold(&self, fence: u64, asked: Duration) -> Hold {
        let Terms { ttl, max_hold, .. } = self.terms;
        Hold::new(Arc::clone(&self.slot), fence, asked, ttl, max_hold)
    }

    /// Makes a guard of what was got.
    #[allow(clippy::unused_async, reason = "replicas have to be waited for")]
    async fn keep(mut self, hold: Hold) -> Result<LockGuard, Error> {
        #[cfg(feature = "redis")]
        let hold = match self.terms.replicas {
            Some(_) => Box::pin(self.confirmed(hold)).await?,
            None => hold,
        };
        self.unsettled = None;
        let renews = self.terms.renews.then_some(self.terms.ttl);
        Ok(LockGuard::new(hold, renews))
    }

    #[cfg(feature = "redis")]
    async fn confirmed(&mut self, hold: Hold) -> Result<Hold, Error> {
        let Some((replicas, patience)) = self.terms.replicas else {
            return Ok(hold);
        };
        if self.slot.remote().is_none() {
            return Ok(hold);
        }
        let asked = self.slot.ticks.now();
        self.unsettled = Some(asked);
        let confirmed = self.slot.confirm(self.terms.ttl, replicas, patience);
        let Some((fence, acknowledged)) = confirmed.await? else {
            self.unsettled = None;
            return Err(self.too_late());
        };
        if acknowledged >= replicas {
            let hold = self.hold(fence, asked);
            return hold.check().map(|()| hold);
        }
        if self.slot.release(asked + self.terms.ttl).await.is_ok() {
            self.unsettled = None;
        }
        let name = &self.slot.name;
        Err(super::redis::too_few(
            name,
            acknowledged,
            replicas,
            patience,
        ))
    }

    fn too_late(&self) -> Error {
        Error::new(
            ErrorKind::Timeout,
            format!(
                "the lock `{}` had expired again when the server's answer came: write a longer ttl",
                self.slot.name
            ),
        )
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(asked) = self.unsettled {
            let until = asked.saturating_add(self.terms.ttl);
            Arc::clone(&self.slot).release_later(until, self.unheard);
        }
    }
}

/// A subscription that is being made, on its way to the turn.
#[cfg(feature = "redis")]
type Listening = std::pin::Pin<
    Box<dyn Future<Output = Result<crate::conn::subscribe::Subscribed, Error>> + Send>,
>;
#[cfg(not(feature = "redis"))]
type Listening = std::future::Pending<()>;

#[cfg(feature = "redis")]
fn listen(slot: &Arc<Slot>, turn: &Turn, bell: &Arc<Bell>) -> Option<Listening> {
    slot.remote()?;
    let soon = turn.again.is_none_or(|again| Instant::now() >= again);
    if turn.ear.is_some() || !soon {
        return None;
    }
    let (slot, bell) = (Arc::clone(slot), Arc::clone(bell));
    Some(Box::pin(async move {
        let (Some(remote), Some(server)) = (slot.remote(), slot.ground.server()) else {
            return std::future::pending().await;
        };
        remote.listen(server, &bell).await
    }))
}

#[cfg(not(feature = "redis"))]
fn listen(_: &Arc<Slot>, _: &Turn, _: &Arc<Bell>) -> Option<Listening> {
    None
}

#[cfg(feature = "redis")]
async fn heard(listening: &mut Option<Listening>, turn: &mut Turn) {
    /// A server that refuses it may do so for good.
    const PAUSE: Duration = Duration::from_secs(5);
    let Some(subscribed) = listening else {
        return std::future::pending().await;
    };
    match subscribed.await {
        Ok(ear) => turn.ear = Some(ear),
        Err(error) => {
            tracing::debug!(%error, "releases of a lock are not heard, so it is asked for often");
            turn.again = Some(Instant::now() + PAUSE);
        }
    }
}

#[cfg(not(feature = "redis"))]
async fn heard(listening: &mut Option<Listening>, _: &mut Turn) {
    if let Some(never) = listening {
        never.await;
    }
    std::future::pending::<()>().await;
}

fn held(name: &str, wait: Duration) -> Error {
    Error::new(
        ErrorKind::Timeout,
        format!("the lock `{name}` was held by somebody else for {wait:?}"),
    )
}
