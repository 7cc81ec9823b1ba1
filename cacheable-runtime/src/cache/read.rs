//! From a call to what the cache has, on one screen.

use std::sync::Arc;

use tracing::Instrument as _;

use super::Engine;
use super::cached::Cached;
use super::call::ValueType;
use super::examine::{Readable, Seen};
use super::fallback::Fallback;
use super::flight::{self, Boarded, Landing, Leader, Lease, Offer};
use super::fresh::{Phase, phase};
use super::load::Load;
use super::patience::Patience;
use super::refresh::{self, Bid, Claim};
use crate::error::{Error, ErrorKind};
use crate::local::{Entry, Marker, Ticket};
use crate::observe::Outcome;
use crate::remote::Expect;
use crate::sync::random;

/// What a call finds.
pub(crate) enum Found {
    Landed(Landing),
    /// Something to answer with, and the duty to refresh it.
    Refresh(Box<Load>, Landing),
    /// Nothing is known: the body has to run.
    Nothing(Box<Load>),
    /// The time of the call was up first.
    Late,
}

/// How often a caller joins a flight that an invalidation ends before it runs
/// its body by itself. Under a hail of invalidations nobody waits for ever.
pub(super) const MAX_DISPERSALS: usize = 8;

/// For how long a refresh that somebody else is at is not asked about again,
/// in milliseconds.
const REFRESH_PAUSE: u64 = 1_000;

impl Cached {
    /// [`find`](Self::find), as long as this call has time for it.
    pub(crate) async fn find_in_time(
        self: Box<Self>,
        value: &'static ValueType,
        tagged: bool,
    ) -> Found {
        let span = tracing::debug_span!(
            "cacheable.find",
            method = self.label,
            outcome = tracing::field::Empty
        );
        if self.deadline.is_none() && span.is_disabled() {
            return self.find(value, tagged).await;
        }
        let (deadline, counters) = (self.deadline, Arc::clone(&self.counters));
        // It is large, and stays where it is.
        let found = Box::pin(self.find(value, tagged).instrument(span));
        let Some(deadline) = deadline else {
            return found.await;
        };
        let found = tokio::time::timeout_at(deadline.into(), found);
        found.await.unwrap_or_else(|_| {
            counters.load_timed_out();
            Found::Late
        })
    }

