//! How many calls, removals and puts are under way, for a shutdown to wait for.
//!
//! Every call beyond level 1 is counted, and one counter would be what all cores
//! take turns at. So there are several, of which each thread has one, and what
//! ends is counted apart from what begins: it may end on another thread.
//!
//! Nothing is under way if as much has ended as has begun, provided that the ends
//! are added up first. What has ended by a moment between the two sums is at least
//! the first of them, and what has begun by then is at most the second; and no more
//! can have ended than has begun.

use std::sync::atomic::Ordering;

use tokio::sync::Notify;

use crate::sync::{AtomicU64, AtomicUsize, thread_local, unique};

#[derive(Default)]
pub(super) struct UnderWay {
    begun: Counts,
    ended: Counts,
    /// How many wait until nothing is.
    waiting: AtomicUsize,
    none: Notify,
}

/// As many threads count by themselves; more of them share a counter. Fewer where
/// each is a step of a scheduler that a test drives.
const COUNTERS: usize = if cfg!(all(test, cacheable_shuttle)) {
    2
} else {
    16
};

#[derive(Default)]
struct Counts([Count; COUNTERS]);

/// With a line of a processor's cache to itself, and the one that is fetched with
/// it.
#[derive(Default)]
#[repr(align(128))]
struct Count(AtomicU64);

thread_local! {
    static MINE: usize = unique() as usize % COUNTERS;
}

impl Counts {
    fn add(&self) {
        let mine = MINE.try_with(|mine| *mine).unwrap_or(0);
        self.0[mine].0.fetch_add(1, Ordering::SeqCst);
    }

    fn sum(&self) -> u64 {
        let counts = self.0.iter().map(|count| count.0.load(Ordering::SeqCst));
        counts.fold(0, u64::wrapping_add)
    }
}

impl UnderWay {
    pub(super) fn begin(&self) {
        self.begun.add();
    }

    pub(super) fn end(&self) {
        self.ended.add();
        // Either this sees who waits, or who waits has seen the end.
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.none.notify_waiters();
        }
    }

    fn is_none(&self) -> bool {
        let ended = self.ended.sum();
        ended == self.begun.sum()
    }

    /// Waits until nothing is.
    pub(super) async fn none(&self) {
        let _waits = Waits::at(&self.waiting);
        loop {
            let some_ended = self.none.notified();
            if self.is_none() {
                return;
            }
            some_ended.await;
        }
    }
}

struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn at(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::SeqCst);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(all(test, not(cacheable_shuttle)))]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn who_waits_goes_on_when_the_last_has_ended_on_whatever_thread() {
        let under_way = Arc::new(UnderWay::default());
        under_way.none().await;
        under_way.begin();
        under_way.begin();
        let waiting = Arc::clone(&under_way);
        let waits = tokio::spawn(async move { waiting.none().await });
        while under_way.waiting.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        for left in [1, 0] {
            let elsewhere = Arc::clone(&under_way);
            std::thread::spawn(move || elsewhere.end()).join().unwrap();
            assert_eq!(under_way.is_none(), left == 0);
        }
        waits.await.unwrap();
        assert_eq!(under_way.waiting.load(Ordering::SeqCst), 0);
    }
}

#[cfg(all(test, cacheable_shuttle))]
mod shuttle_tests {
    use std::sync::Arc;

    use shuttle::future::block_on;
    use shuttle::thread;

    use super::*;
    use crate::sync::controlled::{explore, explore_in_vain};

    const TOO_EARLY: &str = "one is under way";

    /// One call that lasts, beside one that begins and ends.
    fn never_none(is_none: fn(&UnderWay) -> bool) {
        let under_way = Arc::new(UnderWay::default());
        under_way.begin();
        let passing = Arc::clone(&under_way);
        let passes = thread::spawn(move || {
            passing.begin();
            passing.end();
        });
        assert!(!is_none(&under_way), "{TOO_EARLY}");
        passes.join().expect("the thread ends");
    }

    #[test]
    fn what_is_under_way_is_seen_whatever_begins_and_ends_beside_it() {
        explore(|| never_none(UnderWay::is_none));
    }

    #[test]
    fn control_what_has_begun_is_added_up_first() {
        explore_in_vain(TOO_EARLY, || {
            never_none(|under_way| {
                let begun = under_way.begun.sum();
                begun == under_way.ended.sum()
            });
        });
    }

    /// The end of the last one, and whoever comes to wait for it.
    fn last(end: fn(&UnderWay)) {
        let under_way = Arc::new(UnderWay::default());
        under_way.begin();
        let ending = Arc::clone(&under_way);
        let ends = thread::spawn(move || end(&ending));
        block_on(under_way.none());
        ends.join().expect("the thread ends");
    }

    #[test]
    fn the_end_of_the_last_is_not_missed() {
        explore(|| last(UnderWay::end));
    }

    #[test]
    fn control_an_end_that_looks_first_for_who_waits() {
        explore_in_vain("deadlock", || {
            last(|under_way| {
                let waiting = under_way.waiting.load(Ordering::SeqCst);
                under_way.ended.add();
                if waiting > 0 {
                    under_way.none.notify_waiters();
                }
            });
        });
    }
}
