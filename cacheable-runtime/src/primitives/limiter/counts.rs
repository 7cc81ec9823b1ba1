//! How decisions went.

use std::sync::atomic::{AtomicU64, Ordering};

use super::decision::{Decision, Source};

/// How the checks of one policy went in this process, since it was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateCounts {
    /// Calls that were allowed, by whom ever.
    pub allowed: u64,
    /// Calls that were denied, by whom ever.
    pub denied: u64,
    /// Denials that this process remembered, so that no server was asked.
    pub from_deny_cache: u64,
    /// Calls that would have been denied under a policy that is not on trial.
    pub shadowed: u64,
    /// Calls that no server decided on, because it was away: allowed, denied or
    /// decided here.
    pub failures: u64,
    /// Calls that returned an error.
    pub errors: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    allowed: AtomicU64,
    denied: AtomicU64,
    from_deny_cache: AtomicU64,
    shadowed: AtomicU64,
    failures: AtomicU64,
    errors: AtomicU64,
}

impl Counters {
    pub(super) fn decided(&self, decision: &Decision) {
        bump(if decision.allowed {
            &self.allowed
        } else {
            &self.denied
        });
        if decision.source == Source::DenyCache {
            bump(&self.from_deny_cache);
        }
        if decision.shadowed {
            bump(&self.shadowed);
        }
        if decision.failure.is_some() {
            bump(&self.failures);
        }
    }

    pub(super) fn failed(&self) {
        bump(&self.errors);
    }

    pub(super) fn snapshot(&self) -> RateCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        RateCounts {
            allowed: read(&self.allowed),
            denied: read(&self.denied),
            from_deny_cache: read(&self.from_deny_cache),
            shadowed: read(&self.shadowed),
            failures: read(&self.failures),
            errors: read(&self.errors),
        }
    }
}

fn bump(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
