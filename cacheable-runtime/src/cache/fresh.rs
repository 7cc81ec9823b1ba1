//! When an entry is fresh, old, or of no more use: pure functions over times.

use crate::local::Times;
use crate::policy::{Early, Rules};
use crate::time::Millis;

/// What an entry is good for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// To answer with.
    Fresh,
    /// To answer with, and one caller may refresh it already.
    Early,
    /// To answer with while somebody refreshes it.
    Stale,
    /// To stand in for a load that fails.
    LastResort,
    /// For nothing.
    Over,
}

/// At this many mean waits before the end, nobody refreshes by chance yet:
/// one in 500 million would.
const CHANCE_BEGINS: f64 = 20.0;

/// The phase of an entry with these times. `random` decides where chance does,
/// and is asked only there.
pub(crate) fn phase(
    rules: &Rules,
    times: &Times,
    now: Millis,
    random: impl FnOnce() -> u64,
) -> Phase {
    if now >= times.hard {
        Phase::Over
    } else if now < times.soft {
        if is_early(rules.early, times, now, random) {
            Phase::Early
        } else {
            Phase::Fresh
        }
    } else if now < times.revalidate {
        Phase::Stale
    } else if now < times.soft.saturating_add(millis(rules.stale_if_error)) {
        Phase::LastResort
    } else {
        Phase::Over
    }
}

fn is_early(early: Early, times: &Times, now: Millis, random: impl FnOnce() -> u64) -> bool {
    match early {
        Early::Never => false,
        Early::Ahead(_) => now >= settled(early, times),
        Early::Chance(beta) => {
            // From (0, 1]: the logarithm of zero is of no use.
            let chance = (random() as f64 + 1.0) / (u64::MAX as f64 + 1.0);
            let ahead = wait(times, beta) * -chance.ln();
            now as f64 + ahead >= times.soft as f64
        }
    }
}

/// Until when nothing is to be decided about a fresh entry.
pub(crate) fn settled(early: Early, times: &Times) -> Millis {
    match early {
        Early::Never => times.soft,
        Early::Ahead(share) => {
            let life = times.soft.saturating_sub(times.created);
            times.created.saturating_add(scaled(life as f64 * share))
        }
        Early::Chance(beta) => times
            .soft
            .saturating_sub(scaled(wait(times, beta) * CHANCE_BEGINS)),
    }
}

/// How long before its end an entry is refreshed in the mean, in milliseconds.
fn wait(times: &Times, beta: f64) -> f64 {
    f64::from(times.load_micros) / 1000.0 * beta
}

#[allow(clippy::cast_sign_loss, reason = "no operand is negative")]
fn scaled(millis: f64) -> Millis {
    millis.max(0.0) as Millis
}

pub(crate) fn millis(duration: std::time::Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rules() -> Rules {
        let mut rules = Rules::new(Duration::from_secs(1));
        rules.stale_while_revalidate = Duration::from_millis(100);
        rules.stale_if_error = Duration::from_millis(500);
        rules
    }

    fn times() -> Times {
        Times {
            created: 1_000,
            soft: 2_000,
            revalidate: 2_100,
            hard: 2_500,
            load_micros: 10_000,
        }
    }

    #[test]
    fn an_entry_ages_step_by_step() {
        for (now, expected) in [
            (1_000, Phase::Fresh),
            (1_999, Phase::Fresh),
            (2_000, Phase::Stale),
            (2_099, Phase::Stale),
            (2_100, Phase::LastResort),
            (2_499, Phase::LastResort),
            (2_500, Phase::Over),
        ] {
            assert_eq!(phase(&rules(), &times(), now, || 0), expected, "{now}");
        }
    }

    #[test]
    fn ahead_begins_at_its_share_of_the_life() {
        let rules = rules().refresh_ahead(0.8);
        assert_eq!(phase(&rules, &times(), 1_799, || 0), Phase::Fresh);
        assert_eq!(phase(&rules, &times(), 1_800, || 0), Phase::Early);
        assert_eq!(settled(rules.early, &times()), 1_800);
    }

    /// What is read from the store may hold any numbers.
    #[test]
    fn no_times_are_too_large() {
        let times = Times {
            created: 1,
            soft: u64::MAX,
            revalidate: u64::MAX,
            hard: u64::MAX,
            load_micros: u32::MAX,
        };
        for rules in [rules().refresh_ahead(1.0), rules().beta(f64::MAX)] {
            for now in [0, 1, u64::MAX - 1, u64::MAX] {
                phase(&rules, &times, now, || 0);
            }
            settled(rules.early, &times);
        }
    }

    #[test]
    fn chance_grows_towards_the_end_and_never_comes_before_it_is_settled() {
        let rules = rules().beta(1.0);
        let share = |now| {
            let early = (0..1_000_u64).filter(|step| {
                let random = u64::MAX / 1_000 * step;
                phase(&rules, &times(), now, || random) == Phase::Early
            });
            early.count()
        };
        // One mean wait before the end it is 1/e, four before it 1/e^4.
        assert!((330..=400).contains(&share(1_990)), "{}", share(1_990));
        assert!((10..=25).contains(&share(1_960)), "{}", share(1_960));
        let settled = settled(rules.early, &times());
        assert_eq!(settled, 1_800);
        assert!(share(settled - 1) <= 1);
        assert_eq!(phase(&rules, &times(), settled - 500, || 0), Phase::Fresh);
    }
}
