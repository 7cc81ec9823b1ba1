//! How decisions went.

use super::decision::{Decision, Source};
use crate::observe::{Checked, CheckedBy, Figures, RateCounts, RateMeter};

/// Those of one policy.
pub(super) struct Counters(RateMeter);

impl Counters {
    pub(super) fn new(policy: &str, figures: &Figures) -> Self {
        Self(figures.policy(policy))
    }

    pub(super) fn decided(&self, decision: &Decision) {
        let checked = match decision {
            Decision { shadowed: true, .. } => Checked::Shadowed,
            Decision { allowed: true, .. } => Checked::Allowed,
            _ => Checked::Denied,
        };
        let by = match decision.source {
            Source::Redis => CheckedBy::Redis,
            Source::Embedded => CheckedBy::Embedded,
            Source::DenyCache => CheckedBy::DenyCache,
            Source::Local => CheckedBy::Local,
            Source::Failure => CheckedBy::Failure,
        };
        self.0.count(checked, by);
    }

    pub(super) fn failed(&self) {
        self.0.count(Checked::Failed, CheckedBy::Failure);
    }

    pub(super) fn snapshot(&self) -> RateCounts {
        self.0.counts()
    }
}
