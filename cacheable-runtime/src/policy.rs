//! How an entry is kept: plain data and pure functions over it.

use std::time::Duration;

use crate::codec::CodecChoice;

/// How one method's, or one call's, entries are kept.
///
/// ```
/// use cacheable_runtime::Policy;
/// use std::time::Duration;
///
/// let policy = Policy::new(Duration::from_secs(3600)).jitter(0.1);
/// # let _ = policy;
/// ```
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) rules: Rules,
    pub(crate) tags: Vec<String>,
}

/// A policy without its tags, which is what a method's static holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) ttl: Duration,
    pub(crate) none_ttl: Option<Duration>,
    pub(crate) jitter: f64,
    pub(crate) local: bool,
    pub(crate) local_ttl: Option<Duration>,
    pub(crate) codec: CodecChoice,
    pub(crate) schema: u64,
    pub(crate) stale_while_revalidate: Duration,
    pub(crate) stale_if_error: Duration,
    pub(crate) retry_after: Duration,
    pub(crate) early: Early,
    pub(crate) load_timeout: Option<Duration>,
}

/// When a hit refreshes an entry that is still fresh.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Early {
    Never,
    /// Later than this share of the life.
    Ahead(f64),
    /// With a chance that grows towards the end: `XFetch` with this beta.
    Chance(f64),
}

/// How long a source whose load failed is left alone while a stale value can
/// stand in.
const DEFAULT_RETRY: Duration = Duration::from_secs(30);

/// Shortens lives by up to this share unless told otherwise, so that entries
/// written together do not expire together.
const DEFAULT_JITTER: f64 = 0.05;

impl Policy {
    /// Entries live for `ttl`, less the jitter. A `ttl` below one millisecond
    /// stores nothing.
    pub const fn new(ttl: Duration) -> Self {
        Self {
            rules: Rules::new(ttl),
            tags: Vec::new(),
        }
    }

    /// Also keeps a loaded `None`, for this long. Default: `None` is not kept.
    pub const fn none_ttl(mut self, ttl: Duration) -> Self {
        self.rules.none_ttl = Some(ttl);
        self
    }

    /// Shortens each life by a random share of it, at most this. Values
    /// outside `0.0..=1.0` are drawn to the nearer end. Default: 0.05.
    pub const fn jitter(mut self, share: f64) -> Self {
        self.rules = self.rules.jitter(share);
        self
    }

    /// For this long after its `ttl`, a value is still answered with, at once,
    /// while one caller in the fleet refreshes it. Default: zero, off.
    pub const fn stale_while_revalidate(mut self, window: Duration) -> Self {
        self.rules.stale_while_revalidate = window;
        self
    }

    /// For this long after its `ttl`, a value is answered with when its load
    /// fails, instead of the error. Default: zero, off.
    pub const fn stale_if_error(mut self, window: Duration) -> Self {
        self.rules.stale_if_error = window;
        self
    }

    /// How long a source whose load failed is not asked again while a stale
    /// value can stand in. Default: 30 s.
    pub const fn retry_after(mut self, pause: Duration) -> Self {
        self.rules.retry_after = pause;
        self
    }

    /// A hit later than this share of the `ttl` lets one caller refresh the
    /// value. Values outside `0.0..=1.0` are drawn to the nearer end; 1.0 is
    /// never. Takes the place of [`beta`](Self::beta). Default: off.
    pub const fn refresh_ahead(mut self, share: f64) -> Self {
        self.rules = self.rules.refresh_ahead(share);
        self
    }

    /// Refreshes early by chance, the likelier the nearer the end of the `ttl`
    /// and the longer the last load took (`XFetch`: Vattani, Chierichetti and
    /// Lowenstein, *Optimal Probabilistic Cache Stampede Prevention*, 2015).
    /// 1.0 is what they recommend, more is earlier. Takes the place of
    /// [`refresh_ahead`](Self::refresh_ahead). Default: off.
    pub const fn beta(mut self, beta: f64) -> Self {
        self.rules = self.rules.beta(beta);
        self
    }

