//! Removing what a write made old.
//!
//! Order is everything here. Flights that an invalidation covers are
//! dispersed before the removal is sent, so that their leaders store nothing
//! after it. Those that began since are dispersed when the store has answered,
//! if they are still at their look-up: it may have found the old entry, and a
//! caller who comes after the invalidation must not share it.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Engine;
use super::budget::Budget;
use super::shape::{Divided, FallibleShape, Shape};
use super::site::{Location, MethodKey};
use super::tags::{marker_of_prefix, marker_of_tag, tag, whole_prefix};
use crate::error::{Error, ErrorKind};
use crate::key::KeyWriter;
use crate::observe::Counters;
use crate::pattern::Pattern;
use crate::sync::{detached, lock};

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
    /// To be walked for.
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) prefixes: Vec<Prefix>,
    /// By the names of their markers.
    pub(crate) tags: Vec<String>,
}

/// All entries `cache:<prefix>:…`: they have a marker, like those of a tag.
#[derive(Clone)]
pub(crate) struct Prefix {
    pub(crate) pattern: Pattern,
    pub(crate) marker: String,
}

impl Targets {
    pub(crate) fn of_keys(keys: Vec<String>) -> Self {
        Self {
            keys,
            ..Self::default()
        }
    }

    /// Adds a pattern, in the way that it is removed fastest.
    pub(crate) fn add(&mut self, engine: &Engine, pattern: &Pattern) {
        let full = engine.full_pattern(pattern);
        match whole_prefix(pattern) {
            Some(prefix) => self.prefixes.push(Prefix {
                marker: marker_of_prefix(&engine.settings().namespace, prefix),
                pattern: full,
            }),
            None => self.patterns.push(full),
        }
    }

    pub(crate) fn markers(&self) -> impl Iterator<Item = &str> {
        let prefixes = self.prefixes.iter().map(|prefix| &*prefix.marker);
        prefixes.chain(self.tags.iter().map(String::as_str))
    }

    /// Whether `key` goes, as far as its name tells.
    fn cover(&self, key: &str) -> bool {
        let whole = self.prefixes.iter().map(|prefix| &prefix.pattern);
        let mut patterns = self.patterns.iter().chain(whole);
        self.keys.iter().any(|covered| covered == key)
            || patterns.any(|pattern| pattern.matches(key.as_bytes()))
    }
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
                Ok(text) => begun.targets.keys.push(begun.engine.full(&text)),
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
        let how = How {
            sweep: Some(Sweep::Behind),
            limit: self.engine.settings().budget,
        };
        let removed = self.engine.remove(self.targets.clone(), how).await;
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

/// What is done about the memory of entries that a marker has removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sweep {
    /// It is freed behind the caller.
    Behind,
    /// It is freed before the caller goes on, who is told how much there was.
    Awaited,
}

/// How a removal is carried out.
#[derive(Clone, Copy)]
pub(crate) struct How {
    /// `None`: nothing is done about it.
    pub(crate) sweep: Option<Sweep>,
    /// How long the store may take for one step; `None` for as long as any
    /// command may.
    pub(crate) limit: Option<Duration>,
}

impl How {
    /// As a caller who asked for nothing but the removal can wait for it.
    pub(crate) const PATIENT: Self = Self {
        sweep: None,
        limit: None,
    };
}

impl Engine {
    /// Removes entries and leases, and says how many there were. Once polled
    /// it is carried out even if the caller goes away: the write it answers
    /// to has happened. What cannot be done now is done later.
    pub(crate) async fn remove(&self, targets: Targets, how: How) -> Result<u64, Error> {
        let engine = self.clone();
        let removal = async move {
            let _busy = engine.busy();
            let removed = engine.remove_now(&targets, how).await;
            if let Err(error) = &removed
                && error.kind() != ErrorKind::ShutDown
            {
                engine.repair_later(&targets);
            }
            removed
        };
        detached(self.runtime(), removal).await.unwrap_or_else(|| {
            Err(Error::new(
                ErrorKind::ShutDown,
                "the Tokio runtime of the cache stopped before the invalidation was done",
            ))
        })
    }

