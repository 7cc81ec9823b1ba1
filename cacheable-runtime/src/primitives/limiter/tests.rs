//! Histories against a log that forgets nothing.

use std::time::Duration;

use super::Algorithm;
use super::exact::Log;
use super::gcra::Arrival;
use super::memory::{Ask, Histories, Place};
use super::rule::{Kind, Rule, Verdict};
use super::segmented::Segments;
use crate::error::ErrorKind;
use crate::sync::random;

const SECOND: u64 = 1_000_000;

fn rule(algorithm: Algorithm, limit: u64) -> Rule {
    Rule::new(algorithm, limit, Duration::from_secs(1), None, None).unwrap()
}

/// One id under one rule, and a log of all that was allowed.
struct Drill {
    histories: Histories,
    rule: Rule,
    now: u64,
    allowed: Vec<(u64, u64)>,
}

impl Drill {
    fn of(rule: Rule) -> Self {
        Self {
            histories: Histories::new(),
            rule,
            now: 5_000 * SECOND,
            allowed: Vec::new(),
        }
    }

    fn at(&self, now: u64, cost: u64, counts: bool) -> Verdict {
        let id = self.histories.hash(b"id");
        let ask = Ask {
            policy: 0,
            rule: &self.rule,
            cost,
            shadow: false,
        };
        self.histories.check(|| now, id, &ask, counts).1
    }

    /// What would be said later, if nobody called until then.
    fn later(&self, now: u64, cost: u64) -> Verdict {
        let copy = Self {
            histories: self.histories.copy(),
            allowed: Vec::new(),
            ..*self
        };
        copy.at(now, cost, false)
    }

    /// How much was allowed in the last so many microseconds.
    fn used(&self, window: u64) -> u64 {
        let log = self.allowed.iter().rev();
        log.take_while(|(time, _)| time + window > self.now)
            .map(|(_, cost)| cost)
            .sum()
    }

    /// A call, after which what it was told is found to be true.
    fn call(&mut self, cost: u64) -> Verdict {
        let verdict = self.at(self.now, cost, true);
        if verdict.fits {
            self.allowed.push((self.now, cost));
        }
        verdict
    }
}

fn below(bound: u64) -> u64 {
    random() % bound
}

/// Random calls under random limits; `judge` knows what may be said.
fn drill(algorithm: Algorithm, judge: impl Fn(&Drill, u64, bool)) {
    for limit in [1, 2, 3, 7, 10, 40] {
        let mut drill = Drill::of(rule(algorithm, limit));
        let mut denials = 0;
        for _ in 0..10_000 {
            // Now and then a pause; mostly close to the limit, often at once.
            drill.now += match below(10) {
                0 => below(2 * SECOND),
                1..=3 => 0,
                _ => below(2 * SECOND / limit),
            };
            let cost = 1 + below(limit.min(3));
            let before = drill.at(drill.now, cost, false);
            judge(&drill, cost, before.fits);
            // To look changes nothing.
            assert_eq!(drill.at(drill.now, cost, false), before);
            if !before.fits {
                denials += 1;
                // Sufficient, and tight.
                let then = drill.now + before.reset;
                assert!(!drill.later(then - 1, cost).fits, "{before:?}");
                assert!(drill.later(then, cost).fits, "{before:?}");
            }
            let after = drill.call(cost);
            assert_eq!(after.fits, before.fits);
            if after.fits {
                assert_eq!(after.remaining + cost, before.remaining);
                let more = drill.later(drill.now + after.reset, 1).remaining;
                let less = drill.later(drill.now + after.reset - 1, 1).remaining;
                assert!(less == after.remaining && more > less, "{after:?}");
            } else {
                assert_eq!(after, before);
            }
            let full = drill.later(drill.now + after.full, 1);
            assert_eq!(full.remaining, limit);
        }
        assert!(denials > 200 && drill.allowed.len() > 1_000, "{denials}");
    }
}

