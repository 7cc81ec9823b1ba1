//! Tags and whole prefixes: how an entry learns that all of its kind are gone.
//!
//! Every removal of a tag gets a number that is greater than any before it,
//! and the tag's marker holds the number of its last removal. An entry holds
//! the greatest number that its process knew before its load began, its stamp.
//! A removal with a greater number may have come after the load read, so the
//! entry is valid while no marker of its tags is greater than its stamp. A
//! number that is known too late can only cost misses.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use once_cell::sync::OnceCell;

use crate::sync::{AtomicU64, Mutex, RwLock, lock};

/// The marker of one tag, as far as it is known here.
pub(crate) struct Marker {
    /// What the store calls it.
    key: Box<str>,
    number: Option<u8>,
    /// [`UNKNOWN`], or the number of the last removal.
    value: AtomicU64,
    /// The greatest number that it was ever known to have; [`UNKNOWN`] when it
    /// was told to have changed since.
    seen: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Grows with all that makes an answer out of date that is on its way.
    questions: u64,
    /// Removals that have not reached the store: until they have, nothing is
    /// known.
    held: usize,
}

/// Greater than every stamp: nothing is valid until the marker is known.
const UNKNOWN: u64 = u64::MAX;

/// A question for the value of a marker.
pub(crate) struct Question {
    marker: Arc<Marker>,
    number: u64,
}

impl Marker {
    fn new(key: &str, number: Option<u8>) -> Self {
        Self {
            key: key.into(),
            number,
            value: AtomicU64::new(UNKNOWN),
            seen: AtomicU64::new(UNKNOWN),
            state: Mutex::default(),
        }
    }

    /// See [`Markers::numbered`].
    pub(super) fn number(&self) -> Option<u8> {
        self.number
    }

    /// Whether an entry with this stamp is valid as far as this tag goes.
    #[inline]
    pub(crate) fn permits(&self, stamp: u64) -> bool {
        self.value.load(Ordering::Acquire) <= stamp
    }

    /// As [`permits`](Self::permits), by what was known when the store was last
    /// there, and by what this process has done since.
    pub(crate) fn permitted(&self, stamp: u64) -> bool {
        self.seen.load(Ordering::Acquire) <= stamp
    }

    /// A question to send, unless the answer is known; where changes are not
    /// told, it is not known for longer than it takes to ask. To be asked for
    /// before it is sent.
    pub(crate) fn question(self: &Arc<Self>, told: bool) -> Option<Question> {
        let is_known = || told && self.value.load(Ordering::Acquire) != UNKNOWN;
        // Mostly it is, and nobody waits for the lock.
        if is_known() {
            return None;
        }
        let state = lock(&self.state);
        (!is_known() && state.held == 0).then(|| Question {
            marker: Arc::clone(self),
            number: state.questions,
        })
    }

    /// The store has removed the tag by this number.
    pub(crate) fn raise(&self, number: u64) {
        let mut state = lock(&self.state);
        state.questions += 1;
        let known = self.value.load(Ordering::Acquire);
        if known != UNKNOWN {
            self.value.store(known.max(number), Ordering::Release);
        }
        // An unknown one stays so: it is greater than any number.
        self.seen.fetch_max(number, Ordering::AcqRel);
    }

    /// It has changed to what nobody knows.
    pub(crate) fn forget(&self) {
        self.forget_in(&mut lock(&self.state));
    }

    fn forget_in(&self, state: &mut State) {
        self.seen.store(UNKNOWN, Ordering::Release);
        self.lose_in(state);
    }

    /// Changes are not told any more.
    fn lose(&self) {
        self.lose_in(&mut lock(&self.state));
    }

    fn lose_in(&self, state: &mut State) {
        state.questions += 1;
        self.value.store(UNKNOWN, Ordering::Release);
    }

    /// A removal of the tag has not reached the store.
    pub(crate) fn hold(&self) {
        // Under one lock: no answer comes between these two.
        let mut state = lock(&self.state);
        state.held += 1;
        self.forget_in(&mut state);
    }

    /// It has now.
    pub(crate) fn release(&self) {
        let mut state = lock(&self.state);
        state.held -= 1;
        self.forget_in(&mut state);
    }

    pub(crate) fn is_held(&self) -> bool {
        lock(&self.state).held > 0
    }
}

impl Question {
    pub(crate) fn key(&self) -> &str {
        &self.marker.key
    }

