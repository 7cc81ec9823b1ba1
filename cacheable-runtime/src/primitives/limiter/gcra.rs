//! The generic cell rate algorithm: one number, the time at which all that was
//! used has come back at an even rate. In any window there are at most as many
//! calls as a burst and the limit together.
//!
//! ITU-T I.371; as a leaky bucket it is that of ATM Forum's traffic management.

use super::rule::{Rule, Verdict};

/// The theoretical arrival time, and the grain that it is reckoned in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Arrival {
    time: u64,
    grain: u64,
}

impl Arrival {
    /// How far ahead of now the time is.
    fn debt(&self, now: u64, rule: &Rule) -> u64 {
        let debt = self.time.saturating_sub(now);
        let debt = if self.grain == rule.grain || debt == 0 {
            debt
        } else {
            // The limit is another one by now: as many units as before.
            let debt = u128::from(debt) * u128::from(rule.grain);
            let debt = debt.div_ceil(u128::from(self.grain.max(1)));
            u64::try_from(debt).unwrap_or(u64::MAX)
        };
        // The clock was set back, or the limit was larger.
        debt.min(rule.capacity * rule.grain)
    }

    fn set(&mut self, now: u64, rule: &Rule, debt: u64) {
        *self = Self {
            time: now + debt,
            grain: rule.grain,
        };
    }

    pub(super) fn look(&mut self, now: u64, rule: &Rule, cost: u64) -> Verdict {
        let debt = self.debt(now, rule);
        let room = rule.capacity * rule.grain - debt;
        // A cost that never fits is refused before; a limit of 0 has no room.
        let needed = cost.saturating_mul(rule.grain);
        let fits = needed <= room;
        let used = debt.div_ceil(rule.grain);
        Verdict {
            fits,
            remaining: room / rule.grain,
            reset: if fits {
                used.checked_sub(1)
                    .map_or(0, |rest| debt - rest * rule.grain)
            } else {
                needed - room
            },
            full: debt,
        }
    }

    /// Counts a call that fits.
    pub(super) fn take(&mut self, now: u64, rule: &Rule, cost: u64) -> Verdict {
        let debt = self.debt(now, rule) + cost * rule.grain;
        self.set(now, rule, debt);
        self.look(now, rule, 0)
    }

    /// Takes back the latest.
    pub(super) fn refund(&mut self, now: u64, rule: &Rule, units: u64) -> u64 {
        let debt = self.debt(now, rule);
        let back = units.min(debt.div_ceil(rule.grain));
        self.set(now, rule, debt.saturating_sub(back * rule.grain));
        back
    }

    /// When nothing of it counts any more.
    pub(super) fn end(&self) -> u64 {
        self.time
    }
}
