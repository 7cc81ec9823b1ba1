//! What was decided, and by whom.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::rule::Verdict;
use crate::error::Error;

/// Whether a call may go ahead.
#[derive(Clone, Debug)]
#[must_use = "a limit that nobody looks at limits nothing"]
#[non_exhaustive]
pub struct Decision {
    /// Whether the call may go ahead.
    pub allowed: bool,
    /// How much fits into a window.
    pub limit: u64,
    /// How much of it is left, after this call if it was allowed. 0 where
    /// nobody could be asked.
    pub remaining: u64,
    /// How long until more remains; after a denial, how long until the same
    /// call is allowed, if nobody else comes first. Zero: nothing is used, or
    /// nobody could be asked.
    ///
    /// It was right when the store decided, so that it errs towards waiting
    /// too long, by the time that the answer was on its way.
    pub reset_after: Duration,
    /// When that is, on the clock of the store. To wait, take
    /// [`reset_after`](Self::reset_after), which no clock that is wrong
    /// changes.
    pub reset_at: SystemTime,
    /// How long to wait after a denial. `None`: the call is allowed, or waiting
    /// does not help, since the limit is 0.
    pub retry_after: Option<Duration>,
    /// How long until all is back, if nobody calls.
    pub full_after: Duration,
    /// Who decided.
    pub source: Source,
    /// The call would have been denied, if the policy were not on trial; see
    /// [`shadow`](super::RatePolicyBuilder::shadow).
    pub shadowed: bool,
    /// Why the store did not decide: [`source`](Self::source) is
    /// [`Source::Failure`] or [`Source::Local`].
    pub failure: Option<Error>,
}

/// Who decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// The server.
    Redis,
    /// The embedded store, in a process without a server.
    Embedded,
    /// This process, which remembered that the server had denied the same a
    /// moment ago.
    DenyCache,
    /// This process, by what it has seen itself, while the server is away:
    /// [`OnFailure::Local`](super::OnFailure::Local).
    Local,
    /// Nobody: the server is away, and the policy says what happens then.
    Failure,
}

impl Decision {
    /// Four fifths of the limit are used, or more.
    pub fn is_near_limit(&self) -> bool {
        self.remaining <= self.limit / 5
    }

    /// `now`: in microseconds since the epoch.
    pub(super) fn new(limit: u64, verdict: Verdict, now: u64, source: Source) -> Self {
        let reset_after = Duration::from_micros(verdict.reset);
        Self {
            allowed: verdict.fits,
            limit,
            remaining: verdict.remaining,
            reset_after,
            reset_at: UNIX_EPOCH + Duration::from_micros(now) + reset_after,
            retry_after: (!verdict.fits && limit > 0).then_some(reset_after),
            full_after: Duration::from_micros(verdict.full),
            source,
            shadowed: false,
            failure: None,
        }
    }

    /// A decision that nobody could make.
    pub(super) fn failed(allowed: bool, limit: u64, now: u64, failure: Error) -> Self {
        let wait = if allowed {
            Duration::ZERO
        } else {
            RETRY_AFTER_FAILURE
        };
        Self {
            allowed,
            limit,
            remaining: 0,
            reset_after: wait,
            reset_at: UNIX_EPOCH + Duration::from_micros(now) + wait,
            retry_after: (!allowed).then_some(wait),
            full_after: wait,
            source: Source::Failure,
            shadowed: false,
            failure: Some(failure),
        }
    }
}

/// Nobody knows when a server comes back, so a client asks again soon.
const RETRY_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// What several policies say of one call: the answer of
/// [`check_all`](super::RateLimiter::check_all).
#[derive(Clone, Debug)]
#[must_use = "a limit that nobody looks at limits nothing"]
#[non_exhaustive]
pub struct Decisions {
    /// Whether the call may go ahead: no policy denies it.
    pub allowed: bool,
    /// What each says, in the order in which they were asked. If the call is
    /// denied, nothing was counted, under none of them.
    pub each: Vec<Decision>,
}

impl Decisions {
    pub(super) fn new(each: Vec<Decision>) -> Self {
        Self {
            allowed: each.iter().all(|decision| decision.allowed),
            each,
        }
    }

    /// The one that matters: of those that deny, that to wait for longest; if
    /// none does, that which has the least left.
    pub fn tightest(&self) -> &Decision {
        let denials = self.each.iter().filter(|decision| !decision.allowed);
        // Where waiting does not help at all, it takes longest.
        let longest = denials.max_by_key(|denial| denial.retry_after.unwrap_or(Duration::MAX));
        let least = || self.each.iter().min_by_key(|decision| decision.remaining);
        longest
            .or_else(least)
            .expect("there is a decision for each policy, and there are policies")
    }
}
