//! From nothing in the store to a loaded and kept value.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::cached::{Cached, Encoded, Fill, Sealed};
use super::flight::{Landing, Leader};
use super::fresh::millis;
use super::invalidate::{How, Targets};
use super::pulse::{Held, Pulse};
use super::refresh::Claim;
use crate::codec::envelope::{self, Header, Opened};
use crate::codec::{CodecId, EncodeError};
use crate::error::Error;
use crate::local::{Local, Shared, Ticket};
use crate::observe::Outcome;
use crate::remote::{Expect, Origin};
use crate::sync::{random, start};

/// The right, and the duty, to run the body.
pub(crate) struct Load {
    call: Box<Cached>,
    /// `None`: the body runs for this caller alone.
    leader: Option<Leader>,
    /// The value is there and is refreshed; the store holds this claim.
    claim: Option<Claim>,
    fallback: Option<Fallback>,
    /// The body returned an error that the fallback stands in for.
    failed: bool,
    /// From before the body: what is kept at level 1 without the store must
    /// not have been removed since.
    ticket: Ticket,
    /// What removals of tags were known before the body.
    stamp: u64,
    /// How many removals of tags this process had made.
    removals: u64,
    began: Instant,
}

/// An old value that may stand in for a load that fails.
pub(crate) struct Fallback {
    landing: Landing,
    /// No longer than this, in the store's time.
    hard: u64,
    /// The entry that the load has taken the place of.
    stored: Option<Vec<u8>>,
}

impl Fallback {
    pub(super) fn stored(landing: Landing, header: &Header, bytes: Vec<u8>) -> Self {
        Self {
            landing,
            hard: header.hard_expiry_ms,
            stored: Some(bytes),
        }
    }
}

impl Load {
    pub(crate) fn new(call: Box<Cached>, leader: Leader, fallback: Option<Fallback>) -> Box<Self> {
        call.counters.missed();
        Self::start(call, Some(leader), None, fallback)
    }

    pub(crate) fn alone(call: Box<Cached>) -> Box<Self> {
        call.counters.bypassed();
        Self::start(call, None, None, None)
    }

    pub(crate) fn refresh(call: Box<Cached>, leader: Leader, claim: Claim) -> Box<Self> {
        call.counters.refreshed();
        Self::start(call, Some(leader), Some(claim), None)
    }

    fn start(
        call: Box<Cached>,
        leader: Option<Leader>,
        claim: Option<Claim>,
        fallback: Option<Fallback>,
    ) -> Box<Self> {
        if let Some(leader) = &leader {
            leader.loading();
        }
        let engine = call.engine.clone();
        let local = engine.local();
        Box::new(Self {
            ticket: local.ticket(&call.key),
            stamp: local.markers.counter(),
            began: Instant::now(),
            call,
            leader,
            claim,
            fallback,
            failed: false,
            removals: local.markers.own_removals(),
        })
    }

    /// Runs the body in the caller's own task, and keeps the lease alive
    /// meanwhile. `None`: the deadline came first.
    pub(crate) async fn drive<F: Future>(&mut self, mut body: Pin<&mut F>) -> Option<F::Output> {
        self.call.counters.loaded();
        self.began = Instant::now();
        let leader = self.leader.as_ref();
        let lease = leader.and_then(|leader| leader.lease.clone());
        let claim = self.claim.as_ref().map(|claim| claim.token.clone());
        let held = claim.map(Held::Claim).or(lease.map(Held::Lease));
        let mut pulse = Pulse::new(&self.call, leader, held);
        let deadline = self.call.deadline;
        let mut alarm = deadline.map(|at| Box::pin(tokio::time::sleep_until(at.into())));
        let driven = std::future::poll_fn(|context| {
            let polled = {
                let _inside = leader.map(Leader::enter);
                body.as_mut().poll(context)
            };
            if polled.is_pending() {
                pulse.poll(context);
                if let Some(alarm) = &mut alarm
                    && alarm.as_mut().poll(context).is_ready()
                {
                    return Poll::Ready(None);
                }
            }
            polled.map(Some)
        });
        let driven = driven.await;
        if driven.is_none() {
            self.call.counters.load_timed_out();
        }
        driven
    }

