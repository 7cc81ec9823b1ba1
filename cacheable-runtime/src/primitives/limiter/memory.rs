//! In this process, for the embedded store, and for when a server is away.
//!
//! A map in parts, each with a lock of its own. All histories of one id are in
//! one part, so that several limits are looked at and counted under in one go.
//! A part that has grown drops what has ended; one that is full of what has
//! not, what ends soonest.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};

use siphasher::sip128::SipHasher13;

use super::exact::Log;
use super::gcra::Arrival;
use super::rule::{Kind, Rule, Verdict};
use super::segmented::Segments;
use crate::sync::{Mutex, Ready, lock, random};

const PARTS: usize = 64;

/// How much one part keeps: about 256 MiB altogether, which is three million
/// ids of a few calls each.
const PART_BYTES: usize = 4 << 20;

/// What an entry takes beside its history, roughly.
const ENTRY_BYTES: usize = 96;

/// A part of fewer entries is not looked through for what has ended.
const FEW: usize = 128;

/// Nor is any part more often than this, in microseconds, unless it has grown.
const REST: u64 = 10_000_000;

/// The histories of this process.
pub(super) struct Histories {
    parts: Box<[Mutex<Part>]>,
    /// Drawn when the process starts, so that nobody can choose ids that meet.
    keys: (u64, u64),
    /// How much one part keeps.
    part_bytes: usize,
}

/// An id, as it is found again: 128 bits of a keyed hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IdHash(u128);

/// One limit of one id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) id: IdHash,
    /// Of the policy.
    pub(super) policy: u64,
}

#[derive(Default)]
struct Part {
    histories: HashMap<Place, Held, BuildHasherDefault<Ready>>,
    bytes: usize,
    /// When there are so many, or it is so late, it is looked through.
    tidy_at: usize,
    tidy_after: u64,
}

#[cfg_attr(test, derive(Clone))]
struct Held {
    history: History,
    end: u64,
}

#[cfg_attr(test, derive(Clone))]
enum History {
    Exact(Log),
    Segmented(Segments),
    Gcra(Arrival),
}

/// What is asked of one limit.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) policy: u64,
    pub(super) rule: &'a Rule,
    pub(super) cost: u64,
    /// A denial is only for the record.
    pub(super) shadow: bool,
}

impl Histories {
    pub(super) fn new() -> Self {
        Self {
            parts: (0..PARTS).map(|_| Mutex::default()).collect(),
            keys: (random(), random()),
            part_bytes: PART_BYTES,
        }
    }

    pub(super) fn hash(&self, id: &[u8]) -> IdHash {
        let hasher = SipHasher13::new_with_keys(self.keys.0, self.keys.1);
        IdHash(hasher.hash(id).as_u128())
    }

    /// Returns also when it was decided. `counts`: an allowed call is counted.
    ///
    /// The clock is read when nobody else decides on this id: a moment from
    /// before would look as if the clock had been set back meanwhile.
    pub(super) fn check(
        &self,
        now: impl FnOnce() -> u64,
        id: IdHash,
        ask: &Ask<'_>,
        counts: bool,
    ) -> (u64, Verdict) {
        let mut part = self.part(id);
        let now = now();
        let mut verdict = part.look(now, id, ask);
        if verdict.fits && counts {
            verdict = part.take(now, id, ask, self.part_bytes);
        }
        (now, verdict)
    }