    pub(crate) async fn remove_now(&self, targets: &Targets, how: How) -> Result<u64, Error> {
        let How { sweep, limit } = how;
        let covers = |key: &str| targets.cover(key);
        self.flights().disperse(covers);
        self.forget(targets);
        let mut removed = 0;
        let mut failed = None;
        let mut note = |result: Result<u64, Error>| match result {
            Ok(count) => removed += count,
            // The others are still tried.
            Err(error) => failed = Some(error),
        };
        let markers: Vec<&str> = targets.markers().collect();
        if !markers.is_empty() {
            note(self.raise(&markers, limit).await.map(|number| {
                if sweep == Some(Sweep::Behind) {
                    self.sweep_behind(&targets.prefixes, number);
                }
                0
            }));
        }
        if !targets.keys.is_empty() {
            note(
                self.in_time(limit, self.remote().remove(&targets.keys))
                    .await,
            );
        }
        for pattern in &targets.patterns {
            note(self.remote().sweep(pattern, None, limit).await);
        }
        if sweep == Some(Sweep::Awaited) {
            for prefix in &targets.prefixes {
                note(self.remote().sweep(&prefix.pattern, None, limit).await);
            }
        }
        // Also after a failure: what was sent may have been done.
        self.forget(targets);
        self.flights().disperse_lookups(covers);
        failed.map_or(Ok(removed), Err)
    }

    /// Level 1 keeps nothing of what is removed by its name.
    fn forget(&self, targets: &Targets) {
        for key in &targets.keys {
            self.local().forget(key.as_bytes());
        }
        self.local().forget_matching(&targets.patterns);
    }

    /// Removes everything under these markers.
    pub(crate) async fn raise(
        &self,
        markers: &[&str],
        limit: Option<Duration>,
    ) -> Result<u64, Error> {
        let local = self.local();
        let raising = self.remote().raise(markers, local.markers.counter());
        let raised = self.in_time(limit, raising).await;
        match &raised {
            Ok(number) => {
                local.markers.saw(*number);
                for marker in markers {
                    local.markers.of(marker).raise(*number);
                }
            }
            // It may have been done all the same.
            Err(_) => {
                for marker in markers {
                    local.markers.of(marker).forget();
                }
            }
        }
        // While one node of a cluster is away, tags are removed on another, and
        // what is kept to shield its source knows nothing of tags.
        local.distrust();
        local.markers.removed();
        self.flights().disperse_tagged_lookups();
        raised
    }

    async fn in_time<T>(
        &self,
        limit: Option<Duration>,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        Budget::new(limit).spend(self, answer).await
    }

    /// Frees the memory of what a marker has removed, in no hurry. What was
    /// loaded since stays.
    fn sweep_behind(&self, prefixes: &[Prefix], number: u64) {
        let Some(runtime) = self.runtime() else {
            return;
        };
        for prefix in prefixes {
            // One walk at a time for a prefix; a removal that comes meanwhile
            // makes it begin again.
            if !self.sweeps().begin(&prefix.pattern, number) {
                continue;
            }
            let (engine, pattern) = (self.downgrade(), prefix.pattern.clone());
            runtime.spawn(async move {
                while let Some(engine) = engine.upgrade() {
                    let Some(number) = engine.sweeps().next(&pattern) else {
                        return;
                    };
                    if let Err(error) = engine.remote().sweep(&pattern, Some(number), None).await {
                        tracing::debug!(%error, %pattern, "removed entries are left to end by themselves");
                    }
                }
            });
        }
    }
}

/// Walks behind removals of whole prefixes, by pattern.
#[derive(Default)]
pub(crate) struct Sweeps(Mutex<HashMap<Pattern, Option<u64>>>);

impl Sweeps {
    /// Asks for a walk. `true`: somebody has to be sent.
    fn begin(&self, pattern: &Pattern, number: u64) -> bool {
        let mut walks = lock(&self.0);
        walks.insert(pattern.clone(), Some(number)).is_none()
    }

    /// What to walk for next. `None`: nothing, and nobody is under way.
    fn next(&self, pattern: &Pattern) -> Option<u64> {
        let mut walks = lock(&self.0);
        let number = walks.get_mut(pattern)?.take();
        if number.is_none() {
            walks.remove(pattern);
        }
        number
    }
}

impl fmt::Debug for Invalidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invalidate")
            .field("method", &self.0.as_ref().map(|begun| begun.site.label))
            .finish_non_exhaustive()
    }
}
