//! Removals that have not reached the store.
//!
//! The write behind them has happened, so until they have been delivered this
//! process does without the store, and without level 1, for what they cover:
//! nobody here reads what a call here has removed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::budget::Budget;
use super::removal::{How, Targets};
use super::tags::prefix_of;
use super::{Engine, WeakEngine};
use crate::error::{Error, ErrorKind};
use crate::local::Marker;
use crate::pattern::Pattern;
use crate::sync::{lock, unique};

/// Everything that is to be delivered, the newest of each kind.
#[derive(Default)]
pub(crate) struct Repair {
    /// How many there are, for those who only ask whether there are any.
    pending: AtomicUsize,
    queue: Mutex<Queue>,
    done: tokio::sync::Notify,
}

#[derive(Default)]
struct Queue {
    keys: HashMap<String, Turn>,
    patterns: HashMap<Pattern, Turn>,
    /// By the name of the marker.
    markers: HashMap<String, Marked>,
    is_being_delivered: bool,
}

/// A tag, or a whole prefix, which covers the keys of a pattern.
struct Marked {
    marker: Arc<Marker>,
    covers: Option<Pattern>,
    turn: Turn,
}

/// Tells a removal from a later one of the same thing.
type Turn = u64;

/// Beyond so many keys, the prefixes that they belong to are removed instead.
const ROOM: usize = 10_000;

/// So many at once are handed to the store.
const BATCH: usize = 500;

impl Repair {
    /// Whether a removal that covers `key` is to be delivered yet.
    pub(crate) fn covers(&self, key: &str) -> bool {
        if self.pending.load(Ordering::SeqCst) == 0 {
            return false;
        }
        let queue = lock(&self.queue);
        let whole = queue.markers.values();
        let whole = whole.filter_map(|marked| marked.covers.as_ref());
        let mut patterns = queue.patterns.keys().chain(whole);
        queue.keys.contains_key(key) || patterns.any(|pattern| pattern.matches(key.as_bytes()))
    }

    pub(crate) fn len(&self) -> usize {
        self.pending.load(Ordering::SeqCst)
    }

    /// Waits until all is delivered.
    pub(crate) async fn delivered(&self) {
        loop {
            let done = self.done.notified();
            if self.len() == 0 {
                return;
            }
            done.await;
        }
    }

    /// Takes removals in, and says whether somebody has to deliver them.
    fn add(&self, targets: &Targets, engine: &Engine) -> bool {
        let mut queue = lock(&self.queue);
        let turn = unique();
        for key in &targets.keys {
            queue.keys.insert(key.clone(), turn);
        }
        for pattern in &targets.patterns {
            queue.patterns.insert(pattern.clone(), turn);
        }
        let tags = targets.tags.iter().map(|tag| (tag, None));
        let prefixes = targets.prefixes.iter();
        let prefixes = prefixes.map(|prefix| (&prefix.marker, Some(&prefix.pattern)));
        for (name, covers) in tags.chain(prefixes) {
            let marked = || {
                let marker = engine.local().markers.of(name);
                marker.hold();
                Marked {
                    marker,
                    covers: covers.cloned(),
                    turn,
                }
            };
            queue
                .markers
                .entry(name.clone())
                .or_insert_with(marked)
                .turn = turn;
        }
        if queue.keys.len() > ROOM {
            queue.give_up_keys(&engine.settings().namespace);
        }
        self.count(&queue);
        let idle = !queue.is_being_delivered;
        queue.is_being_delivered |= idle;
        idle
    }

    /// What to deliver next. `None`: nothing is left, and nobody delivers.
    fn next(&self) -> Option<Batch> {
        let mut queue = lock(&self.queue);
        let batch = Batch {
            keys: queue.keys.iter().take(BATCH).map(own).collect(),
            markers: queue
                .markers
                .iter()
                .take(BATCH)
                .map(|(name, marked)| (name.clone(), marked.turn))
                .collect(),
            // One walk over all keys at a time.
            pattern: queue.patterns.iter().next().map(own),
        };
        if batch.keys.is_empty() && batch.markers.is_empty() && batch.pattern.is_none() {
            queue.is_being_delivered = false;
            self.done.notify_waiters();
            return None;
        }
        Some(batch)
    }

