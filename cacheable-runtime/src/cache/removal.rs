//! Removals, in both levels and in every process.
//!
//! Order is everything here. Flights that a removal covers are dispersed, and
//! level 1 forgets what it covers, before it is sent, so that their leaders
//! store nothing after it. When the store has answered, or has failed to, level
//! 1 forgets again what was read meanwhile, and flights that have begun since
//! are doubted, or dispersed, if they are still at their look-up: it may have
//! found the old entry, and a caller who comes after the removal must not share
//! it.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use super::Engine;
use super::budget::Budget;
use super::flight::Among;
use super::tags::{marker_of_prefix, whole_prefix};
use crate::error::Error;
use crate::local::KeyHash;
use crate::pattern::Pattern;
use crate::sync::{Detached, detached, lock};

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
    pub(super) fn cover(&self, key: &str) -> bool {
        self.name(key) || self.match_pattern(key)
    }

    /// Where what goes is, as far as its name tells.
    pub(super) fn among<'a>(&self, hashes: &'a [KeyHash]) -> Among<'a> {
        if self.have_patterns() {
            Among::All
        } else {
            Among::Keys(hashes)
        }
    }

    fn have_patterns(&self) -> bool {
        !self.patterns.is_empty() || !self.prefixes.is_empty()
    }

    fn name(&self, key: &str) -> bool {
        self.keys.iter().any(|named| named == key)
    }

    fn match_pattern(&self, key: &str) -> bool {
        let whole = self.prefixes.iter().map(|prefix| &prefix.pattern);
        let mut patterns = self.patterns.iter().chain(whole);
        patterns.any(|pattern| pattern.matches(key.as_bytes()))
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
    /// How long the store may take in all, beside the walks, and for each step
    /// of a walk; `None` for as long as any command may.
    pub(crate) limit: Option<Duration>,
}

impl How {
    /// As a caller who asked for nothing but the removal can wait for it.
    pub(crate) const PATIENT: Self = Self {
        sweep: None,
        limit: None,
    };

    /// As a call that has something else to do can wait for it. What the store
    /// has not confirmed by then is left to the repair.
    pub(crate) fn in_budget(engine: &Engine) -> Self {
        Self {
            sweep: None,
            limit: engine.settings().budget,
        }
    }
}

impl Engine {
    /// Removes entries and leases, and says how many there were. Once polled
    /// it is carried out even if the caller goes away: the write it answers
    /// to has happened. What cannot be done now is done later.
    pub(crate) fn remove(&self, targets: Targets, how: How) -> Detached<Result<u64, Error>> {
        let engine = self.clone();
        detached(self.runtime(), async move {
            let _busy = engine.busy();
            let removed = engine.remove_now(&targets, how).await;
            if let Err(error) = &removed {
                engine.repair_after(error, &targets);
            }
            removed
        })
    }

    pub(crate) async fn remove_now(&self, targets: &Targets, how: How) -> Result<u64, Error> {
        let How { sweep, limit } = how;
        let (one, several);
        let hashes = if let [key] = &targets.keys[..] {
            one = [self.local().hash(key.as_bytes())];
            &one[..]
        } else {
            several = self.hashes(targets);
            &several[..]
        };
        let among = targets.among(hashes);
        self.flights().disperse(among, |key| targets.cover(key));
        self.forget(targets, hashes);
        for key in hashes {
            self.emptied().add(*key);
        }
        // At once, so that both are sent even to a store that is late.
        let budget = Budget::new(limit);
        let (raised, unlinked) = tokio::join!(
            self.raise_of(targets, sweep, &budget),
            self.unlink(targets, &budget),
        );
        let mut removed = 0;
        let mut failed = None;
        for result in [raised, unlinked] {
            match result {
                Ok(count) => removed += count,
                Err(error) => failed = Some(error),
            }
        }
        let awaited = targets.prefixes.iter();
        let awaited = awaited.filter(|_| sweep == Some(Sweep::Awaited));
        let walks = awaited.map(|prefix| &prefix.pattern);
        for pattern in targets.patterns.iter().chain(walks) {
            // A caller with a limit waits for a store that is late only once; the
            // repair walks then.
            if limit.is_some() && failed.as_ref().is_some_and(Error::is_timeout) {
                break;
            }
            match self.remote().sweep(pattern, None, limit).await {
                Ok(count) => removed += count,
                // The others are still tried.
                Err(error) => failed = Some(error),
            }
        }
        // Also after a failure: what was sent may have been done.
        self.forget(targets, hashes);
        self.flights()
            .doubt_lookups(Among::Keys(hashes), |key| targets.name(key));
        if targets.have_patterns() {
            self.flights()
                .disperse_lookups(Among::All, |key| targets.match_pattern(key));
        }
        failed.map_or(Ok(removed), Err)
    }

    /// The tags and the whole prefixes.
    async fn raise_of(
        &self,
        targets: &Targets,
        sweep: Option<Sweep>,
        budget: &Budget,
    ) -> Result<u64, Error> {
        let markers: Vec<&str> = targets.markers().collect();
        if markers.is_empty() {
            return Ok(0);
        }
        let number = self.raise(&markers, budget).await?;
        if sweep == Some(Sweep::Behind) {
            self.sweep_behind(&targets.prefixes, number);
        }
        Ok(0)
    }

    /// The keys.
    async fn unlink(&self, targets: &Targets, budget: &Budget) -> Result<u64, Error> {
        if targets.keys.is_empty() {
            return Ok(0);
        }
        budget
            .spend(self, self.remote().remove(&targets.keys))
            .await
    }

    /// Of the keys that are named.
    pub(super) fn hashes(&self, targets: &Targets) -> Vec<KeyHash> {
        let keys = targets.keys.iter();
        keys.map(|key| self.local().hash(key.as_bytes())).collect()
    }

    /// Level 1 keeps nothing of what is removed by its name.
    pub(super) fn forget(&self, targets: &Targets, hashes: &[KeyHash]) {
        for key in hashes {
            self.local().forget_hashed(*key);
        }
        self.local().forget_matching(&targets.patterns);
    }

    /// Removes everything under these markers.
    pub(crate) async fn raise(&self, markers: &[&str], budget: &Budget) -> Result<u64, Error> {
        let local = self.local();
        let raising = self.remote().raise(markers, local.markers.counter());
        let raised = budget.spend(self, raising).await;
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
