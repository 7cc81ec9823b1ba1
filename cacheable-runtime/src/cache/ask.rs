//! From a question to the store to what is to be done.

use std::sync::Arc;

use super::Engine;
use super::cached::Cached;
use super::call::ValueType;
use super::examine::{Readable, Seen};
use super::fallback::Fallback;
use super::flight::{self, Landing, Leader, Lease, Offer};
use super::fresh::Phase;
use super::patience::Patience;
use super::read::MAX_DISPERSALS;
use super::refresh::{Bid, Claim};
use crate::error::{Error, ErrorKind};
use crate::local::{Marker, Ticket};
use crate::observe::Outcome;
use crate::remote::Expect;

impl Cached {
    /// What the store has. Most calls find a value that is just to be answered
    /// with; what is seldom gone through is behind a pointer, or the future of
    /// each of them would have room for it.
    pub(super) async fn ask(&self, value: &ValueType, leader: &mut Leader) -> Result<Asked, Error> {
        let engine = &self.engine;
        let tagged = (!self.tags.is_empty()).then(|| self.markers(&self.tags));
        let markers = tagged.as_ref().unwrap_or(self.prefix());
        // Before the question, so that what overtakes the answer is seen.
        let ticket = engine.local().ticket(self.hash);
        // After the ticket, which a removal that comes to wait from here on
        // makes void.
        if engine.repair().covers(&self.key) {
            return Ok(Asked::Undelivered);
        }
        // Who goes on under a lease that was left to it does not ask for one.
        let (emptied, leased) = (engine.emptied().take(self.hash), leader.lease.is_some());
        let barren = engine.barren();
        // Or what is loaded would be stamped with a number of long ago, as if it had
        // been removed since.
        let found = if !engine.knows(markers) {
            Present::Unknown
        } else if emptied && !leased {
            Present::Nothing
        } else if barren.expects_nothing(self.counters()) && !leased {
            Present::ProbablyNothing
        } else {
            let bytes = self.budget.look_up(engine, &self.key).await?;
            barren.note(self.counters(), bytes.is_some());
            match bytes {
                None => Present::Nothing,
                Some(bytes) => match self.examine_at_once(value, &bytes) {
                    Some(Seen::Value(seen)) if seen.phase == Phase::Fresh => {
                        leader.lease = None;
                        return Ok(self.found(seen, ticket, bytes.len()));
                    }
                    seen => Present::Bytes(bytes, seen.map(Box::new)),
                },
            }
        };
        Box::pin(self.go_on(value, leader, markers, ticket, found)).await
    }

    /// As [`ask`](Self::ask), from what is known to be there to what is to be done.
    async fn go_on(
        &self,
        value: &ValueType,
        leader: &mut Leader,
        markers: &[Arc<Marker>],
        ticket: Ticket,
        found: Present,
    ) -> Result<Asked, Error> {
        let engine = &self.engine;
        let mut patience = Patience::new(engine.settings());
        let mut lost = 0;
        let mut first = Some((ticket, found));
        loop {
            let (ticket, found) = if let Some(first) = first.take() {
                first
            } else {
                // In this order, as above.
                let ticket = engine.local().ticket(self.hash);
                if engine.repair().covers(&self.key) {
                    return Ok(Asked::Undelivered);
                }
                (ticket, Present::Unknown)
            };
            let guess = matches!(found, Present::ProbablyNothing);
            let (read, seen) = match found {
                Present::Unknown => {
                    let read = Box::pin(engine.read(&self.key, markers));
                    (self.spend(read).await?, None)
                }
                Present::Nothing | Present::ProbablyNothing => (None, None),
                Present::Bytes(bytes, seen) => (Some(bytes), seen),
            };
            let present = match read {
                Some(bytes) => bytes,
                None => match self.acquire(leader, None).await {
                    Err(error) if guess => {
                        engine.barren().forget(self.counters());
                        // No lease may be placed there now, and a value may be there.
                        if error.kind() == ErrorKind::Server {
                            continue;
                        }
                        return Err(error);
                    }
                    acquired => {
                        let present = acquired?;
                        if guess {
                            engine.barren().note(self.counters(), present.is_some());
                        }
                        match present {
                            Some(bytes) => bytes,
                            None => return Ok(Asked::Leased(None)),
                        }
                    }
                },
            };
            let seen = match seen {
                Some(seen) => *seen,
                None => Box::pin(self.examine(value, &present)).await?,
            };
            let over = match seen {
                Seen::Value(seen) => {
                    match Box::pin(self.weigh(leader, seen, ticket, present)).await? {
                        Some(asked) => return Ok(asked),
                        // Another value has taken its place.
                        None => continue,
                    }
                }
                // Left behind by the leader before this one.
                Seen::Lease if leader.lease.as_deref() == Some(&*present) => {
                    return Ok(Asked::Leased(None));
                }
                Seen::Lease if flight::holds(&present) => return Ok(Asked::Own),
                // Nobody fills it any more.
                Seen::Lease if engine.remote().has_given_up(&present) => Expect::Lease(&present),
                Seen::Lease if Box::pin(patience.wait(engine, &present, &ticket)).await => {
                    leader.show_life();
                    // It is the load that takes its time, not the store.
                    self.budget.renew();
                    if patience.wonders() {
                        let takes = engine.remote().takes_writes(&self.key);
                        self.spend(takes).await?;
                    }
                    continue;
                }
                // A lease that was waited for long enough: its holder stores
                // nothing, and what is loaded here proves itself by a lease all
                // the same.
                Seen::Lease => Expect::Lease(&present),
                Seen::Useless(Some(serial)) => Expect::Serial(serial),
                Seen::Useless(None) => Expect::Bytes(&present),
            };
            if self.acquire(leader, Some(over)).await?.is_none() {
                return Ok(Asked::Leased(None));
            }
            // Somebody else was faster, and has stored what is there now.
            lost += 1;
            if lost > MAX_DISPERSALS {
                return Err(Error::new(
                    ErrorKind::Server,
                    "an entry changes faster than it can be read",
                ));
            }
        }
    }