    /// Strikes off what was delivered, unless it was asked for anew meanwhile.
    fn strike_off(
        &self,
        keys: &[(String, Turn)],
        markers: &[(String, Turn)],
        pattern: Option<&(Pattern, Turn)>,
    ) {
        let mut queue = lock(&self.queue);
        for (key, turn) in keys {
            if queue.keys.get(key) == Some(turn) {
                queue.keys.remove(key);
            }
        }
        for (name, turn) in markers {
            let latest = queue.markers.get(name).map(|marked| marked.turn);
            if latest == Some(*turn)
                && let Some(marked) = queue.markers.remove(name)
            {
                marked.marker.release();
            }
        }
        if let Some((pattern, turn)) = pattern
            && queue.patterns.get(pattern) == Some(turn)
        {
            queue.patterns.remove(pattern);
        }
        self.count(&queue);
    }

    fn count(&self, queue: &Queue) {
        let pending = queue.keys.len() + queue.patterns.len() + queue.markers.len();
        self.pending.store(pending, Ordering::SeqCst);
    }
}

fn own<K: Clone>((key, turn): (&K, &Turn)) -> (K, Turn) {
    (key.clone(), *turn)
}

impl Queue {
    /// Puts the prefixes of all keys in the place of the keys.
    fn give_up_keys(&mut self, namespace: &str) {
        tracing::warn!(
            keys = self.keys.len(),
            "more removals wait for the server than are kept apart, so everything beside them is removed too"
        );
        let turn = unique();
        for (key, _) in self.keys.drain() {
            let plain = key.strip_prefix(namespace).unwrap_or(&key);
            let beginning = match prefix_of(plain) {
                Some(prefix) => format!("{namespace}cache:{prefix}:"),
                // The first segment of a key of one's own.
                None => match plain.split_once(':') {
                    Some((first, _)) => format!("{namespace}{first}:"),
                    None => key,
                },
            };
            self.patterns
                .insert(Pattern::beginning_with(&beginning), turn);
        }
    }
}

struct Batch {
    keys: Vec<(String, Turn)>,
    markers: Vec<(String, Turn)>,
    pattern: Option<(Pattern, Turn)>,
}

impl Engine {
    /// Delivers removals later that have failed with this error, unless there
    /// is nothing any more to deliver them to.
    pub(crate) fn repair_after(&self, error: &Error, targets: &Targets) {
        if error.kind() != ErrorKind::ShutDown {
            self.repair_later(targets);
        }
    }

    /// Delivers removals later that could not be delivered now.
    pub(crate) fn repair_later(&self, targets: &Targets) {
        let idle = self.repair().add(targets, self);
        // Whoever did not see it in the queue yet may read what it removes.
        let hashes = self.hashes(targets);
        self.forget(targets, &hashes);
        self.flights()
            .disperse_lookups(targets.among(&hashes), |key| targets.cover(key));
        // Values of these tags may be among what is kept while the server is
        // away.
        self.local().distrust();
        if idle && let Some(runtime) = self.runtime() {
            runtime.spawn(deliver(self.downgrade()));
        }
    }

    async fn deliver_one(&self, batch: Batch) -> bool {
        let mut well = true;
        let Batch {
            keys,
            markers,
            pattern,
        } = batch;
        if !keys.is_empty() {
            let names: Vec<String> = keys.iter().map(|(key, _)| key.clone()).collect();
            let targets = Targets::of_keys(names);
            if self.remove_now(&targets, How::PATIENT).await.is_ok() {
                self.repair().strike_off(&keys, &[], None);
            } else {
                well = false;
            }
        }
        if !markers.is_empty() {
            let names: Vec<&str> = markers.iter().map(|(name, _)| &**name).collect();
            if self.raise(&names, &Budget::new(None)).await.is_ok() {
                self.repair().strike_off(&[], &markers, None);
            } else {
                well = false;
            }
        }
        if let Some(pattern) = pattern {
            let targets = Targets {
                patterns: vec![pattern.0.clone()],
                ..Targets::default()
            };
            if self.remove_now(&targets, How::PATIENT).await.is_ok() {
                self.repair().strike_off(&[], &[], Some(&pattern));
            } else {
                well = false;
            }
        }
        well
    }
}

/// Delivers as long as there is something, and somebody to do it for: the
/// engine is held only for a moment.
async fn deliver(engine: WeakEngine) {
    while let Some(engine) = engine.upgrade() {
        let usable = match engine.remote().trouble() {
            None => true,
            Some(error) if error.kind() == ErrorKind::ShutDown => return,
            Some(_) => false,
        };
        if usable {
            let Some(batch) = engine.repair().next() else {
                return;
            };
            if engine.deliver_one(batch).await {
                continue;
            }
        }
        drop(engine);
        // A server that refuses does not change its mind at once.
        tokio::time::sleep(RETRY).await;
    }
}

const RETRY: std::time::Duration = std::time::Duration::from_millis(50);
