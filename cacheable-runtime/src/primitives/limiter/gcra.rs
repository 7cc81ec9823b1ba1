//! The generic cell rate algorithm: one number, the time at which all that was
//! used has come back at an even rate. In any window there are at most as many
//! calls as a burst and the limit together.
//!
//! ITU-T I.371; as a leaky bucket it is that of ATM Forum's traffic management.

use super::rule::{Rule, Verdict};

/// The theoretical arrival time.
///
/// It is a time and not a number of units: under another limit the share that
/// is used stays the same.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Arrival(u64);

impl Arrival {
    /// How far ahead of now it is.
    fn debt(&mut self, now: u64, rule: &Rule) -> u64 {
        // No limit over this window lets it be further ahead, so the clock was
        // set back. Left as it is, it would be until the clock has caught up.
        let most = (rule.capacity * rule.grain).max(rule.window);
        self.0 = self.0.min(now + most);
        self.0.saturating_sub(now)
    }

    pub(super) fn look(&mut self, now: u64, rule: &Rule, cost: u64) -> Verdict {
        let debt = self.debt(now, rule);
        let most = rule.capacity * rule.grain;
        let room = most.saturating_sub(debt);
        // A cost that never fits is refused before, but not of a limit of 0: that
        // denies everything, and no wait depends on the cost.
        let cost = if rule.capacity == 0 {
            cost.min(1)
        } else {
            cost
        };
        let needed = cost.saturating_mul(rule.grain);
        let fits = debt.saturating_add(needed) <= most;
        let used = debt.div_ceil(rule.grain);
        Verdict {
            fits,
            remaining: room / rule.grain,
            reset: if fits {
                used.checked_sub(1)
                    .map_or(0, |rest| debt - rest * rule.grain)
            } else {
                debt.saturating_add(needed) - most
            },
            full: debt,
        }
    }

    /// Counts a call that fits.
    pub(super) fn take(&mut self, now: u64, rule: &Rule, cost: u64) -> Verdict {
        self.0 = now + self.debt(now, rule) + cost * rule.grain;
        self.look(now, rule, 0)
    }

    /// Takes back the latest.
    pub(super) fn refund(&mut self, now: u64, rule: &Rule, units: u64) -> u64 {
        let debt = self.debt(now, rule);
        let back = units.min(debt.div_ceil(rule.grain));
        self.0 = now + debt.saturating_sub(back * rule.grain);
        back
    }

    /// When nothing of it counts any more.
    pub(super) fn end(self) -> u64 {
        self.0
    }
}