    /// What to do with an entry that is readable and was not removed.
    async fn weigh(
        &self,
        leader: &mut Leader,
        seen: Readable,
        ticket: Ticket,
        bytes: Vec<u8>,
    ) -> Result<Option<Asked>, Error> {
        if seen.phase == Phase::LastResort {
            // The load takes its place, and puts it back if it fails.
            let serial = Expect::Serial(seen.header.serial);
            let taken = self.acquire(leader, Some(serial)).await?.is_none();
            let fallback = Fallback::stored(seen.landing, &seen.header, bytes);
            return Ok(taken.then_some(Asked::Leased(Some(fallback))));
        }
        leader.lease = None;
        let (phase, serial) = (seen.phase, seen.header.serial);
        let until = seen.times.revalidate.max(seen.times.soft);
        let found = self.found(seen, ticket, bytes.len());
        let Asked::Landed(outcome, landing, standing) = found else {
            return Ok(Some(found));
        };
        if matches!(phase, Phase::Early | Phase::Stale)
            && let Bid::Won(claim) = self.bid(serial).await
        {
            // Unless the caller runs the body itself.
            outcome.note();
            let engine = self.engine.downgrade();
            let markers = standing.markers.clone();
            let markers = markers.unwrap_or_else(|| Arc::clone(self.prefix()));
            let offer = Offer {
                old: landing,
                fresh: outcome == Outcome::HitRemote,
                until,
                stands: Box::new(move || {
                    let engine = engine.upgrade();
                    engine.is_some_and(|engine| standing.holds_by(&engine, &markers))
                }),
            };
            return Ok(Some(Asked::Refresh(claim, offer)));
        }
        Ok(Some(Asked::Landed(outcome, landing, standing)))
    }

    /// Counts a value of the store that is answered with, and keeps it here.
    fn found(&self, seen: Readable, ticket: Ticket, size: usize) -> Asked {
        let Readable {
            header,
            landing,
            markers,
            phase,
            ..
        } = seen;
        let outcome = if phase == Phase::Stale || header.stand_in {
            self.counters().hit_stale();
            Outcome::Stale
        } else {
            self.counters().hit_remote();
            Outcome::HitRemote
        };
        let standing = Standing {
            ticket,
            stamp: header.tag_stamp,
            markers: markers.clone(),
        };
        if self.local_key.is_some() {
            let markers = markers.unwrap_or_else(|| Arc::clone(self.prefix()));
            self.keep_here(landing.clone(), &header, size, markers, ticket);
        }
        Asked::Landed(outcome, landing, standing)
    }

    /// Places a lease for `leader`. `Some` is what is there instead.
    async fn acquire(
        &self,
        leader: &mut Leader,
        over: Option<Expect<'_>>,
    ) -> Result<Option<Vec<u8>>, Error> {
        let lease = Engine::new_lease();
        // Owned before it is sent: a caller that goes away meanwhile gives it
        // up, too. A successor loads under it only if the store has it.
        leader.lease = Some(Lease::clone(&lease));
        let remote = self.engine.remote();
        let life = self.engine.lease_life();
        match self
            .spend(remote.acquire(&self.key, &lease, life, over))
            .await
        {
            Ok(None) => Ok(None),
            Ok(present) => {
                leader.lease = None;
                Ok(present)
            }
            Err(error) => {
                // It may still be placed, even after the body has begun, so it
                // proves nothing about the time of the load: it must go.
                leader.lease = None;
                remote.abandon(&self.key, &lease, crate::remote::Origin::Load);
                Err(error)
            }
        }
    }
}

/// What is under the key, as far as it is known.
enum Present {
    Unknown,
    Nothing,
    ProbablyNothing,
    /// What it was seen to be, if nothing had to be asked for.
    Bytes(Vec<u8>, Option<Box<Seen>>),
}

/// What has come of asking the store.
pub(super) enum Asked {
    Landed(Outcome, Landing, Standing),
    /// What may be answered with while it is refreshed.
    Refresh(Claim, Offer),
    /// The leader holds the lease; what may stand in if its load fails.
    Leased(Option<Fallback>),
    /// A removal by this process has not reached the store: what is there may
    /// be what it removed.
    Undelivered,
    /// A body that this call is made from holds it.
    Own,
}

/// What an answer of the store rests on.
pub(super) struct Standing {
    ticket: Ticket,
    stamp: u64,
    /// `None`: that of its prefix alone.
    markers: Option<Arc<[Arc<Marker>]>>,
}

impl Standing {
    /// Whether nothing was told, or done here, since it was asked for that
    /// makes it out of date.
    pub(super) fn holds(&self, call: &Cached) -> bool {
        self.holds_by(&call.engine, self.markers.as_ref().unwrap_or(call.prefix()))
    }

    fn holds_by(&self, engine: &Engine, markers: &[Arc<Marker>]) -> bool {
        let mut markers = markers.iter();
        engine.local().stands(&self.ticket) && markers.all(|marker| marker.permits(self.stamp))
    }
}
