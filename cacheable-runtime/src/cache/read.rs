//! From a call to what the cache has, on one screen.

use std::sync::Arc;

use tracing::Instrument as _;

use super::ask::Asked;
use super::cached::Cached;
use super::call::ValueType;
use super::flight::{self, Boarded, Landing, Offer};
use super::fresh::{Phase, phase};
use super::load::Load;
use super::refresh::{self, Bid};
use crate::local::Entry;
use crate::observe::Outcome;
use crate::sync::random;

/// What a call finds.
pub(crate) enum Found {
    Landed(Outcome, Landing),
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
        let (deadline, counters) = (self.deadline, Arc::clone(self.counters()));
        // It is large, and stays where it is.
        let found = Box::pin(self.find(value, tagged).instrument(span.clone()));
        let found = match deadline {
            None => found.await,
            Some(deadline) => tokio::time::timeout_at(deadline.into(), found)
                .await
                .unwrap_or_else(|_| {
                    counters.load_timed_out();
                    Found::Late
                }),
        };
        if let Found::Landed(outcome, _) = &found {
            span.record("outcome", outcome.name());
        }
        found
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
            let now = self.engine.clock().moment().now;
            let tagged = tagged || !self.tags.is_empty();
            let boarded = flights
                .board(self.identity, &self.key, self.hash, tagged, now, || {
                    self.counters().waited();
                })
                .await;
            let mut leader = match boarded {
                Boarded::Lead(leader) => leader,
                Boarded::Landed(landing) => return landed(Outcome::Wait, landing),
                Boarded::Offered(landing, true) => {
                    self.counters().hit_local();
                    return landed(Outcome::HitLocal, landing);
                }
                Boarded::Offered(landing, false) => {
                    self.counters().hit_stale();
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
                    if standing.holds(&self) && !leader.is_doubted() {
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
            Outcome::Stale => call.counters().hit_stale(),
            _ => call.counters().hit_local(),
        };
        let wants_refresh = matches!(phase, Phase::Early | Phase::Stale);
        if wants_refresh && entry.claim_refresh(now, REFRESH_PAUSE) {
            let flights = self.engine.flights();
            let tagged = !self.tags.is_empty() || !entry.markers.is_empty();
            if let Some(leader) = flights.lead(self.identity, &self.key, self.hash, tagged) {
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
}

fn landed(outcome: Outcome, landing: Landing) -> Found {
    outcome.note();
    Found::Landed(outcome, landing)
}
