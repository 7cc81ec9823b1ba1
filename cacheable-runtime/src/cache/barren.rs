//! Methods that find nothing in the store nearly every time.
//!
//! So it is after a deploy onto an empty server, for keys that hardly ever come
//! again, and for whoever walks through all there is. Their calls ask for a lease at
//! once: two round trips to a value that is loaded, in place of three.
//!
//! This is a guess, as in [`emptied`](super::emptied). A wrong one costs a round trip
//! more, and a write that waits for nobody where a `GET` waits for others, so it has
//! to be right seven times out of eight. Methods share places by their numbers.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::observe::Counters;

/// For each method how many questions more than were to be expected found nothing.
pub(super) struct Barren([AtomicU8; PLACES]);

/// A process has about so many methods, or those that it calls often.
const PLACES: usize = 256;

/// One that finds something counts as much as so many that find nothing.
const FOUND: u8 = 7;

/// So many say that the next one finds nothing, too.
const ENOUGH: u8 = 16;

/// No more are counted, or what comes later would not show for long.
const MOST: u8 = ENOUGH + 2 * FOUND;

impl Default for Barren {
    fn default() -> Self {
        Self([const { AtomicU8::new(0) }; PLACES])
    }
}

impl Barren {
    /// Whether the next question of this method is likely to find nothing.
    pub(super) fn expects_nothing(&self, method: &Counters) -> bool {
        self.place(method).load(Ordering::Relaxed) >= ENOUGH
    }

    /// A question of it has found something, or nothing. One that is overtaken by
    /// another may be lost: it is a guess.
    pub(super) fn note(&self, method: &Counters, found: bool) {
        let place = self.place(method);
        let before = place.load(Ordering::Relaxed);
        let after = if found {
            before.saturating_sub(FOUND)
        } else {
            (before + 1).min(MOST)
        };
        // Mostly it is at one of its ends, and nothing is written.
        if after != before {
            place.store(after, Ordering::Relaxed);
        }
    }

    /// Asking for a lease has failed, where a look might have found something.
    pub(super) fn forget(&self, method: &Counters) {
        self.place(method).store(0, Ordering::Relaxed);
    }

    fn place(&self, method: &Counters) -> &AtomicU8 {
        &self.0[method.number() as usize % PLACES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(barren: &Barren, method: &Counters, found: bool, times: u32) {
        for _ in 0..times {
            barren.note(method, found);
        }
    }

    #[test]
    fn a_method_is_known_by_what_it_found_lately() {
        let barren = Barren::default();
        let [method, other] = [3, 4].map(|number| Counters::new("method", number));
        assert!(!barren.expects_nothing(&method));
        noted(&barren, &method, false, u32::from(ENOUGH) - 1);
        assert!(!barren.expects_nothing(&method));
        noted(&barren, &method, false, 1);
        assert!(barren.expects_nothing(&method));
        assert!(!barren.expects_nothing(&other));
        // However long that was so.
        noted(&barren, &method, false, 10_000);
        noted(&barren, &method, true, 2);
        assert!(barren.expects_nothing(&method));
        noted(&barren, &method, true, 1);
        assert!(!barren.expects_nothing(&method));
        noted(&barren, &method, false, 1_000);
        assert!(barren.expects_nothing(&method));
        barren.forget(&method);
        assert!(!barren.expects_nothing(&method));
    }

    #[test]
    fn one_in_seven_that_finds_something_is_too_many() {
        let barren = Barren::default();
        let method = Counters::new("method", 0);
        let mut expected = [0, 0];
        for (often, expected) in [7, 10].into_iter().zip(&mut expected) {
            barren.forget(&method);
            for turn in 1..=10_000 {
                *expected += u32::from(barren.expects_nothing(&method));
                barren.note(&method, turn % often == 0);
            }
        }
        assert_eq!(expected[0], 0);
        assert!(expected[1] > 9_000, "{expected:?}");
    }
}
