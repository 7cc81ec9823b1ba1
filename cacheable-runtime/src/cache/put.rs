//! Storing what a write returned under the entry of the method that reads it.
//!
//! Two writers' stores can arrive in the other order than their writes. So a
//! put takes the entry's lease by force before its body and fills it after:
//! if another put or an invalidation came meanwhile, the lease is gone, and
//! the entry is removed instead. Puts that overlap leave nothing behind, a
//! put alone leaves its value.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use super::budget::Budget;
use super::cached::{Cached, Encoded, Fill, Known};
use super::flight::Among;
use super::flight::{self, Lease};
use super::pulse::{Held, Pulse};
use super::removal::{How, Targets};
use super::shape::{CachedShape, Divided};
use super::site::{Location, MethodKey};
use crate::codec::{self, EncodeError, Hidden};
use crate::remote::{Expect, Origin};
use crate::sync::{Detached, detached, start};

/// A `#[cache_put]` method: a static in its expansion.
#[derive(Debug)]
pub struct Put {
    label: &'static str,
    location: Location,
}

impl Put {
    /// The method's name, or the attribute's `name`.
    pub const fn new(label: &'static str, location: Location) -> Self {
        Self { label, location }
    }

    /// One call, which stores under `key`.
    pub fn begin<R>(&'static self, runtime: Option<&Engine>, key: MethodKey<R>) -> PutCall {
        let Some(engine) = runtime else {
            crate::observe::say_no_runtime();
            return PutCall::direct();
        };
        let counters = engine.counters(self.label);
        // Also while it closes: the body writes, and what is there gets old.
        let rules = key.rules();
        // An entry without its tags could not be removed by them.
        let keeps = !key.tagged_by_value;
        let named = key.text.and_then(|text| Ok((text, key.tags?)));
        match named {
            Ok((text, tags)) => {
                let name = engine.full(text);
                let call = Box::new(Cached {
                    known: Known::Own {
                        counters,
                        prefix: Arc::clone(&engine.of_site(key.site).markers),
                    },
                    label: self.label,
                    location: self.location,
                    identity: key.identity,
                    hash: engine.local().hash(name.as_bytes()),
                    key: name.into(),
                    again: std::sync::Mutex::default(),
                    engine: engine.busy(),
                    rules,
                    tags,
                    local_key: None,
                    local: None,
                    budget: Budget::new(engine.settings().budget),
                    deadline: None,
                });
                PutCall {
                    call: Some(call),
                    keeps,
                }
            }
            Err(error) => {
                counters.invalidation_failed();
                tracing::warn!(method = self.label, at = self.location.path, %error, "the key of a put cannot be made");
                PutCall::direct()
            }
        }
    }

    /// One call whose `when` is false.
    pub fn skip(&'static self) -> PutCall {
        PutCall::direct()
    }
}

/// One call of a `#[cache_put]` method.
#[must_use = "a put does nothing until it is run"]
pub struct PutCall {
    /// `None`: only the body runs.
    call: Option<Box<Cached>>,
    /// What the body returns may be stored.
    keeps: bool,
}

impl PutCall {
    fn direct() -> Self {
        Self {
            call: None,
            keeps: false,
        }
    }

    /// Runs `body` and stores what it returns.
    pub async fn run<S, T, F>(self, shape: S, target: T, body: Pin<&mut F>) -> S::Return
    where
        S: CachedShape<Stored = T::Stored>,
        T: CachedShape,
        F: Future<Output = S::Return>,
    {
        self.run_unless(shape, target, body, |_| false).await
    }

    /// As [`run`](Self::run), but a value that `unless` holds for is not kept;
    /// the entry is gone all the same, since it is old.
    pub async fn run_unless<S, T, F, U>(self, _: S, _: T, body: Pin<&mut F>, unless: U) -> S::Return
    where
        S: CachedShape<Stored = T::Stored>,
        T: CachedShape,
        F: Future<Output = S::Return>,
        U: FnOnce(&S::Stored) -> bool,
    {
        let Some(call) = self.call else {
            return body.await;
        };
        let mut seized = Box::pin(Seized::seize(call)).await;
        let kept = match S::divide(seized.drive(body).await) {
            Divided::Value(kept) => kept,
            // The method wrote, and what is there is old.
            Divided::Absent if S::ABSENT_SUCCEEDS => {
                Box::pin(seized.keep(None)).await;
                return S::absent().expect("this shape was just absent");
            }
            Divided::Absent => {
                seized.wrote = false;
                return S::absent().expect("this shape was just absent");
            }
            Divided::Failed(failed) => {
                seized.wrote = false;
                return failed;
            }
        };
        let value = S::value(&kept);
        // In generic code it may turn out to be nothing, or an error.
        let keeps = self.keeps && codec::hidden(value) == Hidden::Value && !unless(value);
        let encoded = keeps.then(|| seized.call.encode(codec::schema::<S::Stored>, value));
        Box::pin(seized.keep(encoded)).await;
        S::rejoin(kept)
    }
}

/// An entry whose lease was taken by force.
///
/// Dropping it gives the lease up. Once the body has begun it may have written,
/// so then whatever is there goes: a put before this one, which wrote before,
/// must not fill after it.
struct Seized {
    call: Box<Cached>,
    /// `None`: the store could not be reached, or the lease has been used.
    lease: Option<Lease>,
    /// What removals of tags were known before the body.
    stamp: u64,
    wrote: bool,
}

