//! From nothing in the store to a loaded and kept value.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

use super::cached::{Cached, Encoded, Fill, Sealed};
use super::fallback::Fallback;
use super::flight::{Landing, Leader};
use super::pulse::{Held, Pulse};
use super::refresh::Claim;
use super::removal::{How, Targets};
use super::share::{Share, Sharing};
use crate::codec::{CodecId, EncodeError, SchemaOf};
use crate::error::Error;
use crate::local::{Local, Ticket};
use crate::observe::Outcome;
use crate::remote::{Expect, Origin};
use crate::sync::BoxFuture;

/// The right, and the duty, to run the body.
pub(crate) struct Load {
    /// `None`: the body runs for this caller alone.
    pub(super) leader: Option<Leader>,
    /// The value is there and is refreshed; the store holds this claim.
    pub(super) claim: Option<Claim>,
    /// What the value that is refreshed would be answered as.
    pub(super) answered: Outcome,
    pub(super) fallback: Option<Fallback>,
    /// From before the body: what is kept at level 1 without the store must
    /// not have been removed since.
    pub(super) ticket: Ticket,
    /// What removals of tags were known before the body.
    pub(super) stamp: u64,
    /// How many removals of tags this process had made.
    pub(super) removals: u64,
    /// How long the body took, once it is over.
    took: Duration,
    /// What to answer with if it fails: the value that it refreshes.
    pub(super) old: Option<Landing>,
    drive: Option<Drive>,
    /// The last to be dropped: what the others give up is under way before a shutdown
    /// may take it that nothing is.
    pub(super) call: Box<Cached>,
}

/// What has come of a load.
pub(super) enum End {
    Value(Yield),
    /// Nothing, of the type that this is for.
    Absent(SchemaOf),
    /// It failed, and the value before it stands in.
    FallBack,
}

/// What is to be done with it.
enum Next {
    Store(Sealed),
    /// It is not kept.
    Share,
    /// As well, and what is there is old. The tags that it would have.
    Remove(Result<Vec<String>, Error>),
    FallBack,
}

/// What has come of a value.
pub(super) struct Yield {
    /// `None`: it is not to be kept.
    pub(super) encoded: Option<Result<Encoded, EncodeError>>,
    pub(super) tags: Result<Vec<String>, Error>,
}

impl Load {
    pub(crate) fn new(call: Box<Cached>, leader: Leader, fallback: Option<Fallback>) -> Box<Self> {
        call.counters().missed();
        Self::start(call, Some(leader), None, fallback)
    }

    pub(crate) fn alone(call: Box<Cached>) -> Box<Self> {
        call.counters().bypassed();
        Self::start(call, None, None, None)
    }