    /// Answers from level 1, joins the flight of this key, or leads it to the
    /// store.
    /// `tagged`: it may have tags that come from its value.
    async fn find(mut self: Box<Self>, value: &'static ValueType, tagged: bool) -> Found {
        if let Some(load) = refresh::take_over(&self.key) {
            return Found::Nothing(load);
        }
        // Whoever leads the flight waits for the lease of that put.
        if flight::replaces(&self.key) {
            return Found::Nothing(Load::alone(self));
        }
        if let Some(entry) = self.local.take() {
            self = match Box::pin(self.from_level_one(&entry)).await {
                Ok(found) => return found,
                Err(call) => call,
            };
        }
        for _ in 0..MAX_DISPERSALS {
            let flights = self.engine.flights();
            let now = self.engine.clock().now();
            let tagged = tagged || !self.tags.is_empty();
            let boarded = flights
                .board(self.identity, &self.key, tagged, now, || {
                    self.counters.waited();
                })
                .await;
            let mut leader = match boarded {
                Boarded::Lead(leader) => leader,
                Boarded::Landed(landing) => return landed(Outcome::Wait, landing),
                Boarded::Offered(landing, true) => {
                    self.counters.hit_local();
                    return landed(Outcome::HitLocal, landing);
                }
                Boarded::Offered(landing, false) => {
                    self.counters.hit_stale();
                    return landed(Outcome::Stale, landing);
                }
                Boarded::Dispersed => continue,
                Boarded::RunThrough => break,
            };
            match self.ask(value, &mut leader).await {
                Ok(Asked::Landed(outcome, landing, standing)) => {
                    // Nobody joins from here on. Whoever has joined after a
                    // change was told, or made, must not get what was before.
                    leader.close();
                    if standing.holds(&self.engine) && !leader.is_doubted() {
                        leader.land(landing.clone());
                    } else {
                        leader.disperse();
                    }
                    return landed(outcome, landing);
                }
                Ok(Asked::Refresh(claim, offer)) => {
                    let old = offer.old.clone();
                    let answered = if offer.fresh {
                        Outcome::HitRemote
                    } else {
                        Outcome::Stale
                    };
                    leader.offer(offer);
                    return Found::Refresh(Load::refresh(self, leader, claim, answered), old);
                }
                // Nobody would share this load, and whoever asked again since
                // the invalidation waits for the lease.
                Ok(Asked::Leased(_)) if leader.is_dispersed() => {}
                // What would stand in for this load was removed meanwhile.
                Ok(Asked::Leased(Some(_))) if leader.is_doubted() => leader.disperse(),
                Ok(Asked::Leased(fallback)) => {
                    return Found::Nothing(Load::new(self, leader, fallback));
                }
                Ok(Asked::Undelivered) => {
                    return Found::Nothing(Load::new(self, leader, None));
                }
                // The body that holds the lease is waiting for this very call.
                Ok(Asked::Own) => {
                    leader.lease = None;
                    break;
                }
                Err(error) => {
                    self.remote_failed("read", &error);
                    if let Some(lease) = leader.lease.take() {
                        let remote = self.engine.remote();
                        remote.abandon(&self.key, &lease, crate::remote::Origin::Load);
                    }
                    return Found::Nothing(Load::new(self, leader, None));
                }
            }
        }
        Found::Nothing(Load::alone(self))
    }

    /// Decides about an entry of level 1 that is not just to be answered with.
    /// `Err`: it is of no use.
    async fn from_level_one(self: Box<Self>, entry: &Arc<Entry>) -> Result<Found, Box<Self>> {
        let now = self.engine.clock().now();
        let phase = phase(&self.rules, &entry.times, now, random);
        let outcome = match phase {
            _ if now >= entry.until => return Err(self),
            Phase::Fresh | Phase::Early if entry.stale => Outcome::Stale,
            Phase::Fresh | Phase::Early => Outcome::HitLocal,
            Phase::Stale => Outcome::Stale,
            Phase::LastResort | Phase::Over => return Err(self),
        };
        let old = || entry.value.clone();
        let count = |call: &Self| match outcome {
            Outcome::Stale => call.counters.hit_stale(),
            _ => call.counters.hit_local(),
        };
        let wants_refresh = matches!(phase, Phase::Early | Phase::Stale);
        if wants_refresh && entry.claim_refresh(now, REFRESH_PAUSE) {
            let flights = self.engine.flights();
            let tagged = !self.tags.is_empty() || !entry.markers.is_empty();
            if let Some(leader) = flights.lead(self.identity, &self.key, tagged) {
                match self.bid(entry.serial).await {
                    Bid::Won(claim) => {
                        count(&self);
                        // Unless the caller runs the body itself.
                        outcome.note();
                        let (engine, kept) = (self.engine.downgrade(), Arc::clone(entry));
                        leader.offer(Offer {
                            old: old(),
                            fresh: outcome == Outcome::HitLocal,
                            until: entry.times.revalidate.max(entry.times.soft),
                            stands: Box::new(move || {
                                let engine = engine.upgrade();
                                engine.is_some_and(|engine| engine.local().vouches_for(&kept))
                            }),
                        });
                        let load = Load::refresh(self, leader, claim, outcome);
                        return Ok(Found::Refresh(load, old()));
                    }
                    // Those who have joined meanwhile look for themselves.
                    Bid::Lost => leader.disperse(),
                    Bid::Changed => {
                        drop(leader);
                        return Err(self);
                    }
                }
            }
        }
        count(&self);
        Ok(landed(outcome, old()))
    }

