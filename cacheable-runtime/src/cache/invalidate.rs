//! Removing what a write made old.
//!
//! Order is everything here. Flights that an invalidation covers are
//! dispersed before the removal is sent, so that their leaders store nothing
//! after it. Those that began since are dispersed when the store has answered,
//! if they are still at their look-up: it may have found the old entry, and a
//! caller who comes after the invalidation must not share it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::Engine;
use super::shape::{Divided, FallibleShape, Shape};
use super::site::{Location, MethodKey};
use crate::error::{Error, ErrorKind};
use crate::key::KeyWriter;
use crate::observe::Counters;
use crate::pattern::Pattern;
use crate::sync::detached;

/// A `#[cache_invalidate]` method: a static in its expansion.
#[derive(Debug)]
pub struct Invalidation {
    label: &'static str,
    location: Location,
}

impl Invalidation {
    /// The method's name, or the attribute's `name`.
    pub const fn new(label: &'static str, location: Location) -> Self {
        Self { label, location }
    }

    /// One call.
    pub fn begin(&'static self, runtime: Option<&Engine>) -> Invalidate {
        if runtime.is_none() {
            crate::observe::say_no_runtime();
        }
        Invalidate(runtime.map(|engine| {
            Box::new(Begun {
                counters: engine.counters(self.label),
                engine: engine.clone(),
                site: self,
                targets: Targets::default(),
                refused: None,
                before: false,
            })
        }))
    }

    /// One call whose `when` is false.
    pub fn skip(&'static self) -> Invalidate {
        Invalidate(None)
    }
}

/// One call of a `#[cache_invalidate]` method.
///
/// Behind a pointer, since the caller's future holds it more than once.
#[must_use = "an invalidation does nothing until it is run"]
pub struct Invalidate(Option<Box<Begun>>);

struct Begun {
    engine: Engine,
    counters: Arc<Counters>,
    site: &'static Invalidation,
    targets: Targets,
    /// The first target that could not be made; the others are still removed.
    refused: Option<Error>,
    before: bool,
}

/// What to remove, namespace included.
#[derive(Clone, Default)]
pub(crate) struct Targets {
    pub(crate) keys: Vec<String>,
    pub(crate) patterns: Vec<Pattern>,
}

impl Invalidate {
    /// Adds a pattern; its text is made now, before the body.
    pub fn pattern(mut self, text: impl FnOnce(&mut KeyWriter)) -> Self {
        if let Some(begun) = &mut self.0 {
            let mut writer = KeyWriter::text("");
            text(&mut writer);
            match writer.finish_pattern().and_then(Pattern::new) {
                Ok(pattern) => {
                    let pattern = begun.engine.full_pattern(&pattern);
                    begun.targets.patterns.push(pattern);
                }
                Err(error) => begun.refused = Some(error),
            }
        }
        self
    }

    /// Adds the entry of one call.
    pub fn method<R>(mut self, key: MethodKey<R>) -> Self {
        if let Some(begun) = &mut self.0 {
            match key.text {
                Ok(text) => begun.targets.keys.push(begun.engine.full(&text)),
                Err(error) => begun.refused = Some(error),
            }
        }
        self
    }

    /// Adds a tag; its text is made now, before the body.
    pub fn tag(self, _text: impl FnOnce(&mut KeyWriter)) -> Self {
        self
    }

    /// Removes before the body, too.
    pub fn before(mut self) -> Self {
        if let Some(begun) = &mut self.0 {
            begun.before = true;
        }
        self
    }

    /// Runs `body` and removes if it succeeds.
    pub async fn run<S, F>(self, shape: S, body: Pin<&mut F>) -> S::Return
    where
        S: Shape,
        F: Future<Output = S::Return>,
    {
        self.run_unless(shape, body, |_| false).await
    }

    /// As [`run`](Self::run), unless `unless` holds for what it returned.
    pub async fn run_unless<S, F, U>(self, shape: S, body: Pin<&mut F>, unless: U) -> S::Return
    where
        S: Shape,
        F: Future<Output = S::Return>,
        U: FnOnce(&S::Value) -> bool,
    {
        self.around(shape, body, unless).await.0
    }

