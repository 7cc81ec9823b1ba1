//! A named limit.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Algorithm;
use super::builder::{OnFailure, REMEMBER, hash};
use super::counts::Counters;
use super::decide::{self, Call};
use super::decision::Decision;
use super::rule::Rule;
use crate::error::Error;
use crate::observe::RateCounts;
use crate::primitives::Ground;

/// A named limit, shared by the fleet. Cheap to clone.
///
/// ```
/// use cacheable_runtime::{OnFailure, Runtime};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cacheable_runtime::Error> {
/// let limiter = Runtime::embedded().rate_limiter();
/// let api = limiter.policy("api").limit(2).per_minute().on_failure(OnFailure::Open).build()?;
///
/// assert_eq!(api.check("user:7").await?.remaining, 1);
/// assert!(api.check("user:7").await?.allowed);
/// let denied = api.check("user:7").await?;
/// assert!(!denied.allowed && denied.retry_after.is_some());
/// assert!(api.check("user:8").await?.allowed);
/// # Ok(()) }
/// ```
///
/// An id is any text or bytes; it reaches the server as a hash. All processes
/// that name a policy alike, with the same window and algorithm, share what it
/// counts, and each goes by its own limit.
#[derive(Clone)]
pub struct RatePolicy {
    ground: Arc<Ground>,
    spec: Arc<Spec>,
}

impl RatePolicy {
    pub(super) fn new(ground: Arc<Ground>, spec: Spec) -> Self {
        Self {
            ground,
            spec: Arc::new(spec),
        }
    }

    /// Decides on a call, and counts it if it is allowed.
    ///
    /// # Errors
    /// With [`OnFailure::Error`], why the server did not decide. In any case
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict): another program
    /// keeps something else under the key, and
    /// [`ErrorKind::ShutDown`](crate::ErrorKind::ShutDown).
    ///
    /// # Cancellation
    /// A call that is dropped while it waits may have been counted.
    pub async fn check(&self, id: impl AsRef<[u8]>) -> Result<Decision, Error> {
        self.check_n(id, 1).await
    }

    /// [`check`](Self::check) for a call that counts as several; all of it fits
    /// or it is denied. A cost of 0 is a [`peek`](Self::peek).
    ///
    /// # Errors
    /// As `check`, and [`ErrorKind::Argument`](crate::ErrorKind::Argument): the
    /// cost is above the limit (or the burst), so it would never fit.
    pub async fn check_n(&self, id: impl AsRef<[u8]>, cost: u64) -> Result<Decision, Error> {
        if cost == 0 {
            return self.peek(id).await;
        }
        let call = Call { cost, counts: true };
        decide::one(&self.ground, &self.spec, id.as_ref(), call).await
    }

    /// Whether a call would be allowed now, and what remains before it. It
    /// counts and writes nothing.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub async fn peek(&self, id: impl AsRef<[u8]>) -> Result<Decision, Error> {
        decide::one(&self.ground, &self.spec, id.as_ref(), Call::PEEK).await
    }

    /// Takes back the latest `units` that were counted, such as for a call that
    /// was allowed and then could not be carried out. Returns how much it was:
    /// less where less is counted in the window that ends now.
    ///
    /// What came before stays as it is, so the next units come back when they
    /// would have.
    ///
    /// # Errors
    /// Why the server could not do it; there is no [`OnFailure`] for this.
    pub async fn refund(&self, id: impl AsRef<[u8]>, units: u64) -> Result<u64, Error> {
        decide::refund(&self.ground, &self.spec, id.as_ref(), units).await
    }

    /// Forgets all that was counted for this id, and whatever else is there
    /// under its key. Returns whether there was something.
    ///
    /// # Errors
    /// Why the server could not do it; there is no [`OnFailure`] for this.
    pub async fn reset(&self, id: impl AsRef<[u8]>) -> Result<bool, Error> {
        decide::reset(&self.ground, &self.spec, id.as_ref()).await
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// How much fits into a window.
    pub fn limit(&self) -> u64 {
        self.spec.limit
    }

    /// The window.
    pub fn window(&self) -> Duration {
        self.spec.window
    }

    /// How checks went in this process.
    pub fn counts(&self) -> RateCounts {
        self.spec.counters.snapshot()
    }

    pub(super) fn spec(&self) -> &Spec {
        &self.spec
    }

    pub(super) fn is_on(&self, ground: &Arc<Ground>) -> bool {
        Arc::ptr_eq(&self.ground, ground)
    }
}

impl fmt::Debug for RatePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RatePolicy")
            .field("name", &self.spec.name)
            .field("limit", &self.spec.limit)
            .field("window", &self.spec.window)
            .field("on_failure", &self.spec.on_failure)
            .field("shadow", &self.spec.shadow)
            .finish_non_exhaustive()
    }
}

/// A policy, checked.
pub(super) struct Spec {
    /// What stands in a key behind the id. No two policies that must not share
    /// have the same: the name is last, and what stands before has no end that
    /// a name could move.
    pub(super) place: String,
    /// As it was given.
    pub(super) name: String,
    pub(super) rule: Rule,
    /// As it was given.
    pub(super) limit: u64,
    pub(super) window: Duration,
    pub(super) on_failure: OnFailure,
    /// For [`OnFailure::Local`].
    pub(super) local: Rule,
    pub(super) shadow: bool,
    pub(super) remember: Duration,
    /// `None`: the runtime's.
    pub(super) timeout: Option<Duration>,
    /// Finds its histories in this process.
    pub(super) hash: u64,
    pub(super) counters: Arc<Counters>,
}

impl Spec {
    /// A limit without a name.
    pub(super) fn unnamed(
        limit: u64,
        window: Duration,
        counters: &Arc<Counters>,
    ) -> Result<Self, Error> {
        let rule = Rule::new(Algorithm::Automatic, limit, window, None, None)?;
        Ok(Self {
            place: place("", &rule),
            name: String::new(),
            rule,
            limit,
            window,
            on_failure: OnFailure::Error,
            local: rule,
            shadow: false,
            remember: REMEMBER,
            timeout: None,
            hash: hash("", &rule),
            counters: Arc::clone(counters),
        })
    }
}

/// See [`Spec::place`].
pub(super) fn place(tag: &str, rule: &Rule) -> String {
    let (kind, window, grain) = rule.identity();
    format!("{kind}{window}.{grain}:{tag}")
}
