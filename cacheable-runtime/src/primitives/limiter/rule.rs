//! What a limit is, in the numbers that decisions are made of.

use std::time::Duration;

use super::Algorithm;
use crate::error::{Error, ErrorKind};

/// A limit, checked. Times are in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) kind: Kind,
    /// How much fits at once.
    pub(super) capacity: u64,
    pub(super) window: u64,
    /// The length of a segment, or the time in which one unit comes back;
    /// nothing in an exact history.
    pub(super) grain: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Exact,
    Segmented,
    Gcra,
}

/// What a history says of a call, in microseconds from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) fits: bool,
    pub(super) remaining: u64,
    /// Until the call fits, where it does not; until the next unit comes back,
    /// where it does.
    pub(super) reset: u64,
    /// Until all is back.
    pub(super) full: u64,
}

/// An exact history keeps each call, so it is for limits up to this.
pub(super) const LARGEST_EXACT: u64 = 1 << 20;

/// Up to this limit, [`Algorithm::Automatic`] is [`Algorithm::Exact`].
pub(super) const AUTOMATIC_EXACT: u64 = 1024;

/// Numbers of Lua are exact up to here.
const LARGEST: u64 = (1 << 53) - 1;

const SHORTEST_WINDOW: Duration = Duration::from_millis(1);

/// Ten years of 366 days.
const LONGEST_WINDOW: Duration = Duration::from_secs(3660 * 24 * 60 * 60);

/// Into how many segments a window is divided, unless said otherwise.
pub(super) const SEGMENTS: u32 = 20;

/// On a server each check reads the counts of all of them.
const MOST_SEGMENTS: u32 = 100;

impl Rule {
    /// `burst`: for [`Algorithm::Gcra`]; `segments`: for
    /// [`Algorithm::Segmented`].
    pub(super) fn new(
        algorithm: Algorithm,
        limit: u64,
        window: Duration,
        segments: Option<u32>,
        burst: Option<u64>,
    ) -> Result<Self, Error> {
        if window < SHORTEST_WINDOW || window > LONGEST_WINDOW {
            return Err(argument(format!(
                "the window of a limit is {window:?}: write one from a millisecond to ten years"
            )));
        }
        let kind = match algorithm {
            Algorithm::Exact => Kind::Exact,
            Algorithm::Gcra => Kind::Gcra,
            Algorithm::Automatic if limit <= AUTOMATIC_EXACT && segments.is_none() => Kind::Exact,
            Algorithm::Automatic | Algorithm::Segmented => Kind::Segmented,
        };
        if kind == Kind::Exact && limit > LARGEST_EXACT {
            return Err(argument(format!(
                "a limit of {limit} is too large to keep each call: write \
                 `.algorithm(Algorithm::Segmented)`"
            )));
        }
        if segments.is_some() && kind != Kind::Segmented {
            return Err(argument(
                "`segments` divide the window of `Algorithm::Segmented`: leave it out",
            ));
        }
        if burst.is_some() && kind != Kind::Gcra {
            return Err(argument(
                "`burst` belongs to `Algorithm::Gcra`: leave it out",
            ));
        }
        // It fits: ten years of microseconds are less than 2^49.
        let window = window.as_micros() as u64;
        Ok(match kind {
            Kind::Exact => Self {
                kind,
                capacity: limit,
                window,
                grain: 0,
            },
            Kind::Segmented => Self::segmented(limit, window, segments.unwrap_or(SEGMENTS))?,
            Kind::Gcra => Self::gcra(limit, window, burst)?,
        })
    }

    fn segmented(limit: u64, window: u64, segments: u32) -> Result<Self, Error> {
        if !(1..=MOST_SEGMENTS).contains(&segments) {
            return Err(argument(format!(
                "a window has {segments} segments: write 1 to {MOST_SEGMENTS}"
            )));
        }
        Ok(Self {
            kind: Kind::Segmented,
            capacity: limit.min(LARGEST),
            window,
            grain: window.div_ceil(u64::from(segments)),
        })
    }

    fn gcra(limit: u64, window: u64, burst: Option<u64>) -> Result<Self, Error> {
        if burst.is_some_and(|burst| burst > limit || (burst == 0 && limit > 0)) {
            return Err(argument(
                "the burst of a limit is at least 1 and at most the limit: write such a `burst`",
            ));
        }
        // One unit in a microsecond is as fast as it goes.
        let rate = limit.min(window);
        Ok(Self {
            kind: Kind::Gcra,
            capacity: burst.unwrap_or(limit).min(rate),
            window,
            grain: window.div_ceil(rate.max(1)),
        })
    }

    /// Refuses what could never be allowed.
    pub(super) fn check_cost(&self, cost: u64) -> Result<(), Error> {
        // A limit of 0 denies everything, and that is no mistake.
        if cost > self.capacity && self.capacity > 0 {
            return Err(argument(format!(
                "a call that costs {cost} never fits into {}: write a smaller cost or a larger \
                 limit",
                self.capacity
            )));
        }
        Ok(())
    }

    /// The part that one of so many processes may use.
    pub(super) fn shared_by(&self, fleet: u32) -> Self {
        let fleet = u64::from(fleet.max(1));
        if self.capacity == 0 {
            return *self;
        }
        let capacity = (self.capacity / fleet).max(1);
        let grain = match self.kind {
            Kind::Gcra => self.grain.saturating_mul(fleet).min(self.window),
            Kind::Exact | Kind::Segmented => self.grain,
        };
        Self {
            capacity,
            grain,
            ..*self
        }
    }

    /// What tells one history of a name from another, and how it is read: a log,
    /// counts, or a time. A shorter window would forget what a longer one has to remember, so they
    /// do not share; the limit may change.
    pub(super) fn identity(&self) -> (char, u64, u64) {
        match self.kind {
            Kind::Exact => ('l', self.window, 0),
            Kind::Segmented => ('c', self.window, self.grain),
            Kind::Gcra => ('t', self.window, 0),
        }
    }
}

pub(super) fn argument(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Argument, message)
}
