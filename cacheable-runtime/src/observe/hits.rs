//! Hits, counted by each thread for itself.
//!
//! A counter that all threads add to costs each of them a locked operation, and
//! a wait for the others. A hit takes less time than that. So every thread has a
//! seat, and at each seat there is a counter for every method, which only the
//! thread in that seat writes.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use once_cell::sync::OnceCell;

use crate::sync::Chunks;

/// What a hit counts as: of which method, and whether its value was stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tally(u32);

impl Tally {
    pub(super) fn new(method: u32, stale: bool) -> Self {
        Self(method << 1 | u32::from(stale))
    }

    #[cfg(feature = "metrics")]
    pub(super) fn method(self) -> u32 {
        self.0 >> 1
    }

    pub(super) fn is_stale(self) -> bool {
        self.0 & 1 == 1
    }
}

/// As many threads count for themselves at a time; the others count together.
const SEATS: usize = 128;

pub(super) struct Hits {
    seats: [OnceCell<Box<Counts>>; SEATS],
    standing: Counts,
}

type Counts = Chunks<AtomicU64>;

impl Hits {
    #[inline]
    pub(super) fn count(&self, tally: Tally) {
        // A thread that is ending has given its seat back.
        match MINE.try_with(Seat::number).unwrap_or(None) {
            Some(seat) => {
                let count = self.seats[seat].get_or_init(Box::default).at(tally.0);
                // Nobody else writes here, so nothing is lost between these two.
                let before = count.load(Ordering::Relaxed);
                count.store(before.wrapping_add(1), Ordering::Relaxed);
            }
            None => {
                self.standing.at(tally.0).fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn of(&self, tally: Tally) -> u64 {
        let seats = self.seats.iter().filter_map(OnceCell::get);
        seats
            .map(|counts| &**counts)
            .chain([&self.standing])
            .filter_map(|counts| counts.get(tally.0))
            .map(|count| count.load(Ordering::Relaxed))
            .sum()
    }
}

impl Default for Hits {
    fn default() -> Self {
        Self {
            seats: [const { OnceCell::new() }; SEATS],
            standing: Counts::default(),
        }
    }
}

/// A thread's place in every [`Hits`].
struct Seat(Cell<Sits>);

#[derive(Clone, Copy)]
enum Sits {
    NotYet,
    At(usize),
    Stands,
}

thread_local! {
    static MINE: Seat = const { Seat(Cell::new(Sits::NotYet)) };
}

/// Seats that nobody has. What a thread has counted before it gave its seat back
/// is there for the next: the lock is between them.
static FREE: Mutex<Free> = Mutex::new(Free {
    given_back: Vec::new(),
    never_taken: 0,
});

struct Free {
    given_back: Vec<usize>,
    /// This one, and those above.
    never_taken: usize,
}

impl Seat {
    #[inline]
    fn number(&self) -> Option<usize> {
        match self.0.get() {
            Sits::At(seat) => Some(seat),
            Sits::Stands => None,
            Sits::NotYet => self.take(),
        }
    }

    #[cold]
    fn take(&self) -> Option<usize> {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let seat = free.given_back.pop().or_else(|| {
            let seat = free.never_taken;
            (seat < SEATS).then(|| {
                free.never_taken += 1;
                seat
            })
        });
        self.0.set(seat.map_or(Sits::Stands, Sits::At));
        seat
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Sits::At(seat) = self.0.get() {
            let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
            free.given_back.push(seat);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    /// More threads than seats, at once and one after another.
    #[test]
    fn nothing_is_lost_whoever_counts() {
        const ROUNDS: u64 = 1_000;
        let hits = Hits::default();
        let (fresh, stale) = (Tally::new(70, false), Tally::new(70, true));
        let threads = SEATS + 20;
        for _ in 0..3 {
            let together = Barrier::new(threads);
            thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| {
                        together.wait();
                        for _ in 0..ROUNDS {
                            hits.count(fresh);
                        }
                        hits.count(stale);
                        // Nobody's seat is free before all have one or stand.
                        together.wait();
                    });
                }
            });
        }
        assert_eq!(hits.of(fresh), 3 * threads as u64 * ROUNDS);
        assert_eq!(hits.of(stale), 3 * threads as u64);
        assert_eq!(hits.of(Tally::new(1, false)), 0);
        let standing = hits.standing.at(fresh.0).load(Ordering::Relaxed);
        assert!(
            standing >= 3 * 20 * ROUNDS,
            "{standing} by those without a seat"
        );
    }
}
