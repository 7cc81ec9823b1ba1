//! Rate limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::meter::{Family, counts};

counts! {
    /// How checks of rate limits went in this process: those of one policy
    /// since it was built, or all of them.
    RateCounts {
        /// Calls that were allowed, by whom ever.
        allowed,
        /// Calls that were denied, by whom ever.
        denied,
        /// Denials that this process remembered, so that no server was asked.
        from_deny_cache,
        /// Calls that would have been denied under a policy that is not on trial.
        shadowed,
        /// Calls that no server decided on, because it was away: allowed, denied or
        /// decided here.
        failures,
        /// Calls that returned an error.
        errors,
    }
}

/// What came of a check.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Checked {
    Allowed,
    Denied,
    /// Allowed, only because the policy is on trial.
    Shadowed,
    /// An error was returned.
    Failed,
}

/// Who decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CheckedBy {
    Redis,
    Embedded,
    DenyCache,
    /// This process, since the server was away.
    Local,
    /// Nobody, since the server was away.
    Failure,
}

#[derive(Debug, Default)]
pub(crate) struct RateNumbers {
    allowed: AtomicU64,
    denied: AtomicU64,
    from_deny_cache: AtomicU64,
    shadowed: AtomicU64,
    failures: AtomicU64,
    errors: AtomicU64,
}

/// Of one policy.
pub(crate) struct RateMeter {
    own: RateNumbers,
    all: Arc<RateNumbers>,
    policy: Box<str>,
    series: Family<20>,
}

impl RateMeter {
    pub(super) fn new(policy: &str, all: Arc<RateNumbers>) -> Self {
        Self {
            own: RateNumbers::default(),
            all,
            policy: policy.into(),
            series: Family::new(),
        }
    }

    pub(crate) fn count(&self, checked: Checked, by: CheckedBy) {
        self.own.count(checked, by);
        self.all.count(checked, by);
        let number = checked as usize * 5 + by as usize;
        let labels = || {
            [
                ("policy", self.policy.to_string()),
                ("outcome", checked.name().to_owned()),
                ("source", by.name().to_owned()),
            ]
        };
        let name = "cacheable_ratelimit_checks_total";
        self.series.add(name, number, labels);
    }

    pub(crate) fn counts(&self) -> RateCounts {
        self.own.snapshot()
    }
}

impl RateNumbers {
    fn count(&self, checked: Checked, by: CheckedBy) {
        match checked {
            Checked::Allowed => bump(&self.allowed),
            Checked::Denied => bump(&self.denied),
            Checked::Shadowed => {
                bump(&self.allowed);
                bump(&self.shadowed);
            }
            Checked::Failed => return bump(&self.errors),
        }
        match by {
            CheckedBy::DenyCache => bump(&self.from_deny_cache),
            CheckedBy::Local | CheckedBy::Failure => bump(&self.failures),
            CheckedBy::Redis | CheckedBy::Embedded => {}
        }
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

impl Checked {
    fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Shadowed => "shadowed",
            Self::Failed => "error",
        }
    }
}

impl CheckedBy {
    fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Embedded => "embedded",
            Self::DenyCache => "deny_cache",
            Self::Local => "local",
            Self::Failure => "failure",
        }
    }
}