    async fn ask(&self, value: &ValueType, leader: &mut Leader) -> Result<Asked, Error> {
        let engine = &self.engine;
        let mut patience = Patience::new(engine.settings());
        let markers = self.markers(&self.tags);
        let hash = engine.local().hash(self.key.as_bytes());
        // Who goes on under a lease that was left to it does not ask for one.
        let mut emptied = engine.emptied().take(hash) && leader.lease.is_none();
        let mut lost = 0;
        loop {
            // Before the question, so that what overtakes the answer is seen.
            let ticket = engine.local().ticket_of(hash);
            // After the ticket, which a removal that comes to wait from here on
            // makes void.
            if engine.repair().covers(&self.key) {
                return Ok(Asked::Undelivered);
            }
            let read = if std::mem::take(&mut emptied) {
                None
            } else {
                self.spend(engine.read(&self.key, &markers)).await?
            };
            let present = match read {
                Some(bytes) => bytes,
                None => match Box::pin(self.acquire(leader, None)).await? {
                    Some(bytes) => bytes,
                    None => return Ok(Asked::Leased(None)),
                },
            };
            let over = match self.examine(value, &present, &markers).await? {
                Seen::Value(seen) => match self.weigh(leader, seen, ticket, present).await? {
                    Some(asked) => return Ok(asked),
                    // Another value has taken its place.
                    None => continue,
                },
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
                        Box::pin(self.spend(takes)).await?;
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
            if Box::pin(self.acquire(leader, Some(over))).await?.is_none() {
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
        let Readable {
            header,
            landing,
            markers,
            now,
        } = seen;
        let times = self.times(&header);
        let phase = phase(&self.rules, &times, now, random);
        if phase == Phase::LastResort {
            // The load takes its place, and puts it back if it fails.
            let serial = Expect::Serial(header.serial);
            let taken = Box::pin(self.acquire(leader, Some(serial)))
                .await?
                .is_none();
            let fallback = Fallback::stored(landing, &header, bytes);
            return Ok(taken.then_some(Asked::Leased(Some(fallback))));
        }
        leader.lease = None;
        let stale = phase == Phase::Stale || header.stand_in;
        let outcome = if stale {
            Outcome::Stale
        } else {
            Outcome::HitRemote
        };
        if stale {
            self.counters.hit_stale();
        } else {
            self.counters.hit_remote();
        }
        let standing = Standing {
            ticket,
            stamp: header.tag_stamp,
            markers: markers.clone(),
        };
        if self.local_key.is_some() {
            self.keep_here(landing.clone(), &header, bytes.len(), markers, ticket);
        }
        if matches!(phase, Phase::Early | Phase::Stale)
            && let Bid::Won(claim) = Box::pin(self.bid(header.serial)).await
        {
            // Unless the caller runs the body itself.
            outcome.note();
            let engine = self.engine.downgrade();
            let offer = Offer {
                old: landing,
                fresh: !stale,
                until: times.revalidate.max(times.soft),
                stands: Box::new(move || {
                    let engine = engine.upgrade();
                    engine.is_some_and(|engine| standing.holds(&engine))
                }),
            };
            return Ok(Some(Asked::Refresh(claim, offer)));
        }
        Ok(Some(Asked::Landed(outcome, landing, standing)))
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

fn landed(outcome: Outcome, landing: Landing) -> Found {
    outcome.note();
    tracing::Span::current().record("outcome", outcome.name());
    Found::Landed(landing)
}

enum Asked {
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
struct Standing {
    ticket: Ticket,
    stamp: u64,
    markers: Arc<[Arc<Marker>]>,
}

impl Standing {
    /// Whether nothing was told, or done here, since it was asked for that
    /// makes it out of date.
    fn holds(&self, engine: &Engine) -> bool {
        let mut markers = self.markers.iter();
        engine.local().stands(&self.ticket) && markers.all(|marker| marker.permits(self.stamp))
    }
}