    /// Takes the answer, unless something came in between.
    pub(crate) fn answered(self, value: u64) {
        let state = lock(&self.marker.state);
        if state.questions == self.number && state.held == 0 {
            // Of two answers the later one is greater.
            let known = self.marker.value.load(Ordering::Acquire);
            let value = if known == UNKNOWN {
                value
            } else {
                known.max(value)
            };
            self.marker.seen.store(value, Ordering::Release);
            self.marker.value.store(value, Ordering::Release);
        }
    }
}

/// The first markers that are met, by number.
struct Numbered(Box<[OnceCell<Arc<Marker>>]>);

impl Default for Numbered {
    fn default() -> Self {
        Self((0..NUMBERED).map(|_| OnceCell::new()).collect())
    }
}

/// All markers that this process has met.
#[derive(Default)]
pub(crate) struct Markers {
    by_key: RwLock<HashMap<Box<str>, Arc<Marker>>>,
    /// These are never let go.
    numbered: Numbered,
    /// The greatest number seen.
    counter: AtomicU64,
    /// How many removals this process has made, delivered or not.
    own: AtomicU64,
}

/// Beyond so many, those that no entry needs are let go.
const ROOM: usize = 65_536;

/// So many have a number. Those of prefixes are among them: a service has few
/// of them, and each is met before the tags of its entries.
const NUMBERED: usize = 256;

impl Markers {
    pub(crate) fn of(&self, key: &str) -> Arc<Marker> {
        let known = self.by_key.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(marker) = known.get(key) {
            return Arc::clone(marker);
        }
        drop(known);
        let mut known = self.by_key.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= ROOM && known.len().is_power_of_two() {
            known.retain(|_, marker| Arc::strong_count(marker) > 1 || marker.is_held());
        }
        let count = known.len();
        let marker = known.entry(key.into()).or_insert_with(|| {
            // None of these is let go, so no number is given twice.
            let place = self.numbered.0.get(count);
            let marker = Arc::new(Marker::new(key, place.map(|_| count as u8)));
            if let Some(place) = place {
                place.get_or_init(|| Arc::clone(&marker));
            }
            marker
        });
        Arc::clone(marker)
    }

    /// The marker of this number, without counting a reference to it: those
    /// who look at one for every hit would take turns at that.
    #[inline]
    pub(super) fn numbered(&self, number: u8) -> &Marker {
        let place = self.numbered.0[usize::from(number)].get();
        place.expect("a number is that of a marker")
    }

    /// The stamp of a load that begins now.
    pub(crate) fn counter(&self) -> u64 {
        self.counter.load(Ordering::Acquire)
    }

    pub(crate) fn own_removals(&self) -> u64 {
        self.own.load(Ordering::SeqCst)
    }

    /// To be called once the markers themselves say so.
    pub(crate) fn removed(&self) {
        self.own.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn saw(&self, number: u64) {
        self.counter.fetch_max(number, Ordering::AcqRel);
    }

    pub(super) fn forget(&self, key: &[u8]) -> bool {
        let Ok(key) = std::str::from_utf8(key) else {
            return false;
        };
        let known = self.by_key.read().unwrap_or_else(PoisonError::into_inner);
        let marker = known.get(key);
        if let Some(marker) = marker {
            marker.forget();
        }
        marker.is_some()
    }

    /// Nothing is known any more.
    pub(super) fn lose_all(&self) {
        let known = self.by_key.read().unwrap_or_else(PoisonError::into_inner);
        for marker in known.values() {
            marker.lose();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_something_overtook_is_not_taken() {
        let markers = Markers::default();
        let marker = markers.of("tag");
        assert!(!marker.permits(9));
        let question = marker.question(true).unwrap();
        marker.raise(7);
        question.answered(3);
        assert!(!marker.permits(9), "a removal came after the question");
        marker.question(true).unwrap().answered(7);
        assert!(marker.permits(7) && !marker.permits(6));
        assert!(marker.question(true).is_none(), "it is known");
        marker.raise(9);
        assert!(!marker.permits(8));
        assert!(markers.forget(b"tag") && !markers.forget(b"other"));
        assert!(!marker.permits(9));
    }

    #[test]
    fn a_held_marker_permits_nothing_until_all_have_let_go() {
        let marker = Markers::default().of("tag");
        marker.question(true).unwrap().answered(1);
        let late = {
            marker.forget();
            marker.question(true).unwrap()
        };
        marker.hold();
        marker.hold();
        late.answered(1);
        marker.release();
        assert!(marker.question(true).is_none() && !marker.permits(u64::MAX - 1));
        marker.release();
        marker.question(true).unwrap().answered(2);
        assert!(marker.permits(2));
    }
}
