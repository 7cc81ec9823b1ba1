//! Counts calls, and says when there are too many.
//!
//! `decide.rs` is the way of one check. What a history says is decided on plain
//! data, once in `exact.rs`, `segmented.rs` and `gcra.rs` for this process, and
//! once in `lua/check.lua` for a server; beside it are quicker scripts for one limit.

mod builder;
#[cfg_attr(
    not(feature = "redis"),
    allow(dead_code, reason = "for a server that is away")
)]
mod counts;
#[cfg_attr(
    not(feature = "redis"),
    allow(clippy::unused_async, reason = "a server is waited for")
)]
mod decide;
#[cfg_attr(
    not(feature = "redis"),
    allow(dead_code, reason = "for a server that is away")
)]
mod decision;
#[cfg(feature = "redis")]
mod denials;
mod exact;
mod gcra;
mod memory;
#[cfg_attr(
    not(feature = "redis"),
    allow(dead_code, reason = "for a server that is away")
)]
mod policy;
#[cfg(feature = "redis")]
mod redis;
mod rule;
mod segmented;
#[cfg(test)]
mod tests;
#[cfg(feature = "tower")]
pub(crate) mod tower;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Ground;
use crate::error::Error;
use crate::observe::{Figures, RateCounts};
pub use builder::{Algorithm, OnFailure, RatePolicyBuilder};
use decide::Call;
pub use decision::{Decision, Decisions, Source};
pub use policy::RatePolicy;
use policy::Spec;

#[doc = include_str!("../../docs/rate_limits.md")]
#[derive(Clone)]
pub struct RateLimiter {
    ground: Arc<Ground>,
}

/// What this process knows.
pub(crate) struct Memory {
    histories: memory::Histories,
    #[cfg(feature = "redis")]
    denials: denials::Denials,
    /// Of limits without a name.
    counters: Arc<counts::Counters>,
}

impl RateLimiter {
    pub(crate) fn new(ground: Arc<Ground>) -> Self {
        Self { ground }
    }

    /// Decides on a call by `id`, and counts it if it is allowed: at most
    /// `limit` in any `window`. Up to a limit of 1024 the window is exact, above
    /// it [`Algorithm::Segmented`].
    ///
    /// Calls with one id and different windows are counted apart; with
    /// different limits they are counted together, and each goes by its own.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`](crate::ErrorKind::Argument): a window below a
    /// millisecond or above ten years. Otherwise why the server did not decide:
    /// a [`policy`](Self::policy) can say what happens then.
    ///
    /// # Cancellation
    /// A call that is dropped while it waits may have been counted.
    pub async fn check(
        &self,
        id: impl AsRef<[u8]>,
        limit: u64,
        window: Duration,
    ) -> Result<Decision, Error> {
        let spec = Spec::unnamed(limit, window, &self.ground.limits.counters)?;
        let call = Call {
            cost: 1,
            counts: true,
        };
        decide::one(&self.ground, &spec, id.as_ref(), call).await
    }

    /// Describes a policy of this name, which is what its histories are found
    /// by and what stands in figures and headers.
    pub fn policy(&self, name: impl Into<String>) -> RatePolicyBuilder {
        RatePolicyBuilder::new(Arc::clone(&self.ground), name.into())
    }

    /// Decides on a call by `id` under several policies, all or nothing: it is
    /// counted under all of them, or denied and counted under none. On a server
    /// it is one script.
    ///
    /// ```
    /// # use cacheable_runtime::Runtime;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cacheable_runtime::Error> {
    /// let limiter = Runtime::embedded().rate_limiter();
    /// let burst = limiter.policy("burst").limit(2).per_second().build()?;
    /// let hourly = limiter.policy("hourly").limit(1_000).per_hour().build()?;
    ///
    /// let decisions = limiter.check_all(&[&burst, &hourly], "user:7").await?;
    /// assert!(decisions.allowed);
    /// assert_eq!(decisions.tightest().remaining, 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`RatePolicy::check`]; an error if any of the policies has
    /// [`OnFailure::Error`]. [`ErrorKind::Argument`](crate::ErrorKind::Argument):
    /// no policy, one twice, or one of another runtime.
    pub async fn check_all(
        &self,
        policies: &[&RatePolicy],
        id: impl AsRef<[u8]>,
    ) -> Result<Decisions, Error> {
        self.check_all_n(policies, id, 1).await
    }

    /// [`check_all`](Self::check_all) for a call that counts as several. A cost
    /// of 0 looks only.
    ///
    /// # Errors
    /// As `check_all`, and [`ErrorKind::Argument`](crate::ErrorKind::Argument):
    /// the cost is above one of the limits.
    pub async fn check_all_n(
        &self,
        policies: &[&RatePolicy],
        id: impl AsRef<[u8]>,
        cost: u64,
    ) -> Result<Decisions, Error> {
        let specs: Vec<&Spec> = policies.iter().map(|policy| policy.spec()).collect();
        if specs.is_empty() {
            return Err(rule::argument(
                "a call is checked under no policy: name one or more",
            ));
        }
        if !policies.iter().all(|policy| policy.is_on(&self.ground)) {
            return Err(rule::argument(
                "a policy belongs to another runtime: build it by `policy` of this limiter",
            ));
        }
        let twice = |(at, spec): (usize, &&Spec)| {
            let same = |other: &&Spec| other.hash == spec.hash && other.name == spec.name;
            specs[..at].iter().any(same)
        };
        if specs.iter().enumerate().any(twice) {
            return Err(rule::argument(
                "a call is checked under one policy twice, which would count it twice: name it \
                 once, and give policies names of their own",
            ));
        }
        let call = match cost {
            0 => Call::PEEK,
            cost => Call { cost, counts: true },
        };
        let each = decide::all(&self.ground, &specs, id.as_ref(), call).await?;
        Ok(Decisions::new(each))
    }

    /// How [`check`](Self::check) went in this process. Each policy has figures
    /// of its own: [`RatePolicy::counts`].
    pub fn counts(&self) -> RateCounts {
        self.ground.limits.counters.snapshot()
    }
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter").finish_non_exhaustive()
    }
}

impl Memory {
    pub(super) fn new(figures: &Figures) -> Self {
        Self {
            histories: memory::Histories::new(),
            #[cfg(feature = "redis")]
            denials: denials::Denials::new(),
            counters: Arc::new(counts::Counters::new("check", figures)),
        }
    }
}