    pub(crate) fn call(&self) -> &Cached {
        &self.call
    }

    /// A value at level 1 or in the store stays for others while this one is
    /// loaded.
    pub(crate) fn is_refresh(&self) -> bool {
        self.claim.is_some()
    }

    /// The body returned an error, or its time was up: the next waiter tries
    /// by itself.
    pub(crate) fn failed(mut self: Box<Self>) {
        self.call.counters.load_failed();
        let Some(claim) = &mut self.claim else {
            Outcome::Miss.note();
            return;
        };
        claim.end(Some(self.call.rules.retry_after));
        let call = &self.call;
        let observe = call.engine.observe();
        observe.once(call.location.path, "refresh", || {
            tracing::warn!(
                method = call.label,
                "a refresh failed, and the value before it is answered with while it may be"
            );
        });
    }

    /// Notes that what follows is not the body's doing.
    pub(crate) fn fail(&mut self) {
        self.failed = true;
    }

    pub(crate) fn is_failed(&self) -> bool {
        self.failed
    }

    /// What the caller gets instead of a failed load, if the rules have
    /// something: the old value that was there.
    pub(crate) fn has_fallback(&mut self) -> bool {
        if self.call.rules.stale_if_error.is_zero() {
            return false;
        }
        let dispersed = self.leader.as_ref().is_some_and(Leader::is_dispersed);
        let now = self.call.engine.clock().now();
        if self.fallback.is_none() {
            self.fallback = self.local_fallback();
        }
        let usable = |fallback: &Fallback| !dispersed && now < fallback.hard;
        self.fallback.as_ref().is_some_and(usable)
    }

    /// Without the store, what level 1 still has.
    fn local_fallback(&self) -> Option<Fallback> {
        let local_key = self.call.local_key?;
        let local = self.call.engine.local();
        let entry = local.get_for_want_of_better(local_key)?;
        // A tag that this process has removed, though not in the store yet.
        if entry.markers.iter().any(|marker| marker.is_held()) {
            return None;
        }
        let window = millis(self.call.rules.stale_if_error);
        Some(Fallback {
            landing: entry.value.clone(),
            hard: entry
                .times
                .hard
                .min(entry.times.soft.saturating_add(window)),
            stored: None,
        })
    }

    /// Ends a failed load with the old value, which is then answered with for
    /// a while without asking the source again.
    pub(crate) async fn fall_back(mut self: Box<Self>) -> Landing {
        let counters = &self.call.counters;
        counters.load_failed();
        counters.hit_stale();
        let fallback = self.fallback.take().expect("there is a fallback");
        self.call
            .engine
            .observe()
            .once(self.call.location.path, "stale", || {
                tracing::warn!(
                    method = self.call.label,
                    "a load failed, and the value before it stands in"
                );
            });
        let landing = fallback.landing.clone();
        if let Some(load) = self.put_back(fallback).await {
            let shared = landing.clone();
            load.share(|| shared).await;
        }
        Outcome::Stale.note();
        landing
    }

    async fn put_back(mut self: Box<Self>, fallback: Fallback) -> Option<Box<Self>> {
        let call = &self.call;
        let now = call.engine.clock().now();
        let soft = now
            .saturating_add(millis(call.rules.retry_after))
            .min(fallback.hard);
        let sealed = fallback.stored.and_then(|bytes| {
            let Ok(Opened::Value(mut header, payload)) =
                envelope::open(call.key.as_bytes(), &bytes)
            else {
                return None;
            };
            header.soft_expiry_ms = soft;
            header.stand_in = true;
            header.serial = random();
            let bytes = envelope::seal(call.key.as_bytes(), &header, payload).ok()?;
            let life = Duration::from_millis(fallback.hard.saturating_sub(now));
            Some(Sealed {
                bytes,
                life,
                header,
            })
        });
        let landing = fallback.landing;
        if let Some(sealed) = sealed {
            // It is removed by the tags it has, since it was loaded itself.
            let tags = sealed.header.tags.iter().map(ToString::to_string);
            let tags: Vec<String> = tags.collect();
            self.call.tags.clone_from(&tags);
            self.stamp = sealed.header.tag_stamp;
            return self.replace(sealed, &tags, || landing).await;
        }
        // The store is away: level 1 alone remembers.
        let header = self.header_of_stand_in(soft, fallback.hard);
        let ticket = self.ticket;
        self.call
            .keep_here(landing, &header, 0, Box::default(), ticket);
        self.leader.is_some().then_some(self)
    }

