//! How a policy is described.

use std::sync::Arc;
use std::time::Duration;

use siphasher::sip::SipHasher13;

use super::counts::Counters;
use super::policy::{RatePolicy, Spec, place};
use super::rule::{Rule, SEGMENTS, argument};
use crate::error::Error;
use crate::primitives::{Ground, name};

/// How calls are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// [`Exact`](Self::Exact) up to a limit of 1024, and
    /// [`Segmented`](Self::Segmented) above it or where `segments` are given.
    #[default]
    Automatic,
    /// A sliding window that is exact: a call is allowed if, and only if, there
    /// is room for it in the window that ends now. It keeps 7 to 16 bytes for
    /// each call that a window holds, and takes limits up to 1 048 576.
    Exact,
    /// A sliding window that moves by segments: never more than the limit in
    /// any window; what was used comes back up to one segment late. It keeps a
    /// number for each segment.
    Segmented,
    /// The generic cell rate algorithm: a burst, and from then on an even rate.
    /// In any window there are at most as many calls as the burst and the limit
    /// together: with the burst that is the default, twice the limit. It keeps
    /// one number, a time, so that under another limit the share that is used
    /// stays the same. The time between two calls is rounded up to a
    /// microsecond.
    Gcra,
}

/// What happens to a call when the server cannot decide: it is away, does not
/// answer in time, or refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnFailure {
    /// The check returns the error.
    #[default]
    Error,
    /// The call is allowed.
    Open,
    /// The call is denied.
    Closed,
    /// This process decides by the same policy and the calls that it has
    /// decided on itself, beginning with none; see
    /// [`fleet`](RatePolicyBuilder::fleet).
    Local,
}

/// Describes a policy: [`RateLimiter::policy`](super::RateLimiter::policy).
#[derive(Clone)]
#[must_use = "it does nothing until it is built"]
pub struct RatePolicyBuilder {
    ground: Arc<Ground>,
    name: String,
    limit: Option<u64>,
    window: Option<Duration>,
    algorithm: Algorithm,
    segments: Option<u32>,
    burst: Option<u64>,
    on_failure: OnFailure,
    fleet: u32,
    shadow: bool,
    remember: Duration,
    timeout: Option<Duration>,
}

/// How long a denial is remembered, unless said otherwise.
pub(super) const REMEMBER: Duration = Duration::from_secs(1);

impl RatePolicyBuilder {
    pub(super) fn new(ground: Arc<Ground>, name: String) -> Self {
        Self {
            ground,
            name,
            limit: None,
            window: None,
            algorithm: Algorithm::default(),
            segments: None,
            burst: None,
            on_failure: OnFailure::default(),
            fleet: 1,
            shadow: false,
            remember: REMEMBER,
            timeout: None,
        }
    }

    /// How much fits into a window. 0 denies everything. Required.
    pub fn limit(mut self, limit: u64) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The window, from a millisecond to ten years; what is below a microsecond
    /// is left out. Required, here or by one of the next four.
    pub fn per(mut self, window: Duration) -> Self {
        self.window = Some(window);
        self
    }

    /// The window is a second.
    pub fn per_second(self) -> Self {
        self.per(Duration::from_secs(1))
    }

    /// The window is a minute.
    pub fn per_minute(self) -> Self {
        self.per(Duration::from_secs(60))
    }

    /// The window is an hour.
    pub fn per_hour(self) -> Self {
        self.per(Duration::from_secs(60 * 60))
    }

    /// The window is a day of 24 hours.
    pub fn per_day(self) -> Self {
        self.per(Duration::from_secs(24 * 60 * 60))
    }

    /// How calls are counted. Default: [`Algorithm::Automatic`].
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// Into how many segments [`Algorithm::Segmented`] divides the window, 1 to
    /// 100. Default: 20.
    pub fn segments(mut self, segments: u32) -> Self {
        self.segments = Some(segments);
        self
    }

    /// How much [`Algorithm::Gcra`] takes at once, 1 to the limit. Default: the
    /// limit.
    pub fn burst(mut self, burst: u64) -> Self {
        self.burst = Some(burst);
        self
    }

    /// What happens when the server cannot decide. Default:
    /// [`OnFailure::Error`].
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.on_failure = on_failure;
        self
    }

    /// Among how many processes [`OnFailure::Local`] divides the limit; each
    /// has at least 1. Default: 1, the whole limit for each process.
    pub fn fleet(mut self, processes: u32) -> Self {
        self.fleet = processes;
        self
    }

    /// On trial: calls are counted and decided on as ever, but all are allowed,
    /// and what would have been denied is marked
    /// [`shadowed`](super::Decision::shadowed). A server that is away allows, too.
    /// Default: false.
    pub fn shadow(mut self, shadow: bool) -> Self {
        self.shadow = shadow;
        self
    }

    /// For how long a denial by the server is repeated in this process without
    /// asking again, unless it would end earlier: so much later, at most, a
    /// `refund` or `reset` in another process, or a larger limit there, is
    /// seen. Zero asks each time. Default: a second.
    pub fn remember_denials(mut self, longest: Duration) -> Self {
        self.remember = longest;
        self
    }

    /// How long a check waits for the server. Default: the runtime's
    /// [`budget`](crate::Builder::budget).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The policy.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`](crate::ErrorKind::Argument): something is
    /// missing, out of range, or does not go together. The message says what to
    /// write.
    pub fn build(self) -> Result<RatePolicy, Error> {
        name::check("policy", &self.name)?;
        let missing = |what| {
            argument(format!(
                "a policy has no {what}: write `.limit(100).per_minute()`"
            ))
        };
        let limit = self.limit.ok_or_else(|| missing("limit"))?;
        let window = self.window.ok_or_else(|| missing("window"))?;
        if self.timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(argument(
                "a check has no time at all: write a `timeout` above zero",
            ));
        }
        if self.fleet == 0 {
            return Err(argument(
                "a fleet has no process: write a `fleet` of 1 or more",
            ));
        }
        let rule = Rule::new(self.algorithm, limit, window, self.segments, self.burst)?;
        let tag = name::tagged(&self.name);
        let counters = Arc::new(Counters::new(&self.name, &self.ground.figures));
        let spec = Spec {
            hash: hash(&tag, &rule),
            place: place(&tag, &rule),
            name: self.name,
            rule,
            limit,
            window,
            on_failure: self.on_failure,
            local: rule.shared_by(self.fleet),
            shadow: self.shadow,
            remember: self.remember,
            timeout: self.timeout,
            counters,
        };
        Ok(RatePolicy::new(self.ground, spec))
    }
}

impl std::fmt::Debug for RatePolicyBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RatePolicyBuilder")
            .field("name", &self.name)
            .field("limit", &self.limit)
            .field("window", &self.window)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// What finds the histories of a policy in this process. Names of policies are
/// the program's own, so that nobody chooses them.
pub(super) fn hash(name: &str, rule: &Rule) -> u64 {
    let (kind, window, grain) = rule.identity();
    let hasher = SipHasher13::new_with_keys(window, grain ^ (u64::from(u32::from(kind)) << 56));
    hasher.hash(name.as_bytes())
}

const _: () = assert!(SEGMENTS == 20, "the documentation of `segments` says so");
