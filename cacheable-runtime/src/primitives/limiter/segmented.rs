//! How many calls were allowed in each segment of time. A segment counts in
//! full until the last moment of it has left the window, so there are never
//! more than the limit in any window, and what was used comes back up to one
//! segment late.

use std::collections::VecDeque;

use super::rule::{Rule, Verdict};

/// The numbers of segments and what was allowed in them, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Segments {
    counts: VecDeque<(u64, u64)>,
}

impl Segments {
    fn tidy(&mut self, now: u64, rule: &Rule) {
        let current = now / rule.grain;
        // The clock was set back: what lies ahead happened now at the latest.
        let mut ahead = 0;
        while let Some((_, count)) = self.counts.back().filter(|last| last.0 > current) {
            ahead += count;
            self.counts.pop_back();
        }
        if ahead > 0 {
            self.add(current, ahead);
        }
        while self
            .counts
            .front()
            .is_some_and(|first| end(first.0, rule) <= now)
        {
            self.counts.pop_front();
        }
    }

    fn add(&mut self, segment: u64, count: u64) {
        match self.counts.back_mut() {
            Some(last) if last.0 == segment => last.1 += count,
            _ => self.counts.push_back((segment, count)),
        }
    }

    pub(super) fn look(&mut self, now: u64, rule: &Rule, cost: u64) -> Verdict {
        self.tidy(now, rule);
        let used: u64 = self.counts.iter().map(|(_, count)| count).sum();
        let fits = used.saturating_add(cost) <= rule.capacity;
        // How much has to leave before the call fits, or more remains.
        let leaving = if fits {
            1
        } else {
            used.saturating_add(cost) - rule.capacity
        };
        let mut left = 0;
        let mut segments = self.counts.iter();
        let leaver = segments.find(|(_, count)| {
            left += count;
            left >= leaving
        });
        let until = |segment: &(u64, u64)| end(segment.0, rule) - now;
        Verdict {
            fits,
            remaining: rule.capacity.saturating_sub(used),
            reset: leaver.map_or(if fits { 0 } else { rule.window }, until),
            full: self.counts.back().map_or(0, until),
        }
    }

    /// Counts a call that fits.
    pub(super) fn take(&mut self, now: u64, rule: &Rule, cost: u64) -> Verdict {
        if cost > 0 {
            self.add(now / rule.grain, cost);
        }
        Verdict {
            fits: true,
            ..self.look(now, rule, 0)
        }
    }

    /// Takes back the latest.
    pub(super) fn refund(&mut self, now: u64, rule: &Rule, units: u64) -> u64 {
        self.tidy(now, rule);
        let mut back = 0;
        while back < units
            && let Some(last) = self.counts.back_mut()
        {
            let some = last.1.min(units - back);
            last.1 -= some;
            back += some;
            if last.1 == 0 {
                self.counts.pop_back();
            }
        }
        back
    }

    /// When nothing of it counts any more.
    pub(super) fn end(&self, rule: &Rule) -> u64 {
        self.counts.back().map_or(0, |last| end(last.0, rule))
    }

    pub(super) fn bytes(&self) -> usize {
        self.counts.capacity() * size_of::<(u64, u64)>()
    }
}

/// When the last moment of a segment has left the window.
fn end(segment: u64, rule: &Rule) -> u64 {
    (segment + 1) * rule.grain + rule.window
}