    /// `answered`: what the caller gets if the refresh fails.
    pub(crate) fn refresh(
        call: Box<Cached>,
        leader: Leader,
        claim: Claim,
        answered: Outcome,
    ) -> Box<Self> {
        call.counters().refreshed();
        let mut load = Self::start(call, Some(leader), Some(claim), None);
        load.answered = answered;
        load
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
            ticket: local.ticket(call.hash),
            stamp: local.markers.counter(),
            took: Duration::ZERO,
            call,
            leader,
            claim,
            answered: Outcome::Miss,
            fallback,
            removals: local.markers.own_removals(),
            old: None,
            drive: None,
        })
    }

    /// Polls the body in the caller's own task, and keeps the lease alive
    /// meanwhile. Ready when `body` is, or when its time is up.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        body: &mut dyn FnMut(&mut Context<'_>) -> Poll<()>,
    ) -> Poll<()> {
        if self.drive.is_none() {
            self.begin();
        }
        let drive = self.drive.as_mut().expect("it has begun");
        let (call, leader) = (&*self.call, self.leader.as_ref());
        let polled = {
            let _inside = leader.map(Leader::enter);
            let _span = drive.span.enter();
            body(context)
        };
        let in_time = polled.is_ready();
        if !in_time {
            drive.pulse.poll(call, leader, context);
            let alarm = drive.alarm.as_mut();
            if alarm.is_none_or(|alarm| alarm.as_mut().poll(context).is_pending()) {
                return Poll::Pending;
            }
        }
        // Over what the calls in the body have said.
        match leader {
            Some(_) => Outcome::Miss.note(),
            None => Outcome::Bypass.note(),
        }
        self.took = drive.began.elapsed();
        call.counters().took(self.took);
        if !in_time {
            call.counters().load_timed_out();
        }
        Poll::Ready(())
    }

    fn begin(&mut self) {
        let call = &self.call;
        call.counters().loaded();
        let leader = self.leader.as_ref();
        let lease = leader.and_then(|leader| leader.lease.clone());
        let claim = self.claim.as_ref().map(|claim| claim.token.clone());
        let held = claim.map(Held::Claim).or(lease.map(Held::Lease));
        let alarm = |at: Instant| Box::pin(tokio::time::sleep_until(at.into()));
        self.drive = Some(Drive {
            began: Instant::now(),
            pulse: Pulse::new(held.filter(|_| call.engine.settings().renews)),
            alarm: call.deadline.map(alarm),
            span: tracing::debug_span!("cacheable.load", method = call.label),
        });
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
        self.call.counters().load_failed();
        let Some(claim) = &mut self.claim else {
            return;
        };
        claim.end(Some(self.call.rules.retry_after));
        self.answered.note();
        let call = &self.call;
        let observe = call.engine.observe();
        observe.once(call.location.path, "refresh", || {
            tracing::warn!(
                method = call.label,
                "a refresh failed, and the value before it is answered with while it may be"
            );
        });
    }

    /// Keeps what there is to keep. What the caller gets instead of its own
    /// value, if it has none.
    ///
    /// Each way has a future of its own: that of them all would have room for what
    /// is seldom gone through.
    pub(super) fn finish(
        mut self: Box<Self>,
        end: End,
        share: Sharing,
    ) -> BoxFuture<'static, Option<Landing>> {
        // Its timers have nothing to wait for.
        self.drive = None;
        let share = match end {
            End::Absent(_) => Box::new(|| None),
            End::Value(_) | End::FallBack => share,
        };
        match self.next(end) {
            Next::Store(sealed) => Box::pin(self.store(sealed, share)),
            Next::Share => Box::pin(async move {
                self.share(&*share).await;
                None
            }),
            Next::Remove(tags) => Box::pin(async move {
                self.unkept(tags, &*share).await;
                None
            }),
            Next::FallBack => Box::pin(async move { Some(self.fall_back().await) }),
        }
    }

    /// Puts the value in the place of the lease and shares it with those who
    /// wait, unless an invalidation came.
    async fn store(self: Box<Self>, sealed: Sealed, share: Sharing) -> Option<Landing> {
        if let Some(load) = self.replace(sealed, &*share).await {
            load.share(&*share).await;
        }
        None
    }

    /// What to do with what has come.
    fn next(&mut self, end: End) -> Next {
        match end {
            End::Value(value) => match (value.encoded, value.tags) {
                (None, tags) => Next::Remove(tags),
                (Some(Ok(encoded)), Ok(tags)) => self.seal(&encoded, false, tags),
                (Some(Err(error)), tags) => {
                    self.call.not_stored(&error);
                    Next::Remove(tags)
                }
                // An entry without its tag could not be removed by it.
                (_, Err(error)) => {
                    self.call.not_stored(&error);
                    Next::Remove(Err(error))
                }
            },
            // The body returned nothing.
            End::Absent(_) if self.call.rules.none_ttl.is_none() => {
                Next::Remove(Ok(self.call.tags.clone()))
            }
            End::Absent(of) => {
                let encoded = Encoded {
                    codec: CodecId::Bincode,
                    fingerprint: self.call.schema(of).fingerprint,
                    payload: Vec::new(),
                };
                let tags = self.call.tags.clone();
                self.seal(&encoded, true, tags)
            }
            End::FallBack => Next::FallBack,
        }
    }

    fn seal(&mut self, encoded: &Encoded, absent: bool, tags: Vec<String>) -> Next {
        let sealed = self.call.seal(
            encoded,
            Fill {
                absent,
                // Not nothing: that is what was set, and not loaded.
                took: self.took.max(Duration::from_micros(1)),
                stamp: self.stamp,
                tags: &tags,
            },
        );
        self.call.tags = tags;
        match sealed {
            Ok(Some(sealed)) => Next::Store(sealed),
            Ok(None) => Next::Share,
            Err(error) => {
                self.call.not_stored(&error);
                Next::Share
            }
        }
    }

    /// The value is returned and not kept: what was there before is old.
    /// `tags`: what it would have been kept under.
    async fn unkept(mut self: Box<Self>, tags: Result<Vec<String>, Error>, share: Share<'_>) {
        if let Some(mut claim) = self.claim.take() {
            let targets = Targets::of_keys(vec![self.call.key.to_string()]);
            let engine = &self.call.engine;
            // What fails is tried until it is done.
            drop(engine.remove(targets, How::in_budget(engine)).await);
            claim.end(None);
        }
        match tags {
            Ok(tags) => {
                self.call.tags = tags;
                self.share(share).await;
            }
            // Nobody can tell whether it was removed by them.
            Err(_) => drop(self.leader.take().map(Leader::disperse)),
        }
    }

    /// Replaces what this load holds in the store. Returns itself when the
    /// value may be shared with those who wait, `None` when an invalidation
    /// came. The call has the tags of the value.
    pub(super) async fn replace(
        mut self: Box<Self>,
        sealed: Sealed,
        share: Share<'_>,
    ) -> Option<Box<Self>> {
        let Some(leader) = &mut self.leader else {
            return Some(self);
        };
        if leader.is_dispersed() {
            self.call.counters().fill_rejected();
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
                    call.keep_here(share(), &header, size, Arc::default(), self.ticket);
                }
                return Some(self);
            }
        };
        // From here on the server tells of changes, and a removal that it does
        // not tell of has bumped the epoch.
        let ticket = call.engine.local().ticket(call.hash);
        self.ticket = ticket;
        let remote = call.engine.remote();
        let filled = remote.fill(&call.key, expected, bytes, life, Origin::Load);
        match call.spend(filled).await {
            Ok(true) => {
                leader.lease = None;
                if call.local_key.is_some() {
                    let markers = call.markers(&call.tags);
                    call.keep_here(share(), &header, size, markers, ticket);
                    // A tag of the new value may not be known yet. What is
                    // there instead is the old value, which is over.
                    if self.claim.is_some() && !call.is_kept_here(header.serial) {
                        call.engine.local().forget_hashed(call.hash);
                    }
                }
                Some(self)
            }
            Ok(false) => {
                leader.lease = None;
                call.counters().fill_rejected();
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
}

/// What goes along with a body that is being run.
struct Drive {
    began: Instant,
    pulse: Pulse,
    alarm: Option<Pin<Box<Sleep>>>,
    span: tracing::Span,
}