    /// All or nothing.
    pub(super) fn check_all(
        &self,
        now: impl FnOnce() -> u64,
        id: IdHash,
        asks: &[Ask<'_>],
        counts: bool,
    ) -> (u64, Vec<Verdict>) {
        let mut part = self.part(id);
        let now = now();
        let look = |ask| part.look(now, id, ask);
        let mut verdicts: Vec<Verdict> = asks.iter().map(look).collect();
        let denies = |(verdict, ask): (&Verdict, &Ask<'_>)| !verdict.fits && !ask.shadow;
        if counts && !verdicts.iter().zip(asks).any(denies) {
            for (verdict, ask) in verdicts.iter_mut().zip(asks) {
                if verdict.fits {
                    *verdict = part.take(now, id, ask, self.part_bytes);
                }
            }
        }
        (now, verdicts)
    }

    pub(super) fn refund(
        &self,
        now: impl FnOnce() -> u64,
        place: Place,
        rule: &Rule,
        units: u64,
    ) -> u64 {
        let mut part = self.part(place.id);
        let now = now();
        let back = part.change(now, place, rule, |history| match history {
            History::Exact(log) => log.refund(now, rule, units),
            History::Segmented(segments) => segments.refund(now, rule, units),
            History::Gcra(arrival) => arrival.refund(now, rule, units),
        });
        back.unwrap_or(0)
    }

    /// Whether there was something.
    pub(super) fn reset(&self, now: impl FnOnce() -> u64, place: Place) -> bool {
        let held = self.part(place.id).remove(place);
        held.is_some_and(|held| held.end > now())
    }

    fn part(&self, id: IdHash) -> impl std::ops::DerefMut<Target = Part> + '_ {
        // The map goes by the lower bits.
        lock(&self.parts[(id.0 >> 64) as usize % PARTS])
    }

    /// To be asked about what is to come, which lets the one that is asked
    /// forget.
    #[cfg(test)]
    pub(super) fn copy(&self) -> Self {
        let copy = |part: &Mutex<Part>| {
            let part = lock(part);
            Mutex::new(Part {
                histories: part.histories.clone(),
                ..*part
            })
        };
        Self {
            parts: self.parts.iter().map(copy).collect(),
            ..*self
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        let parts = self.parts.iter();
        parts.map(|part| lock(part).histories.len()).sum()
    }
}

impl Part {
    /// Makes no entry where there is none.
    fn look(&mut self, now: u64, id: IdHash, ask: &Ask<'_>) -> Verdict {
        let place = Place {
            id,
            policy: ask.policy,
        };
        let (rule, cost) = (ask.rule, ask.cost);
        match self.histories.get_mut(&place) {
            Some(held) => match &mut held.history {
                History::Exact(log) => log.look(now, rule, cost),
                History::Segmented(segments) => segments.look(now, rule, cost),
                History::Gcra(arrival) => arrival.look(now, rule, cost),
            },
            None => match rule.kind {
                Kind::Exact => Log::default().look(now, rule, cost),
                Kind::Segmented => Segments::default().look(now, rule, cost),
                Kind::Gcra => Arrival::default().look(now, rule, cost),
            },
        }
    }

    fn take(&mut self, now: u64, id: IdHash, ask: &Ask<'_>, most: usize) -> Verdict {
        let place = Place {
            id,
            policy: ask.policy,
        };
        let (rule, cost) = (ask.rule, ask.cost);
        if let Entry::Vacant(vacant) = self.histories.entry(place) {
            let history = match rule.kind {
                Kind::Exact => History::Exact(Log::default()),
                Kind::Segmented => History::Segmented(Segments::default()),
                Kind::Gcra => History::Gcra(Arrival::default()),
            };
            vacant.insert(Held { history, end: 0 });
            self.bytes += ENTRY_BYTES;
        }
        let verdict = self.change(now, place, rule, |history| match history {
            History::Exact(log) => log.take(now, rule, cost),
            History::Segmented(segments) => segments.take(now, rule, cost),
            History::Gcra(arrival) => arrival.take(now, rule, cost),
        });
        self.tidy(now, most);
        verdict.expect("it is there by now")
    }

    /// Changes a history, and keeps what is known of it from outside. `None`,
    /// where there is none.
    fn change<T>(
        &mut self,
        now: u64,
        place: Place,
        rule: &Rule,
        change: impl FnOnce(&mut History) -> T,
    ) -> Option<T> {
        let held = self.histories.get_mut(&place)?;
        let before = held.history.bytes();
        let answer = change(&mut held.history);
        held.end = held.history.end(rule);
        self.bytes = self.bytes + held.history.bytes() - before;
        if held.end <= now {
            self.remove(place);
        }
        Some(answer)
    }

    fn remove(&mut self, place: Place) -> Option<Held> {
        let held = self.histories.remove(&place)?;
        self.bytes -= ENTRY_BYTES + held.history.bytes();
        Some(held)
    }

    fn tidy(&mut self, now: u64, most: usize) {
        let grown = self.histories.len() >= self.tidy_at.max(FEW);
        if !grown && now < self.tidy_after && self.bytes <= most {
            return;
        }
        self.keep(|held| held.end > now);
        if self.bytes > most {
            // Who has little to lose: it would have ended first in any case.
            let mut ends: Vec<u64> = self.histories.values().map(|held| held.end).collect();
            let eighth = ends.len() / 8;
            let (_, last, _) = ends.select_nth_unstable(eighth);
            let last = *last;
            self.keep(|held| held.end > last);
        }
        self.tidy_at = self.histories.len() * 2;
        self.tidy_after = now.saturating_add(REST);
    }

    fn keep(&mut self, keeps: impl Fn(&Held) -> bool) {
        let bytes = &mut self.bytes;
        self.histories.retain(|_, held| {
            let keeps = keeps(held);
            if !keeps {
                *bytes -= ENTRY_BYTES + held.history.bytes();
            }
            keeps
        });
    }
}

impl History {
    fn end(&self, rule: &Rule) -> u64 {
        match self {
            Self::Exact(log) => log.end(rule),
            Self::Segmented(segments) => segments.end(rule),
            Self::Gcra(arrival) => arrival.end(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Exact(log) => log.bytes(),
            Self::Segmented(segments) => segments.bytes(),
            Self::Gcra(_) => 0,
        }
    }
}

impl std::hash::Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.id.0 as u64 ^ self.policy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule {
        kind: Kind::Exact,
        capacity: 10,
        window: 1_000_000,
        grain: 0,
    };

    const ASK: Ask<'_> = Ask {
        policy: 1,
        rule: &RULE,
        cost: 1,
        shadow: false,
    };

    fn bytes(histories: &Histories) -> usize {
        let parts = histories.parts.iter();
        parts.map(|part| lock(part).bytes).sum()
    }

    #[test]
    fn what_has_ended_goes_and_looking_leaves_nothing() {
        let histories = Histories::new();
        for number in 0..100_000_u32 {
            let id = histories.hash(&number.to_le_bytes());
            assert!(histories.check(|| 1_000, id, &ASK, false).1.fits);
        }
        assert_eq!((histories.len(), bytes(&histories)), (0, 0));
        for number in 0..100_000_u32 {
            let id = histories.hash(&number.to_le_bytes());
            assert!(histories.check(|| 1_000, id, &ASK, true).1.fits);
        }
        assert_eq!(histories.len(), 100_000);
        // A call in each part is enough, when they have rested.
        for number in 0..10_000_u32 {
            let id = histories.hash(&number.to_le_bytes());
            histories.check(|| 1_000 + REST, id, &ASK, true);
        }
        assert_eq!(histories.len(), 10_000);
        for number in 0..10_000_u32 {
            let id = histories.hash(&number.to_le_bytes());
            assert!(histories.reset(|| 1_000 + REST, Place { id, policy: 1 }));
        }
        assert_eq!((histories.len(), bytes(&histories)), (0, 0));
    }

    #[test]
    fn memory_has_a_bound_and_what_ends_soonest_goes_first() {
        const PART: usize = 64 << 10;
        let mut histories = Histories::new();
        histories.part_bytes = PART;
        let early = histories.hash(b"early");
        histories.check(|| 0, early, &ASK, true);
        // Calls that cost a lot, each a little later.
        let costs = Ask { cost: 10, ..ASK };
        let many = PARTS * PART / (ENTRY_BYTES + 80) * 3 / 2;
        for number in 0..many as u64 {
            let id = histories.hash(&number.to_le_bytes());
            assert!(histories.check(|| number / 8, id, &costs, true).1.fits);
        }
        assert!(bytes(&histories) <= PARTS * (PART + ENTRY_BYTES + 1024));
        let now = many as u64 / 8;
        let late = histories.hash(&(many as u64 - 1).to_le_bytes());
        assert_eq!(histories.check(|| now, late, &ASK, false).1.remaining, 0);
        assert_eq!(histories.check(|| now, early, &ASK, false).1.remaining, 10);
    }
}