    fn header_of_stand_in(&self, soft: u64, hard: u64) -> Header {
        Header {
            codec: CodecId::Bincode,
            absent: false,
            stand_in: true,
            site: self.call.identity,
            fingerprint: 0,
            created_ms: self.call.engine.clock().now(),
            soft_expiry_ms: soft,
            hard_expiry_ms: hard,
            load_micros: 0,
            tag_stamp: 0,
            serial: 0,
            tags: Vec::new(),
        }
    }

    /// The body returned nothing.
    pub(crate) async fn absent(self: Box<Self>) {
        if self.call.rules.none_ttl.is_none() {
            return self.unkept(|| None).await;
        }
        let encoded = Encoded {
            codec: CodecId::Bincode,
            fingerprint: 0,
            payload: Vec::new(),
        };
        let tags = self.call.tags.clone();
        self.keep(encoded, true, &tags, || None).await;
    }

    /// The value is returned and not kept: what was there before is old.
    pub(crate) async fn unkept(mut self: Box<Self>, landing: impl FnOnce() -> Landing) {
        if let Some(mut claim) = self.claim.take() {
            let targets = Targets::of_keys(vec![self.call.key.to_string()]);
            drop(self.call.engine.remove(targets, How::PATIENT).await);
            claim.end(None);
        }
        self.share(landing).await;
    }

    /// Puts the value in the place of the lease and shares it with those who
    /// wait, unless an invalidation came.
    pub(crate) async fn store(
        self: Box<Self>,
        encoded: Result<Encoded, EncodeError>,
        tags: Result<Vec<String>, Error>,
        share: impl Fn() -> Shared,
    ) {
        let landing = || Some(share());
        match (encoded, tags) {
            (Ok(encoded), Ok(tags)) => self.keep(encoded, false, &tags, landing).await,
            (Err(error), _) => {
                self.call.not_stored(&error);
                self.unkept(landing).await;
            }
            // An entry without its tag could not be removed by it.
            (_, Err(error)) => {
                self.call.not_stored(&error);
                self.unkept(landing).await;
            }
        }
    }

    async fn keep(
        mut self: Box<Self>,
        encoded: Encoded,
        absent: bool,
        tags: &[String],
        landing: impl Fn() -> Landing,
    ) {
        let fill = Fill {
            absent,
            took: self.began.elapsed(),
            stamp: self.stamp,
            tags,
        };
        let sealed = self.call.seal(&encoded, fill);
        self.call.tags = tags.to_vec();
        let kept = match sealed {
            Ok(Some(sealed)) => self.replace(sealed, tags, &landing).await,
            Ok(None) => Some(self),
            Err(error) => {
                self.call.not_stored(&error);
                Some(self)
            }
        };
        if let Some(load) = kept {
            load.share(landing).await;
        }
    }