#[test]
fn an_exact_window_denies_exactly_what_does_not_fit() {
    drill(Algorithm::Exact, |drill, cost, fits| {
        let used = drill.used(SECOND);
        assert_eq!(fits, used + cost <= drill.rule.capacity, "{used}");
    });
}

#[test]
fn segments_allow_no_more_than_fits_and_give_back_one_segment_late_at_most() {
    drill(Algorithm::Segmented, |drill, cost, fits| {
        if fits {
            assert!(drill.used(SECOND) + cost <= drill.rule.capacity);
        } else {
            let late = SECOND + drill.rule.grain;
            assert!(drill.used(late) + cost > drill.rule.capacity);
        }
    });
}

#[test]
fn an_even_rate_allows_no_more_than_the_burst_and_the_limit() {
    drill(Algorithm::Gcra, |drill, cost, fits| {
        let limit = drill.rule.capacity;
        if fits {
            assert!(drill.used(SECOND) + cost <= 2 * limit);
        } else {
            // At the even rate all would be back by now.
            assert!(drill.used(limit * drill.rule.grain) + cost > limit);
        }
    });
}

#[test]
fn a_clock_that_is_set_back_costs_one_window_at_most() {
    for algorithm in [Algorithm::Exact, Algorithm::Segmented, Algorithm::Gcra] {
        let mut drill = Drill::of(rule(algorithm, 10));
        for _ in 0..10 {
            assert!(drill.call(1).fits);
        }
        // An hour ahead, full again, and back.
        drill.now += 3600 * SECOND;
        for _ in 0..10 {
            assert!(drill.call(1).fits);
        }
        drill.now -= 3600 * SECOND;
        let denied = drill.call(1);
        assert!(!denied.fits, "{algorithm:?}");
        let late = drill.rule.grain.min(SECOND / 10);
        assert!(denied.reset <= SECOND + late && denied.full <= SECOND + late);
        drill.now += SECOND + late;
        assert!(drill.call(10).fits, "{algorithm:?}");
        // A little back: still no more than ten in a window, by elapsed time.
        drill.now -= SECOND / 2;
        assert!(!drill.call(1).fits);
        drill.now += SECOND - 1;
        assert!(!drill.call(10).fits, "{algorithm:?}");
    }
}

#[test]
fn another_limit_goes_by_the_same_history() {
    for algorithm in [Algorithm::Exact, Algorithm::Segmented, Algorithm::Gcra] {
        let mut drill = Drill::of(rule(algorithm, 10));
        assert_eq!(drill.call(8).remaining, 2);
        drill.rule = rule(algorithm, 20);
        // An even rate goes by the share that is used.
        let share = if algorithm == Algorithm::Gcra { 16 } else { 8 };
        let remaining = drill.at(drill.now, 1, false).remaining;
        assert_eq!(remaining, 20 - share, "{algorithm:?}");
        assert!(drill.call(remaining).fits);
        drill.rule = rule(algorithm, 5);
        let denied = drill.call(1);
        assert!(!denied.fits && denied.remaining == 0);
        assert!(!drill.later(drill.now + denied.reset - 1, 1).fits);
        assert!(drill.later(drill.now + denied.reset, 1).fits);
        drill.now += denied.full;
        assert!(drill.call(5).fits);
    }
}

#[test]
fn what_is_taken_back_is_the_latest() {
    for algorithm in [Algorithm::Exact, Algorithm::Segmented, Algorithm::Gcra] {
        let mut drill = Drill::of(rule(algorithm, 10));
        assert!(drill.call(4).fits);
        drill.now += SECOND / 2;
        assert!(drill.call(3).fits);
        let before = drill.at(drill.now, 1, false);
        let place = Place {
            id: drill.histories.hash(b"id"),
            policy: 0,
        };
        let refund = |units| {
            drill
                .histories
                .refund(|| drill.now, place, &drill.rule, units)
        };
        assert_eq!(refund(2), 2);
        let after = drill.at(drill.now, 1, false);
        assert_eq!(after.remaining, before.remaining + 2, "{algorithm:?}");
        // What comes back next comes back when it would have.
        assert_eq!(after.reset, before.reset);
        // There is no more than there is.
        assert_eq!(refund(100), 10 - after.remaining);
        assert_eq!(refund(1), 0);
        assert_eq!(drill.at(drill.now, 1, false).remaining, 10);
    }
}

