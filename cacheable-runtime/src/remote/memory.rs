//! The embedded store: a bounded map in this process.
//!
//! A map of `quick_cache` bounds the weight and picks what goes. Its entry API
//! makes a decision and the replacement that follows it one step for every
//! method that names the key. A sweep names none and would pass by an entry
//! that is being replaced, so it waits for replacements to end. All of these
//! are short: no method waits for anything but a lock.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use quick_cache::sync::{Cache, EntryAction, EntryResult};
use quick_cache::{OptionsBuilder, Weighter};

use super::{Claimed, Expect, Numbers, Origin, Read, RemoteStore, SERIAL, STAMP};
use crate::error::Error;
use crate::pattern::Pattern;
use crate::sync::{BoxFuture, lock};
use crate::time::{Clock, Millis};

pub(crate) struct MemoryStore {
    entries: Cache<String, Entry, ByBytes>,
    /// Shared by replacements, held alone by a sweep.
    sweeping: RwLock<()>,
    removals: Mutex<Removals>,
    clock: Clock,
}

/// The removals of tags.
#[derive(Default)]
struct Removals {
    counter: u64,
    markers: HashMap<String, u64>,
}

/// Beyond so many markers all are let go, which costs misses.
const MARKERS: usize = 1 << 17;

#[derive(Clone)]
struct Entry {
    bytes: Arc<[u8]>,
    expires: Millis,
}

impl Entry {
    fn new(bytes: Arc<[u8]>, life: Duration, now: Millis) -> Self {
        let life = u64::try_from(life.as_millis()).unwrap_or(u64::MAX);
        Self {
            bytes,
            expires: now.saturating_add(life),
        }
    }

    fn is_live(&self, now: Millis) -> bool {
        now < self.expires
    }
}

#[derive(Clone)]
struct ByBytes;

/// What an entry costs beside its key and value: the map's own fields, the
/// two heap headers and the expiry.
const ENTRY_OVERHEAD: u64 = 96;

impl Weighter<String, Entry> for ByBytes {
    fn weight(&self, key: &String, entry: &Entry) -> u64 {
        (key.len() + entry.bytes.len()) as u64 + ENTRY_OVERHEAD
    }
}

/// What an entry is taken to weigh when the map sizes its tables.
const TYPICAL_WEIGHT: u64 = 512;

impl MemoryStore {
    /// A store that holds at most `capacity` bytes, keys and overhead
    /// included, in as many shards as leave room in each for the `largest`
    /// value.
    pub(crate) fn new(capacity: u64, largest: u64, clock: Clock) -> Self {
        let room_for = capacity / (largest + ENTRY_OVERHEAD).max(1);
        let shards = usize::try_from(room_for / 4).unwrap_or(usize::MAX);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(
                usize::try_from(capacity / TYPICAL_WEIGHT).unwrap_or(usize::MAX),
            )
            .weight_capacity(capacity)
            .shards(shards.clamp(1, 64))
            .build()
            .expect("the capacity and the estimate are both set");
        Self {
            entries: Cache::with_options(
                options,
                ByBytes,
                quick_cache::DefaultHashBuilder::default(),
                quick_cache::sync::DefaultLifecycle::default(),
            ),
            sweeping: RwLock::new(()),
            removals: Mutex::default(),
            clock,
        }
    }

    fn entry(&self, bytes: impl Into<Arc<[u8]>>, life: Duration) -> Entry {
        Entry::new(bytes.into(), life, self.clock.now())
    }

    fn read(&self, key: &str) -> Option<Vec<u8>> {
        let entry = self.entries.get(key)?;
        let now = self.clock.now();
        if entry.is_live(now) {
            return Some(entry.bytes.to_vec());
        }
        // It may have been replaced since: only a dead one goes.
        self.entries.remove_if(key, |entry| !entry.is_live(now));
        None
    }

