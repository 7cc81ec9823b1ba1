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
    pub(crate) ttl: Duration,
    pub(crate) none_ttl: Option<Duration>,
    pub(crate) jitter: f64,
    pub(crate) local: bool,
    pub(crate) local_ttl: Option<Duration>,
    pub(crate) codec: CodecChoice,
    pub(crate) schema: u64,
}

/// Shortens lives by up to this share unless told otherwise, so that entries
/// written together do not expire together.
const DEFAULT_JITTER: f64 = 0.05;

impl Policy {
    /// Entries live for `ttl`, less the jitter. A `ttl` below one millisecond
    /// stores nothing.
    pub const fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            none_ttl: None,
            jitter: DEFAULT_JITTER,
            local: true,
            local_ttl: None,
            codec: CodecChoice::Auto,
            schema: 0,
        }
    }

    /// Also keeps a loaded `None`, for this long. Default: `None` is not kept.
    pub const fn none_ttl(mut self, ttl: Duration) -> Self {
        self.none_ttl = Some(ttl);
        self
    }

    /// Shortens each life by a random share of it, at most this. Values
    /// outside `0.0..=1.0` are drawn to the nearer end. Default: 0.05.
    pub const fn jitter(mut self, share: f64) -> Self {
        self.jitter = if share >= 0.0 && share <= 1.0 {
            share
        } else if share > 1.0 {
            1.0
        } else {
            0.0
        };
        self
    }

    /// Which bytes values become. Default: [`CodecChoice::Auto`].
    pub const fn codec(mut self, codec: CodecChoice) -> Self {
        self.codec = codec;
        self
    }

    /// A number mixed into the fingerprint of the type: raise it when values
    /// change their meaning but not their shape. Default: 0.
    pub const fn schema(mut self, schema: u64) -> Self {
        self.schema = schema;
        self
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
