//! Denials that are remembered for a moment, so that a flood of calls over a
//! limit is no flood of questions to the server. Nothing here ever allows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;

use super::decision::{Decision, Source};
use super::memory::Place;
use super::policy::Spec;

/// How many are remembered. What is forgotten costs a question.
const MOST: usize = 65_536;

pub(super) struct Denials {
    denials: Cache<Place, Denial>,
    /// How often something was given back, so that a denial from before is not
    /// remembered after.
    returns: AtomicU64,
}

#[derive(Clone)]
struct Denial {
    decision: Decision,
    /// Of this process's clock, which nobody sets.
    asked: Instant,
    until: Instant,
    cost: u64,
    capacity: u64,
}

/// When a question was asked.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    at: Instant,
    returns: u64,
}

impl Denials {
    pub(super) fn new() -> Self {
        Self {
            denials: Cache::new(MOST),
            returns: AtomicU64::new(0),
        }
    }

    pub(super) fn ask(&self) -> Asked {
        Asked {
            at: Instant::now(),
            returns: self.returns.load(Ordering::SeqCst),
        }
    }

    /// The denial that the server would repeat, if there is one.
    pub(super) fn get(&self, place: Place, spec: &Spec, cost: u64) -> Option<Decision> {
        if spec.remember.is_zero() {
            return None;
        }
        let denial = self.denials.get(&place)?;
        let now = Instant::now();
        // What costs less may fit, and so may the same under a larger limit. What
        // costs more, or comes under a smaller one, has longer to wait.
        if now >= denial.until || cost != denial.cost || spec.rule.capacity != denial.capacity {
            return None;
        }
        let since = now - denial.asked;
        let wait = |wait: Duration| wait.saturating_sub(since);
        Some(Decision {
            limit: spec.limit,
            reset_after: wait(denial.decision.reset_after),
            retry_after: denial.decision.retry_after.map(wait),
            full_after: wait(denial.decision.full_after),
            source: Source::DenyCache,
            ..denial.decision
        })
    }

    /// Remembers a denial, for as long as it would be repeated and no longer
    /// than the policy says.
    pub(super) fn add(
        &self,
        place: Place,
        spec: &Spec,
        cost: u64,
        decision: &Decision,
        asked: Asked,
    ) {
        let lasts = decision.reset_after.min(spec.remember);
        if lasts.is_zero() {
            return;
        }
        let denial = Denial {
            decision: decision.clone(),
            asked: asked.at,
            // The server decided after the question, so this ends before its
            // denial does.
            until: asked.at + lasts,
            cost,
            capacity: spec.rule.capacity,
        };
        self.denials.insert(place, denial);
        if self.returns.load(Ordering::SeqCst) != asked.returns {
            self.denials.remove(&place);
        }
    }

    /// Something was given back.
    pub(super) fn remove(&self, place: Place) {
        self.returns.fetch_add(1, Ordering::SeqCst);
        self.denials.remove(&place);
    }
}
