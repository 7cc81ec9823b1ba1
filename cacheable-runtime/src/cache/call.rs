//! One call of a cached method or handle, from beginning to end.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::flight::{Landing, Shared};
use super::read::Found;
use super::shape::{CachedShape, Divided};
use super::site::{Location, Site};
use super::tags::Tags;
use super::{Busy, Engine};
use crate::codec::{self, CodecChoice, CodecId, DecodeError, Hidden, Schema};
use crate::error::Error;
use crate::key::KeyWriter;
use crate::observe::Counters;
use crate::policy::Rules;
use crate::sync::BoxFuture;

/// One call, ready to run.
#[must_use = "a call does nothing until it is run"]
pub struct Call(Option<Box<Cached>>);

/// What a call needs once it goes to the store.
pub(crate) struct Cached {
    pub(crate) engine: Engine,
    pub(crate) counters: Arc<Counters>,
    /// What messages call the method, and where it is.
    pub(crate) label: &'static str,
    pub(crate) location: Location,
    /// 0 for a handle, which takes entries of any site.
    pub(crate) identity: u64,
    /// With the namespace.
    pub(crate) key: Arc<str>,
    pub(crate) rules: Rules,
    pub(crate) tags: Vec<String>,
    /// A shutdown waits for it.
    pub(crate) _busy: Busy,
}

impl Call {
    pub(crate) fn new(
        engine: &Engine,
        site: &'static Site,
        closure: &'static str,
        key: Result<String, Error>,
    ) -> Self {
        let counters = engine.counters(site.label());
        if engine.is_closing() {
            counters.bypassed();
            return Self(None);
        }
        match key {
            Ok(key) => Self(Some(Box::new(Cached {
                counters,
                label: site.label(),
                location: site.location(),
                identity: site.identity(closure),
                key: engine.full(&key).into(),
                rules: site.rules,
                tags: Vec::new(),
                _busy: engine.busy(),
                engine: engine.clone(),
            }))),
            Err(error) => {
                counters.bypassed();
                engine.observe().once(site.location().path, "key", || {
                    tracing::warn!(
                        method = site.label(),
                        at = site.location().path,
                        %error,
                        "an argument cannot be part of a key, so these calls run uncached: \
                         leave it out with `skip(…)`, or name what matters with `key = \"…\"`"
                    );
                });
                Self(None)
            }
        }
    }

    pub(crate) fn of(cached: Cached) -> Self {
        Self(Some(Box::new(cached)))
    }

    /// A call that only runs its body.
    pub(crate) fn direct() -> Self {
        Self(None)
    }

    pub(crate) fn without_runtime() -> Self {
        crate::observe::say_no_runtime();
        Self(None)
    }

    /// `ttl`, when it is an expression.
    pub fn ttl(mut self, ttl: impl FnOnce() -> Duration) -> Self {
        if let Some(call) = &mut self.0 {
            call.rules.ttl = ttl();
        }
        self
    }

    /// `none_ttl`, when it is an expression.
    pub fn none_ttl(mut self, ttl: impl FnOnce() -> Duration) -> Self {
        if let Some(call) = &mut self.0 {
            call.rules.none_ttl = Some(ttl());
        }
        self
    }

    /// `local_ttl`, when it is an expression.
    pub fn local_ttl(mut self, ttl: impl FnOnce() -> Duration) -> Self {
        if let Some(call) = &mut self.0 {
            call.rules.local_ttl = Some(ttl());
        }
        self
    }

    /// `stale_while_revalidate`, when it is an expression.
    pub fn stale_while_revalidate(mut self, window: impl FnOnce() -> Duration) -> Self {
        if let Some(call) = &mut self.0 {
            call.rules.stale_while_revalidate = window();
        }
        self
    }

    /// `stale_if_error`, when it is an expression.
    pub fn stale_if_error(mut self, window: impl FnOnce() -> Duration) -> Self {
        if let Some(call) = &mut self.0 {
            call.rules.stale_if_error = window();
        }
        self
    }

    /// `retry_after`, when it is an expression.
    pub fn retry_after(mut self, pause: impl FnOnce() -> Duration) -> Self {
        if let Some(call) = &mut self.0 {
            call.rules.retry_after = pause();
        }
        self
    }

    /// `load_timeout`, when it is an expression.
    pub fn load_timeout(mut self, timeout: impl FnOnce() -> Duration) -> Self {
        if let Some(call) = &mut self.0 {
            call.rules.load_timeout = Some(timeout());
        }
        self
    }

    /// A tag that is made of the arguments.
    pub fn tag(mut self, _text: impl FnOnce(&mut KeyWriter)) -> Self {
        let _ = &mut self.0;
        self
    }

