//! All flights, by key.
//!
//! Each call from the store opens one and closes it, so one lock would be what all
//! cores wait for. There are many, each over the keys that share some bits of their
//! hashes.

use std::collections::HashMap;
use std::sync::Arc;

use super::Flight;
use super::key::{FlightKey, Hashed};
use crate::local::KeyHash;
use crate::sync::{Mutex, MutexGuard, lock};

pub(super) type ByKey = HashMap<FlightKey, Arc<Flight>, Hashed>;

pub(super) struct Table(Box<[Mutex<ByKey>]>);

/// Fewer where each is a step of a scheduler that a test drives.
const PARTS: usize = if cfg!(all(test, cacheable_shuttle)) {
    2
} else {
    64
};

/// Where to look for the flights that something is about.
#[derive(Clone, Copy)]
pub(crate) enum Among<'a> {
    All,
    /// Among those of some keys at least.
    Keys(&'a [KeyHash]),
}

impl Default for Table {
    fn default() -> Self {
        Self((0..PARTS).map(|_| Mutex::default()).collect())
    }
}

impl Table {
    /// The part that a key is in.
    pub(super) fn lock(&self, hash: KeyHash) -> MutexGuard<'_, ByKey> {
        lock(self.part(hash))
    }

    /// One part after the other: what is opened meanwhile in one that was passed
    /// has begun later.
    pub(super) fn each(&self, among: Among<'_>, mut see: impl FnMut(&mut ByKey)) {
        match among {
            Among::All => self.0.iter().for_each(|part| see(&mut lock(part))),
            Among::Keys(keys) => keys.iter().for_each(|key| see(&mut self.lock(*key))),
        }
    }

    fn part(&self, KeyHash(hash): KeyHash) -> &Mutex<ByKey> {
        // Not by the bits that the map or the stripes of level 1 go by.
        &self.0[(hash >> 24) as usize % PARTS]
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|part| lock(part).is_empty())
    }
}