impl Seized {
    async fn seize(call: Box<Cached>) -> Self {
        let lease = Engine::new_lease();
        // Owned before it is sent, so that a caller that goes away meanwhile
        // gives it up.
        let mut seized = Self {
            stamp: 0,
            call,
            lease: Some(Lease::clone(&lease)),
            wrote: false,
        };
        let call = &seized.call;
        let engine = &call.engine;
        let covers = |key: &str| key == &*call.key;
        let among = Among::Keys(std::slice::from_ref(&call.hash));
        engine.flights().disperse(among, covers);
        engine.local().forget_hashed(call.hash);
        let life = engine.lease_life();
        let markers = call.markers(&call.tags);
        let placed = engine.remote().seize(&call.key, &lease, life);
        // A removal that is not known would be taken to be later than the put.
        let learnt = Box::pin(engine.learn(&markers));
        let (placed, learnt) = tokio::join!(call.spend(placed), call.spend(learnt));
        if let Err(error) = learnt {
            call.remote_failed("read", &error);
        }
        seized.stamp = engine.local().markers.counter();
        engine.local().forget_hashed(call.hash);
        engine.flights().disperse_lookups(among, covers);
        if let Err(error) = placed {
            engine.remote().abandon(&call.key, &lease, Origin::Put);
            call.remote_failed("put", &error);
            seized.lease = None;
        }
        seized
    }

    async fn drive<F: Future>(&mut self, mut body: Pin<&mut F>) -> F::Output {
        self.wrote = true;
        let lease = self.lease.clone();
        let held = lease.clone().filter(|_| self.call.engine.settings().renews);
        let mut pulse = Pulse::new(held.map(Held::Lease));
        std::future::poll_fn(|context| {
            let polled = {
                // The body may read what it replaces.
                let _inside = flight::enter_put(&self.call.key, lease.clone());
                body.as_mut().poll(context)
            };
            if polled.is_pending() {
                pulse.poll(&self.call, None, context);
            }
            polled
        })
        .await
    }

    /// Stores the value, or removes the entry when there is none or it cannot
    /// be stored safely. It is carried out even if the caller goes away.
    fn keep(self, encoded: Option<Result<Encoded, EncodeError>>) -> Detached<()> {
        let runtime = self.call.engine.runtime().cloned();
        detached(runtime.as_ref(), self.keep_now(encoded))
    }

    async fn keep_now(mut self, encoded: Option<Result<Encoded, EncodeError>>) {
        if let Some(Err(error)) = &encoded {
            self.call.not_stored(error);
        }
        if !self.fill(encoded.and_then(Result::ok)).await {
            self.forget().await;
        }
        self.wrote = false;
    }

    /// `false`: what was there before may still be.
    async fn fill(&mut self, encoded: Option<Encoded>) -> bool {
        let call = &self.call;
        let (Some(encoded), Some(lease)) = (encoded, &self.lease) else {
            return false;
        };
        let fill = Fill {
            absent: false,
            took: Duration::ZERO,
            stamp: self.stamp,
            tags: &call.tags,
        };
        let sealed = match call.seal(&encoded, fill) {
            Ok(Some(sealed)) => sealed,
            Ok(None) => return false,
            Err(error) => {
                call.not_stored(&error);
                return false;
            }
        };
        let remote = call.engine.remote();
        let expected = Expect::Lease(lease);
        let filled = remote.fill(&call.key, expected, sealed.bytes, sealed.life, Origin::Put);
        let filled = call.spend(filled).await;
        call.engine.local().forget_hashed(call.hash);
        match filled {
            Ok(true) => {
                self.lease = None;
                self.call.counters().invalidated();
                let call = &self.call;
                let covers = |covered: &str| *covered == *call.key;
                let among = Among::Keys(std::slice::from_ref(&call.hash));
                call.engine.flights().disperse(among, covers);
                true
            }
            Ok(false) => {
                call.counters().fill_rejected();
                false
            }
            Err(error) => {
                call.remote_failed("put", &error);
                false
            }
        }
    }

    /// The write has happened and its value is not stored: what is there may
    /// be old.
    async fn forget(&mut self) {
        let engine = &self.call.engine;
        let how = How::in_budget(engine);
        let removed = engine.remove_now(&self.targets(), how).await;
        self.lease = None;
        match removed {
            Ok(_) => self.call.counters().invalidated(),
            Err(error) => {
                engine.repair_after(&error, &self.targets());
                self.call.counters().invalidation_failed();
                tracing::warn!(
                    method = self.call.label,
                    at = self.call.location.path,
                    %error,
                    "a put did not reach the store yet: its entry is removed as soon as that can be done"
                );
            }
        }
    }

    fn targets(&self) -> Targets {
        Targets::of_keys(vec![self.call.key.to_string()])
    }
}

impl Drop for Seized {
    fn drop(&mut self) {
        let engine = &self.call.engine;
        if self.wrote {
            let (removing, targets) = (Engine::clone(engine), self.targets());
            let remove = async move {
                let _busy = removing.busy();
                if let Err(error) = removing.remove_now(&targets, How::PATIENT).await {
                    removing.repair_after(&error, &targets);
                }
            };
            start(engine.runtime(), remove);
        } else if let Some(lease) = &self.lease {
            engine.remote().abandon(&self.call.key, lease, Origin::Put);
        }
    }
}

impl fmt::Debug for PutCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PutCall")
            .field("method", &self.call.as_ref().map(|call| &call.label))
            .finish_non_exhaustive()
    }
}
