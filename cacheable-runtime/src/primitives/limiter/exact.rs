//! Every call that was allowed, by the moment: exact, at 8 bytes a call.

use std::collections::VecDeque;

use super::rule::{Rule, Verdict};

/// When calls were allowed, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    times: VecDeque<u64>,
}

impl Log {
    /// Forgets what has left the window: a call counts from its moment until
    /// just before a window later.
    fn tidy(&mut self, now: u64, rule: &Rule) {
        // The clock was set back: what lies ahead happened now at the latest.
        // Left as it is, it would count until the clock has caught up.
        if self.times.back().is_some_and(|last| *last > now) {
            let ahead = self.times.partition_point(|time| *time <= now);
            self.times.range_mut(ahead..).for_each(|time| *time = now);
        }
        while self.times.front().is_some_and(|t| t + rule.window <= now) {
            self.times.pop_front();
        }
    }

    pub(super) fn look(&mut self, now: u64, rule: &Rule, cost: u64) -> Verdict {
        self.tidy(now, rule);
        let used = self.times.len() as u64;
        // Of a limit of 0, which denies everything, no cost was refused before.
        let fits = used.saturating_add(cost) <= rule.capacity;
        // The one that has to leave before the call fits, or, when it does,
        // before more remains.
        let leaver = if fits {
            0
        } else {
            used.saturating_add(cost) - rule.capacity - 1
        };
        let until = |index: u64| {
            let time = self.times.get(index as usize);
            time.map(|time| time + rule.window - now)
        };
        Verdict {
            fits,
            remaining: rule.capacity.saturating_sub(used),
            reset: until(leaver).unwrap_or(if fits { 0 } else { rule.window }),
            full: used.checked_sub(1).and_then(until).unwrap_or(0),
        }
    }

    /// Counts a call that fits.
    pub(super) fn take(&mut self, now: u64, rule: &Rule, cost: u64) -> Verdict {
        self.times.extend((0..cost).map(|_| now));
        Verdict {
            fits: true,
            ..self.look(now, rule, 0)
        }
    }

    /// Takes back the latest.
    pub(super) fn refund(&mut self, now: u64, rule: &Rule, units: u64) -> u64 {
        self.tidy(now, rule);
        let back = units.min(self.times.len() as u64);
        self.times.truncate(self.times.len() - back as usize);
        back
    }

    /// When nothing of it counts any more.
    pub(super) fn end(&self, rule: &Rule) -> u64 {
        self.times.back().map_or(0, |last| last + rule.window)
    }

    pub(super) fn bytes(&self) -> usize {
        self.times.capacity() * size_of::<u64>()
    }
}
