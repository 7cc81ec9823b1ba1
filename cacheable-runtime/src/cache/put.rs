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

use super::Engine;
use super::call::Cached;
use super::invalidate::Targets;
use super::load::{Encoded, Renewal};
use super::shape::{CachedShape, Divided};
use super::site::{Location, MethodKey};
use crate::codec::EncodeError;
use crate::codec::envelope::lease_bytes;

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
            return PutCall(None);
        };
        let counters = engine.counters(self.label);
        let policy = key.policy();
        match key.text {
            Ok(text) => PutCall(Some(Box::new(Cached {
                engine: engine.clone(),
                counters,
                label: self.label,
                location: self.location,
                identity: key.identity,
                key: engine.full(&text).into(),
                policy,
            }))),
            Err(error) => {
                counters.invalidation_failed();
                tracing::warn!(method = self.label, at = self.location.path, %error, "the key of a put cannot be made");
                PutCall(None)
            }
        }
    }

    /// One call whose `when` is false.
    pub fn skip(&'static self) -> PutCall {
        PutCall(None)
    }
}

/// One call of a `#[cache_put]` method.
#[must_use = "a put does nothing until it is run"]
pub struct PutCall(Option<Box<Cached>>);

impl PutCall {
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
        let Some(call) = self.0 else {
            return body.await;
        };
        let seized = Box::pin(Seized::seize(*call)).await;
        let kept = match S::divide(seized.drive(body).await) {
            Divided::Value(kept) => kept,
            // The method wrote, and what is there is old.
            Divided::Absent if S::ABSENT_SUCCEEDS => {
                Box::pin(seized.forget()).await;
                return S::absent().expect("this shape was just absent");
            }
            // Nothing was written; the lease goes with `seized`.
            Divided::Absent => return S::absent().expect("this shape was just absent"),
            Divided::Failed(failed) => return failed,
        };
        let value = S::value(&kept);
        if unless(value) {
            Box::pin(seized.forget()).await;
        } else {
            let encoded = seized.call.encode(value);
            Box::pin(seized.keep(encoded)).await;
        }
        S::rejoin(kept)
    }
}

/// An entry whose lease was taken by force. Dropping it gives the lease up.
struct Seized {
    call: Cached,
    /// `None`: the store could not be reached, or the lease has been used.
    lease: Option<Vec<u8>>,
}

impl Seized {
    async fn seize(call: Cached) -> Self {
        let lease = lease_bytes(&Engine::new_token());
        let engine = &call.engine;
        let covers = |key: &str| key == &*call.key;
        engine.flights().disperse(covers);
        let seized = engine
            .remote()
            .seize(&call.key, &lease, engine.lease_life())
            .await;
        engine.flights().disperse_lookups(covers);
        match seized {
            Ok(()) => Self {
                call,
                lease: Some(lease),
            },
            Err(error) => {
                engine.remote().abandon(&call.key, &lease);
                call.remote_failed("put", &error);
                Self { call, lease: None }
            }
        }
    }

    async fn drive<F: Future>(&self, mut body: Pin<&mut F>) -> F::Output {
        let mut renewal = Renewal::new(&self.call.engine, &self.call.key, self.lease.as_deref());
        std::future::poll_fn(|context| {
            let polled = body.as_mut().poll(context);
            if polled.is_pending() {
                renewal.poll(context);
            }
            polled
        })
        .await
    }

    /// Stores the value, or removes the entry when it cannot be stored safely.
    async fn keep(mut self, encoded: Result<Encoded, EncodeError>) {
        let sealed = match encoded {
            Ok(encoded) => {
                let ttl = self.call.policy.ttl;
                self.call
                    .seal(&encoded, ttl, false, std::time::Duration::ZERO)
            }
            Err(error) => {
                self.call.not_stored(&error);
                None
            }
        };
        let (Some((sealed, life)), Some(lease)) = (sealed, self.lease.take()) else {
            return self.forget().await;
        };
        match self
            .call
            .engine
            .remote()
            .fill(&self.call.key, &lease, sealed, life)
            .await
        {
            Ok(true) => {
                self.call.counters.invalidated();
                let key = Arc::clone(&self.call.key);
                self.call
                    .engine
                    .flights()
                    .disperse(|covered| covered == &*key);
            }
            Ok(false) => {
                self.call.counters.fill_rejected();
                self.forget().await;
            }
            Err(error) => {
                self.call.remote_failed("put", &error);
                self.forget().await;
            }
        }
    }

    /// The write has happened and its value is not stored: what is there may
    /// be old.
    async fn forget(mut self) {
        self.lease = None;
        let targets = Targets {
            keys: vec![self.call.key.to_string()],
            patterns: Vec::new(),
        };
        match self.call.engine.remove(targets).await {
            Ok(_) => self.call.counters.invalidated(),
            Err(error) => {
                self.call.counters.invalidation_failed();
                tracing::warn!(
                    method = self.call.label,
                    at = self.call.location.path,
                    %error,
                    "a put did not reach the store: an old entry may be served until its ttl"
                );
            }
        }
    }
}

impl Drop for Seized {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            self.call.engine.remote().abandon(&self.call.key, &lease);
        }
    }
}

impl fmt::Debug for PutCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PutCall")
            .field("method", &self.0.as_ref().map(|call| &call.label))
            .finish_non_exhaustive()
    }
}
