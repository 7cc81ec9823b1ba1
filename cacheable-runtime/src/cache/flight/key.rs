//! What a flight is found by.

use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

use crate::local::KeyHash;
use crate::sync::Ready;

/// The site is part of it: two sites that claim one key have other types.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct FlightKey {
    /// Of the key, which level 1 has made already.
    pub(super) hash: KeyHash,
    site: u64,
    pub(super) key: Arc<str>,
}

impl Hash for FlightKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash.0);
    }
}

impl FlightKey {
    pub(super) fn new(site: u64, key: &Arc<str>, hash: KeyHash) -> Self {
        Self {
            hash,
            site,
            key: Arc::clone(key),
        }
    }
}

/// Of a map whose keys have their hashes.
pub(super) type Hashed = BuildHasherDefault<Ready>;