    /// As [`run`](Self::run), and reports a failed removal as the method's
    /// error.
    pub async fn run_reporting<S, F>(self, shape: S, body: Pin<&mut F>) -> S::Return
    where
        S: FallibleShape,
        F: Future<Output = S::Return>,
    {
        self.run_unless_reporting(shape, body, |_| false).await
    }

    /// [`run_unless`](Self::run_unless) and
    /// [`run_reporting`](Self::run_reporting) together.
    pub async fn run_unless_reporting<S, F, U>(
        self,
        shape: S,
        body: Pin<&mut F>,
        unless: U,
    ) -> S::Return
    where
        S: FallibleShape,
        F: Future<Output = S::Return>,
        U: FnOnce(&S::Value) -> bool,
    {
        match self.around(shape, body, unless).await {
            (_, Some(error)) => S::fail(error),
            (returned, None) => returned,
        }
    }

    async fn around<S, F, U>(self, _: S, body: Pin<&mut F>, unless: U) -> (S::Return, Option<Error>)
    where
        S: Shape,
        F: Future<Output = S::Return>,
        U: FnOnce(&S::Value) -> bool,
    {
        let Some(begun) = self.0 else {
            return (body.await, None);
        };
        if begun.before {
            // A failure is counted and said; what matters comes after.
            drop(Box::pin(begun.remove()).await);
        }
        let returned = match S::divide(body.await) {
            Divided::Value(kept) if unless(S::value(&kept)) => return (S::rejoin(kept), None),
            Divided::Value(kept) => Ok(kept),
            Divided::Absent if S::ABSENT_SUCCEEDS => Err(()),
            Divided::Absent => return (absent::<S>(), None),
            // The body's own error says more than one of the cache.
            Divided::Failed(failed) => return (failed, None),
        };
        begun.counters.invalidated();
        let late = Box::pin(begun.remove()).await.err();
        let returned = returned.map_or_else(|()| absent::<S>(), S::rejoin);
        (returned, late)
    }
}

fn absent<S: Shape>() -> S::Return {
    S::absent().expect("this shape was just absent")
}

impl Begun {
    async fn remove(&self) -> Result<(), Error> {
        let removed = self.engine.remove(self.targets.clone()).await;
        let removed = removed.map(|entries| self.counters.removed(entries));
        let result = match &self.refused {
            Some(error) => Err(error.clone()),
            None => removed,
        };
        if let Err(error) = &result {
            self.counters.invalidation_failed();
            tracing::warn!(
                method = self.site.label,
                at = self.site.location.path,
                %error,
                "an invalidation did not reach the store: old entries may be served until their ttl"
            );
        }
        result
    }
}

impl Engine {
    /// Removes entries and leases, and says how many there were. Once polled
    /// it is carried out even if the caller goes away: the write it answers
    /// to has happened.
    pub(crate) async fn remove(&self, targets: Targets) -> Result<u64, Error> {
        let engine = self.clone();
        let removal = async move {
            let _busy = engine.busy();
            engine.remove_now(&targets).await
        };
        detached(self.runtime(), removal).await.unwrap_or_else(|| {
            Err(Error::new(
                ErrorKind::ShutDown,
                "the Tokio runtime of the cache stopped before the invalidation was done",
            ))
        })
    }

    pub(crate) async fn remove_now(&self, targets: &Targets) -> Result<u64, Error> {
        let covers = |key: &str| {
            targets.keys.iter().any(|covered| covered == key)
                || targets
                    .patterns
                    .iter()
                    .any(|pattern| pattern.matches(key.as_bytes()))
        };
        self.flights().disperse(covers);
        let mut removed = 0;
        let mut failed = None;
        let mut note = |result: Result<u64, Error>| match result {
            Ok(count) => removed += count,
            // The others are still tried.
            Err(error) => failed = Some(error),
        };
        if !targets.keys.is_empty() {
            note(self.remote().remove(&targets.keys).await);
        }
        for pattern in &targets.patterns {
            note(self.remote().sweep(pattern).await);
        }
        self.flights().disperse_lookups(covers);
        failed.map_or(Ok(removed), Err)
    }
}

impl fmt::Debug for Invalidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invalidate")
            .field("method", &self.0.as_ref().map(|begun| begun.site.label))
            .finish_non_exhaustive()
    }
}
