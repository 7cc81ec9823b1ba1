//! What a flight is found by.

use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};
use std::sync::Arc;

use crate::sync::Ready;

/// The site is part of it: two sites that claim one key have other types.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct FlightKey {
    /// Of the other two: a flight is looked for more than once, and by one who
    /// holds the lock.
    hash: u64,
    site: u64,
    pub(super) key: Arc<str>,
}

impl Hash for FlightKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// Makes keys.
#[derive(Default)]
pub(super) struct Keys(RandomState);

impl Keys {
    pub(super) fn of(&self, site: u64, key: &Arc<str>) -> FlightKey {
        let mut hasher = self.0.build_hasher();
        hasher.write_u64(site);
        hasher.write(key.as_bytes());
        FlightKey {
            hash: hasher.finish(),
            site,
            key: Arc::clone(key),
        }
    }
}

/// Of a map whose keys have their hashes.
pub(super) type Hashed = BuildHasherDefault<Ready>;