    /// What refreshes the entry in the background: this very call once more,
    /// on owned arguments.
    pub fn refresh(mut self, _again: impl FnOnce() -> BoxFuture<'static, ()>) -> Self {
        let _ = &mut self.0;
        self
    }

    /// As [`run`](Self::run), with all that an attribute can ask for: tags
    /// that come from the value, and what is returned when the body has not
    /// ended at its `load_timeout`.
    pub async fn run_full<S, F, U, G, L>(
        self,
        shape: S,
        body: Pin<&mut F>,
        unless: U,
        _tags: G,
        _late: L,
    ) -> S::Return
    where
        S: CachedShape,
        F: Future<Output = S::Return>,
        U: FnOnce(&S::Stored) -> bool,
        G: FnOnce(&S::Stored, &mut Tags),
        L: FnOnce() -> S::Return,
    {
        self.run_unless(shape, body, unless).await
    }

    /// As [`run_full`](Self::run_full), over a body that can outlive the
    /// caller, so that a refresh runs in the background.
    pub async fn run_owned<S, F, U, G, L>(
        self,
        shape: S,
        body: F,
        unless: U,
        _tags: G,
        _late: L,
    ) -> S::Return
    where
        S: CachedShape + Send + 'static,
        F: Future<Output = S::Return> + Send + 'static,
        U: FnOnce(&S::Stored) -> bool + Send + 'static,
        G: FnOnce(&S::Stored, &mut Tags) + Send + 'static,
        L: FnOnce() -> S::Return,
    {
        self.run_unless(shape, std::pin::pin!(body), unless).await
    }

    /// Answers from the cache, or runs `body` and keeps what it returns.
    pub async fn run<S, F>(self, shape: S, body: Pin<&mut F>) -> S::Return
    where
        S: CachedShape,
        F: Future<Output = S::Return>,
    {
        self.run_unless(shape, body, |_| false).await
    }

    /// As [`run`](Self::run), but a value that `unless` holds for is not kept.
    pub async fn run_unless<S, F, U>(self, _: S, body: Pin<&mut F>, unless: U) -> S::Return
    where
        S: CachedShape,
        F: Future<Output = S::Return>,
        U: FnOnce(&S::Stored) -> bool,
    {
        let Some(call) = self.0 else {
            return body.await;
        };
        // Behind a pointer: all of it is the same for every method, and the
        // caller's future stays small.
        let mut load = match Box::pin(call.find(const { &ValueType::of::<S::Stored>() })).await {
            Found::Value(value) => match value.downcast() {
                Ok(value) => return S::restore(value),
                // Only two handles that use one key for two types get here.
                Err(_) => return body.await,
            },
            Found::Absent => {
                let hidden = || Some(S::restore(Arc::new(codec::none()?)));
                match S::absent().or_else(hidden) {
                    Some(nothing) => return nothing,
                    None => return body.await,
                }
            }
            Found::Nothing(load) => load,
        };

        let kept = match S::divide(load.drive(body).await) {
            Divided::Value(kept) => kept,
            Divided::Absent => {
                Box::pin(load.absent()).await;
                return S::absent().expect("this shape was just absent");
            }
            Divided::Failed(failed) => {
                load.failed();
                return failed;
            }
        };
        let value = S::value(&kept);
        let share = || Landing::Value(S::share(&kept) as Shared);
        match codec::hidden(value) {
            // A shape that has a nothing of its own would restore that one.
            Hidden::None if S::absent().is_none() => Box::pin(load.absent()).await,
            Hidden::Err => load.failed(),
            _ if unless(value) => Box::pin(load.share(share)).await,
            _ => {
                let encoded = load.call().encode(value);
                if let Some(load) = Box::pin(load.store(encoded)).await {
                    Box::pin(load.share(share)).await;
                }
            }
        }
        S::rejoin(kept)
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.0.as_ref().map(|call| &call.label))
            .finish_non_exhaustive()
    }
}

/// The operations on one value type, for code that is the same for all.
pub(crate) struct ValueType {
    pub(crate) schema: fn(CodecChoice, u64) -> Schema,
    pub(crate) decode: fn(CodecId, &[u8]) -> Result<Shared, DecodeError>,
}

impl ValueType {
    /// The operations of `T`.
    pub(crate) const fn of<T: Serialize + DeserializeOwned + Send + Sync + 'static>() -> Self {
        Self {
            schema: codec::schema::<T>,
            decode: |codec, bytes| {
                Ok(Arc::new(codec::decode::<T>(codec, bytes)?) as Arc<dyn Any + Send + Sync>)
            },
        }
    }
}