    /// Replaces what this load holds in the store. Returns itself when the
    /// value may be shared with those who wait, `None` when an invalidation
    /// came.
    async fn replace(
        mut self: Box<Self>,
        sealed: Sealed,
        tags: &[String],
        landing: impl FnOnce() -> Landing,
    ) -> Option<Box<Self>> {
        let Some(leader) = &mut self.leader else {
            return Some(self);
        };
        if leader.is_dispersed() {
            self.call.counters.fill_rejected();
            return None;
        }
        let call = &self.call;
        let Sealed {
            bytes,
            life,
            header,
        } = sealed;
        let size = bytes.len();
        let lease = leader.lease.clone();
        let expected = match (&self.claim, &lease) {
            (Some(claim), _) => Expect::Serial(claim.serial),
            (None, Some(lease)) => Expect::Lease(lease),
            // The store is away. What is loaded without it is kept for a short
            // time, here.
            (None, None) => {
                if Local::is_degraded(&self.ticket) && call.local_key.is_some() {
                    call.keep_here(landing(), &header, size, Box::default(), self.ticket);
                }
                return Some(self);
            }
        };
        // From here on the server tells of changes, and a removal that it does
        // not tell of has bumped the epoch.
        let ticket = call.engine.local().ticket(&call.key);
        let remote = call.engine.remote();
        let filled = remote.fill(&call.key, expected, bytes, life, Origin::Load);
        match call.spend(filled).await {
            Ok(true) => {
                leader.lease = None;
                if call.local_key.is_some() {
                    let markers = call.markers(tags).into_boxed_slice();
                    call.keep_here(landing(), &header, size, markers, ticket);
                    // A tag of the new value may not be known yet. What is
                    // there instead is the old value, which is over.
                    if self.claim.is_some() && !call.is_kept_here(header.serial) {
                        call.engine.local().forget(call.key.as_bytes());
                    }
                }
                Some(self)
            }
            Ok(false) => {
                leader.lease = None;
                call.counters.fill_rejected();
                if let Some(leader) = self.leader.take() {
                    leader.disperse();
                }
                None
            }
            // The lease is kept, so that it is abandoned in the end.
            Err(error) => {
                call.remote_failed("fill", &error);
                Some(self)
            }
        }
    }

    /// Ends the flight, and hands what it brought to those who wait. It is made
    /// only when somebody does: an owned value has to be copied for that.
    ///
    /// A lease that is still held has seen no fill, so the store is asked
    /// whether an invalidation has taken it: then those who wait start again.
    /// Without a lease, when the store could not be reached, they share what
    /// is there.
    pub(crate) async fn share(mut self: Box<Self>, landing: impl FnOnce() -> Landing) {
        let Some(leader) = self.leader.take() else {
            return;
        };
        Outcome::Miss.note();
        // Nobody joins from here on, so nobody comes after an invalidation
        // that is not seen below.
        leader.close();
        let Err(mut leader) = leader.land_alone() else {
            return;
        };
        let landing = landing();
        if let Some(lease) = &leader.lease {
            let remote = self.call.engine.remote();
            match self.call.spend(remote.release(&self.call.key, lease)).await {
                Ok(true) => leader.lease = None,
                Ok(false) => {
                    leader.lease = None;
                    return leader.disperse();
                }
                Err(error) => self.call.remote_failed("release", &error),
            }
        }
        if self.was_removed_by_tag().await {
            self.call.counters.fill_rejected();
            return leader.disperse();
        }
        leader.land(landing);
    }

    /// Whether a tag of the entry has been removed since the body began, here
    /// or elsewhere. Without the store only this process's removals are known.
    async fn was_removed_by_tag(&self) -> bool {
        let call = &self.call;
        let local = call.engine.local();
        let here = || local.markers.own_removals() != self.removals;
        if Local::is_degraded(&self.ticket) {
            return here();
        }
        let markers = call.markers(&call.tags);
        match call.spend(call.engine.learn(&markers)).await {
            Ok(()) => !markers.iter().all(|marker| marker.permits(self.stamp)),
            Err(error) => {
                call.remote_failed("read", &error);
                here()
            }
        }
    }
}

impl Drop for Load {
    /// A load that is given up puts the old value back where it took its place.
    fn drop(&mut self) {
        let Some(leader) = &mut self.leader else {
            return;
        };
        let Some(bytes) = self.fallback.take().and_then(|fallback| fallback.stored) else {
            return;
        };
        let Some(lease) = leader.lease.take() else {
            return;
        };
        let Ok(Opened::Value(header, _)) = envelope::open(self.call.key.as_bytes(), &bytes) else {
            return;
        };
        let engine = self.call.engine.clone();
        let key = Arc::clone(&self.call.key);
        let left = header.hard_expiry_ms.saturating_sub(engine.clock().now());
        let put_back = async move {
            let life = Duration::from_millis(left);
            let remote = engine.remote();
            let expected = Expect::Lease(&lease);
            let filled = remote.fill(&key, expected, bytes, life, Origin::Load);
            if let Err(error) = filled.await {
                tracing::debug!(%error, "an old value was not put back");
                remote.abandon(&key, &lease, Origin::Load);
            }
        };
        start(self.call.engine.runtime(), put_back);
    }
}