    /// Replaces what is under `key` if `accept` says so, all under one lock.
    /// `accept` sees only what is still alive; its error is what is there.
    fn replace_if<T>(
        &self,
        key: &str,
        bytes: impl Into<Arc<[u8]>>,
        life: Duration,
        accept: impl Fn(Option<&[u8]>) -> Result<(), T>,
    ) -> Result<(), T> {
        let _no_sweep = self.sweeping.read().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        let new = Entry::new(bytes.into(), life, now);
        let result = self.entries.entry(key, None, |_, entry| {
            let present = entry.is_live(now).then_some(&*entry.bytes);
            match accept(present) {
                Ok(()) => EntryAction::ReplaceWithGuard,
                Err(refusal) => EntryAction::Retain(refusal),
            }
        });
        match result {
            EntryResult::Retained(refusal) => Err(refusal),
            EntryResult::Vacant(guard) => {
                accept(None)?;
                // This fails when the key was removed or set in between: then
                // that came after this.
                drop(guard.insert(new));
                Ok(())
            }
            EntryResult::Replaced(guard, _) => {
                drop(guard.insert(new));
                Ok(())
            }
            EntryResult::Removed(..) | EntryResult::Timeout => {
                unreachable!("neither is asked for")
            }
        }
    }

    fn count(&self, markers: &[&str]) -> Numbers {
        let mut removals = lock(&self.removals);
        let counter = removals.counter;
        if removals.markers.len() > MARKERS {
            removals.markers.clear();
        }
        let numbers = markers.iter().map(|marker| {
            let known = removals.markers.get(*marker).copied();
            known.unwrap_or_else(|| {
                removals.markers.insert((*marker).to_owned(), counter);
                counter
            })
        });
        let markers = numbers.collect();
        Numbers { counter, markers }
    }

    /// Gives the bytes a new life, if they are there.
    fn prolong(&self, key: &str, bytes: &[u8], life: Duration) -> bool {
        let same = |present: Option<&[u8]>| (present == Some(bytes)).then_some(()).ok_or(());
        self.replace_if(key, bytes, life, same).is_ok()
    }

    fn remove_live(&self, key: &str) -> bool {
        let now = self.clock.now();
        self.entries
            .remove(key)
            .is_some_and(|(_, entry)| entry.is_live(now))
    }
}

/// Where the claim of a refresh is.
fn mark(key: &str) -> String {
    format!("refresh:{key}")
}

impl Expect<'_> {
    fn is_met_by(self, present: &[u8]) -> bool {
        match self {
            Self::Lease(lease) | Self::Bytes(lease) => present == lease,
            Self::Serial(serial) => present.get(SERIAL) == Some(&serial.to_le_bytes()),
        }
    }
}

/// Whether these bytes are a value with a lesser stamp.
fn is_older(bytes: &[u8], stamp: u64) -> bool {
    let read = bytes.get(STAMP).and_then(|read| read.try_into().ok());
    read.is_some_and(|read| u64::from_le_bytes(read) < stamp)
}

/// Everything here is done when the future is made: nothing waits.
fn ready<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, Result<T, Error>> {
    Box::pin(std::future::ready(Ok(value)))
}

impl RemoteStore for MemoryStore {
    fn get<'a>(
        &'a self,
        key: &'a str,
        markers: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Read, Error>> {
        Box::pin(async move {
            let bytes = self.read(key);
            let numbers = (!markers.is_empty()).then(|| self.count(markers));
            Ok((bytes, numbers))
        })
    }

    fn get_until<'a>(
        &'a self,
        key: &'a str,
        _: Instant,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, Error>> {
        Box::pin(async move { Ok(self.read(key)) })
    }

