//! Keys that this process has just removed.
//!
//! Whoever asks for such a key next finds nothing under it, or the lease of
//! another process. So it asks for a lease at once: one round trip less on the way
//! to the value that everybody waits for.
//!
//! This is a guess, and a wrong one costs a round trip more. So there is no lock and
//! no list, only places that the keys share by their hashes.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::local::KeyHash;

/// Hashes of keys; 0 for none.
pub(super) struct Emptied(Box<[AtomicU64]>);

/// More removals than a process has under way.
const PLACES: usize = 1024;

impl Default for Emptied {
    fn default() -> Self {
        Self((0..PLACES).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Emptied {
    /// The key is about to be removed.
    pub(super) fn add(&self, KeyHash(key): KeyHash) {
        self.place(key).store(key, Ordering::Relaxed);
    }

    /// Whether the key was removed, and nobody has asked for it since.
    pub(super) fn take(&self, KeyHash(key): KeyHash) -> bool {
        let place = self.place(key);
        // Mostly it is not, and nothing is written.
        place.load(Ordering::Relaxed) == key && place.swap(0, Ordering::Relaxed) == key
    }

    fn place(&self, key: u64) -> &AtomicU64 {
        // Not by the bits that name a stripe, or few places would be used.
        &self.0[(key >> 32) as usize % PLACES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_key_is_asked_for_once_in_another_way() {
        let emptied = Emptied::default();
        let (key, other) = (KeyHash(7 << 32), KeyHash(7 << 32 | 1));
        assert!(!emptied.take(key));
        emptied.add(key);
        emptied.add(key);
        assert!(!emptied.take(other), "it shares the place");
        assert!(emptied.take(key));
        assert!(!emptied.take(key));
    }

    #[test]
    fn of_more_keys_than_places_some_are_forgotten() {
        let emptied = Emptied::default();
        let keys: Vec<_> = (1..=2 * PLACES as u64)
            .map(|key| KeyHash(key << 32))
            .collect();
        for key in &keys {
            emptied.add(*key);
        }
        let known: Vec<_> = keys.iter().map(|key| emptied.take(*key)).collect();
        assert!(known[..PLACES].iter().all(|known| !known));
        assert!(known[PLACES..].iter().all(|known| *known));
    }
}
