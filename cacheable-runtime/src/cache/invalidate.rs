//! `#[cache_invalidate]`: a removal after the method has succeeded.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::removal::{How, Sweep, Targets};
use super::shape::{Divided, FallibleShape, Shape};
use super::site::{Location, MethodKey};
use super::tags::{marker_of_tag, tag};
use super::{Busy, Engine};
use crate::error::Error;
use crate::key::KeyWriter;
use crate::observe::Counters;
use crate::pattern::Pattern;
use crate::sync::{Detached, start};

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
                engine: engine.busy(),
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
    /// From before the body: a shutdown waits for what it is to remove.
    engine: Busy,
    counters: Arc<Counters>,
    site: &'static Invalidation,
    targets: Targets,
    /// The first target that could not be made; the others are still removed.
    refused: Option<Error>,
    before: bool,
}

impl Invalidate {
    /// Adds a pattern; its text is made now, before the body.
    pub fn pattern(mut self, text: impl FnOnce(&mut KeyWriter)) -> Self {
        if let Some(begun) = &mut self.0 {
            let mut writer = KeyWriter::text("");
            text(&mut writer);
            match writer.finish_pattern().and_then(Pattern::new) {
                Ok(pattern) => begun.targets.add(&begun.engine, &pattern),
                Err(error) => begun.refused = Some(error),
            }
        }
        self
    }

    /// Adds the entry of one call.
    pub fn method<R>(mut self, key: MethodKey<R>) -> Self {
        if let Some(begun) = &mut self.0 {
            match key.text {
                Ok(text) => begun.targets.keys.push(begun.engine.full(text)),
                Err(error) => begun.refused = Some(error),
            }
        }
        self
    }

    /// Adds a tag; its text is made now, before the body.
    pub fn tag(mut self, text: impl FnOnce(&mut KeyWriter)) -> Self {
        if let Some(begun) = &mut self.0 {
            match tag(text) {
                Ok(name) => {
                    let namespace = &begun.engine.settings().namespace;
                    let marker = marker_of_tag(namespace, &name);
                    begun.targets.tags.push(marker);
                }
                Err(error) => begun.refused = Some(error),
            }
        }
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
        let Some(mut begun) = self.0 else {
            return (body.await, None);
        };
        if begun.before {
            let removed = begun.removal(begun.targets.clone()).await;
            // A failure is counted and said; what matters comes after.
            drop(begun.ended(removed));
        }
        let mut unfinished = Unfinished(Some(&begun));
        let divided = S::divide(body.await);
        let spared = matches!(&divided, Divided::Value(kept) if unless(S::value(kept)));
        unfinished.0 = None;
        drop(unfinished);
        let returned = match divided {
            Divided::Value(kept) if spared => return (S::rejoin(kept), None),
            Divided::Value(kept) => Ok(kept),
            Divided::Absent if S::ABSENT_SUCCEEDS => Err(()),
            Divided::Absent => return (absent::<S>(), None),
            // The body's own error says more than one of the cache.
            Divided::Failed(failed) => return (failed, None),
        };
        begun.counters.invalidated();
        let targets = std::mem::take(&mut begun.targets);
        let removed = begun.removal(targets).await;
        let late = begun.ended(removed).err();
        let returned = returned.map_or_else(|()| absent::<S>(), S::rejoin);
        (returned, late)
    }
}

fn absent<S: Shape>() -> S::Return {
    S::absent().expect("this shape was just absent")
}

/// A body that may have written. Dropping it, since its caller went away or it
/// panicked, removes behind the caller's back.
struct Unfinished<'a>(Option<&'a Begun>);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let Some(begun) = self.0 else {
            return;
        };
        let engine = Engine::clone(&begun.engine);
        let (targets, how) = (begun.targets.clone(), begun.how());
        start(begun.engine.runtime(), async move {
            // What fails is tried until it is done.
            drop(engine.remove(targets, how).await);
        });
    }
}

impl Begun {
    fn how(&self) -> How {
        How {
            sweep: Some(Sweep::Behind),
            ..How::in_budget(&self.engine)
        }
    }

    fn removal(&self, targets: Targets) -> Detached<Result<u64, Error>> {
        self.engine.remove(targets, self.how())
    }

    /// Counts what has come of a removal, and says what has not.
    fn ended(&self, removed: Result<u64, Error>) -> Result<(), Error> {
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
                "an invalidation did not reach the store yet: it is tried until it does, and this process does without the store for what it removes"
            );
        }
        result
    }
}

impl fmt::Debug for Invalidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invalidate")
            .field("method", &self.0.as_ref().map(|begun| begun.site.label))
            .finish_non_exhaustive()
    }
}