#[test]
fn nothing_overflows_and_what_cannot_be_is_refused() {
    let longest = Duration::from_secs(3660 * 24 * 60 * 60);
    let build = |algorithm, limit, window| Rule::new(algorithm, limit, window, None, None);
    for window in [Duration::from_millis(1), Duration::from_secs(1), longest] {
        for algorithm in [Algorithm::Automatic, Algorithm::Segmented, Algorithm::Gcra] {
            for limit in [0, 1, 3, 1024, 1025, u64::MAX - 1, u64::MAX] {
                let mut drill = Drill::of(build(algorithm, limit, window).unwrap());
                assert_eq!(drill.call(1).fits, limit > 0);
                let rest = drill.rule.capacity.saturating_sub(1);
                assert_eq!(drill.call(rest.max(1)).fits, rest > 0);
                let denied = drill.call(1);
                assert!(!denied.fits);
                let most = 2 * drill.rule.window + drill.rule.grain;
                assert!(denied.reset <= most && denied.full <= most, "{denied:?}");
            }
        }
    }
    let kind = |rule: Result<Rule, _>| {
        rule.map_err(|error: crate::Error| error.kind())
            .unwrap_err()
    };
    for window in [Duration::ZERO, Duration::from_micros(999), Duration::MAX] {
        assert_eq!(
            kind(build(Algorithm::Automatic, 1, window)),
            ErrorKind::Argument
        );
    }
    let second = Duration::from_secs(1);
    assert_eq!(
        kind(build(Algorithm::Exact, u64::MAX, second)),
        ErrorKind::Argument
    );
    let burst = |burst| Rule::new(Algorithm::Gcra, 10, second, None, Some(burst));
    for wrong in [0, 11, u64::MAX] {
        assert_eq!(kind(burst(wrong)), ErrorKind::Argument);
    }
    assert_eq!(burst(2).unwrap().capacity, 2);
    for segments in [0, 101, u32::MAX] {
        let rule = Rule::new(Algorithm::Automatic, 1, second, Some(segments), None);
        assert_eq!(kind(rule), ErrorKind::Argument);
    }
    let automatic = |limit| build(Algorithm::Automatic, limit, second).unwrap().kind;
    assert_eq!(
        (automatic(1024), automatic(1025)),
        (Kind::Exact, Kind::Segmented)
    );
}

#[test]
fn a_history_of_nothing_says_that_all_is_there() {
    let rule = rule(Algorithm::Segmented, 5);
    let verdict = Verdict {
        fits: true,
        remaining: 5,
        reset: 0,
        full: 0,
    };
    assert_eq!(Log::default().look(7, &rule, 1), verdict);
    assert_eq!(Segments::default().look(7, &rule, 1), verdict);
    assert_eq!(Arrival::default().look(7, &rule, 1), verdict);
}

#[test]
fn a_limit_of_nothing_denies_whatever_a_call_costs() {
    for algorithm in [Algorithm::Exact, Algorithm::Segmented, Algorithm::Gcra] {
        let mut drill = Drill::of(rule(algorithm, 1));
        assert!(drill.at(drill.now, 1, true).fits);
        // Another process has set the limit to 0, over the same history.
        drill.rule = rule(algorithm, 0);
        for cost in [1, u64::MAX - 1, u64::MAX] {
            let verdict = drill.at(drill.now, cost, true);
            assert!(!verdict.fits, "{algorithm:?} {cost}");
            assert!(verdict.reset <= 3 * SECOND, "{algorithm:?} {verdict:?}");
        }
    }
}