    fn get_many<'a>(
        &'a self,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Option<Vec<u8>>>, Error>> {
        Box::pin(async move { Ok(keys.iter().map(|key| self.read(key)).collect()) })
    }

    fn acquire<'a>(
        &'a self,
        key: &'a str,
        lease: &'a [u8],
        life: Duration,
        over: Option<Expect<'a>>,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, Error>> {
        Box::pin(async move {
            let placed = self.replace_if(key, lease, life, |present| match present {
                Some(bytes) if !over.is_some_and(|over| over.is_met_by(bytes)) => {
                    Err(bytes.to_vec())
                }
                _ => Ok(()),
            });
            Ok(placed.err())
        })
    }

    fn seize<'a>(
        &'a self,
        key: &'a str,
        lease: &'a [u8],
        life: Duration,
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.set(key, lease.to_vec(), life)
    }

    fn renew<'a>(
        &'a self,
        key: &'a str,
        lease: &'a [u8],
        life: Duration,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        self.fill(
            key,
            Expect::Bytes(lease),
            lease.to_vec(),
            life,
            Origin::Load,
        )
    }

    fn fill<'a>(
        &'a self,
        key: &'a str,
        expected: Expect<'a>,
        value: Vec<u8>,
        life: Duration,
        _: Origin,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            let filled = self.replace_if(key, value, life, |present| match present {
                Some(present) if expected.is_met_by(present) => Ok(()),
                _ => Err(()),
            });
            Ok(filled.is_ok())
        })
    }

    fn release<'a>(&'a self, key: &'a str, lease: &'a [u8]) -> BoxFuture<'a, Result<bool, Error>> {
        let removed = self.entries.remove_if(key, |entry| &*entry.bytes == lease);
        ready(removed.is_some())
    }

    fn abandon(&self, key: &str, lease: &[u8], _: Origin) {
        self.entries.remove_if(key, |entry| &*entry.bytes == lease);
    }

    fn claim<'a>(
        &'a self,
        key: &'a str,
        serial: u64,
        claim: &'a [u8],
        life: Duration,
    ) -> BoxFuture<'a, Result<Claimed, Error>> {
        let now = self.clock.now();
        let present = self.entries.peek(key);
        let expected = Expect::Serial(serial);
        let unchanged =
            present.is_some_and(|entry| entry.is_live(now) && expected.is_met_by(&entry.bytes));
        if !unchanged {
            return ready(Claimed::Changed);
        }
        let free = |present: Option<&[u8]>| present.map_or(Ok(()), |_| Err(()));
        let claimed = self.replace_if(&mark(key), claim, life, free);
        ready(claimed.map_or(Claimed::Taken, |()| Claimed::Yes))
    }

    fn renew_claim<'a>(
        &'a self,
        key: &'a str,
        claim: &'a [u8],
        life: Duration,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        ready(self.prolong(&mark(key), claim, life))
    }

    fn end_claim(&self, key: &str, claim: &[u8], pause: Option<Duration>) {
        let mark = mark(key);
        match pause {
            None => self.abandon(&mark, claim, Origin::Load),
            Some(pause) => {
                self.prolong(&mark, claim, pause);
            }
        }
    }

    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Vec<u8>,
        life: Duration,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.entries.insert(key.to_owned(), self.entry(value, life));
            Ok(())
        })
    }

    fn set_many(
        &self,
        entries: Vec<(String, Vec<u8>, Duration)>,
    ) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            for (key, value, life) in entries {
                self.entries.insert(key, self.entry(value, life));
            }
            Ok(())
        })
    }

    fn remove<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(async move { Ok(keys.iter().filter(|key| self.remove_live(key)).count() as u64) })
    }

    fn sweep<'a>(
        &'a self,
        pattern: &'a Pattern,
        older_than: Option<u64>,
        _: Option<Duration>,
    ) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(async move {
            let now = self.clock.now();
            let _alone = self
                .sweeping
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            let removed = AtomicU64::new(0);
            self.entries.retain(|key, entry| {
                if !pattern.matches(key.as_bytes())
                    || older_than.is_some_and(|stamp| !is_older(&entry.bytes, stamp))
                {
                    return true;
                }
                let live = u64::from(entry.is_live(now));
                removed.fetch_add(live, Ordering::Relaxed);
                false
            });
            Ok(removed.into_inner())
        })
    }

    fn numbers<'a>(&'a self, markers: &'a [&'a str]) -> BoxFuture<'a, Result<Numbers, Error>> {
        ready(self.count(markers))
    }

    fn raise<'a>(
        &'a self,
        markers: &'a [&'a str],
        known: u64,
    ) -> BoxFuture<'a, Result<u64, Error>> {
        let mut removals = lock(&self.removals);
        removals.counter = removals.counter.max(known) + 1;
        let number = removals.counter;
        for marker in markers {
            removals.markers.insert((*marker).to_owned(), number);
        }
        ready(number)
    }

    fn life<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Duration>, Error>> {
        let now = self.clock.now();
        ready(
            self.entries
                .peek(key)
                .filter(|entry| entry.is_live(now))
                .map(|entry| Duration::from_millis(entry.expires - now)),
        )
    }
}