    /// A name that the entry can be removed by; several are several calls.
    ///
    /// ```
    /// use cacheable_runtime::Policy;
    /// use std::time::Duration;
    ///
    /// let policy = Policy::new(Duration::from_secs(60)).tag("team:7").tag("region:eu");
    /// # let _ = policy;
    /// ```
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// The longest life at level 1, in this process. Default: as long as in
    /// the store.
    pub const fn local_ttl(mut self, ttl: Duration) -> Self {
        self.rules.local_ttl = Some(ttl);
        self
    }

    /// Whether values are kept at level 1, in this process. Default: yes.
    pub const fn local(mut self, local: bool) -> Self {
        self.rules.local = local;
        self
    }

    /// Which bytes values become. Default: [`CodecChoice::Auto`].
    pub const fn codec(mut self, codec: CodecChoice) -> Self {
        self.rules.codec = codec;
        self
    }

    /// A number mixed into the fingerprint of the type: raise it when values
    /// change their meaning but not their shape. Default: 0.
    pub const fn schema(mut self, schema: u64) -> Self {
        self.rules.schema = schema;
        self
    }
}

impl Rules {
    pub(crate) const fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            none_ttl: None,
            jitter: DEFAULT_JITTER,
            local: true,
            local_ttl: None,
            codec: CodecChoice::Auto,
            schema: 0,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            retry_after: DEFAULT_RETRY,
            early: Early::Never,
            load_timeout: None,
        }
    }

    /// How long after its `ttl` a value may be of use.
    pub(crate) fn beyond(&self) -> Duration {
        self.stale_while_revalidate.max(self.stale_if_error)
    }

    pub(crate) const fn jitter(mut self, share: f64) -> Self {
        self.jitter = within_one(share);
        self
    }

    pub(crate) const fn refresh_ahead(mut self, share: f64) -> Self {
        self.early = Early::Ahead(within_one(share));
        self
    }

    pub(crate) const fn beta(mut self, beta: f64) -> Self {
        self.early = Early::Chance(if beta > 0.0 { beta } else { 0.0 });
        self
    }
}

/// The nearer end for what is outside `0.0..=1.0`; NaN is 0.
const fn within_one(share: f64) -> f64 {
    if share >= 0.0 && share <= 1.0 {
        share
    } else if share > 1.0 {
        1.0
    } else {
        0.0
    }
}

/// The life of an entry written now: `ttl` less a random share of it, never
/// more than `ttl`, in whole milliseconds. `None` when nothing is left to
/// store.
pub(crate) fn life(ttl: Duration, jitter: f64, random: u64) -> Option<Duration> {
    let share = jitter * (random as f64 / u64::MAX as f64);
    // Saturates, and both factors are at least zero.
    #[allow(clippy::cast_sign_loss, reason = "neither factor is negative")]
    let millis = (ttl.as_millis() as f64 * (1.0 - share)) as u64;
    // A life that jitter alone brings to nothing is still one millisecond.
    let floor = u64::from(ttl.as_millis() > 0);
    match millis.max(floor) {
        0 => None,
        millis => Some(Duration::from_millis(millis.min(LONGEST_LIFE))),
    }
}

/// A hundred years, in milliseconds: servers refuse expiries that overflow.
const LONGEST_LIFE: u64 = 100 * 365 * 24 * 60 * 60 * 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_shortens_within_its_share_and_never_lengthens() {
        let ttl = Duration::from_secs(100);
        for step in 0..=100u64 {
            let random = u64::MAX / 100 * step;
            let life = life(ttl, 0.1, random).unwrap();
            assert!(life <= ttl && life >= Duration::from_secs(90), "{life:?}");
        }
        assert_eq!(life(ttl, 0.0, u64::MAX), Some(ttl));
    }

    #[test]
    fn a_life_of_nothing_stores_nothing_and_an_endless_one_is_capped() {
        assert_eq!(life(Duration::ZERO, 0.0, 0), None);
        assert_eq!(life(Duration::from_micros(10), 0.0, 0), None);
        assert!(life(Duration::MAX, 0.5, 7).unwrap().as_millis() <= u128::from(LONGEST_LIFE));
        assert_eq!(
            life(Duration::from_millis(1), 1.0, u64::MAX),
            Some(Duration::from_millis(1))
        );
    }
}
