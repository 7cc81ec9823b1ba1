//! One sample.

use std::fmt;
use std::time::{Duration, SystemTime};

use super::changes::{Reset, ServerChanges};
use super::server::ServerStats;
use super::slow::SlowLog;
use crate::error::Error;
use crate::observe::{LockCounts, MessageCounts, Observation, RateCounts, SessionCounts};

/// How the cache and its servers are doing, at one moment.
///
/// See [`Runtime::stats`](crate::Runtime::stats) and [`Monitor`](super::Monitor).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// When it was taken, by the clock that the cache goes by.
    pub taken_at: SystemTime,
    /// How long after the sample before it; `None` for the first of a monitor,
    /// and for one without a monitor.
    pub interval: Option<Duration>,
    /// What this process did.
    pub cache: CacheStats,
    /// What this process's locks did.
    pub locks: Tally<LockCounts>,
    /// How its checks of rate limits went, of all policies together;
    /// [`RatePolicy::counts`](crate::RatePolicy::counts) has those of one.
    pub limits: Tally<RateCounts>,
    /// How its calls about sessions went.
    pub sessions: Tally<SessionCounts>,
    /// What it has published and heard.
    pub messages: Tally<MessageCounts>,
    /// Each server: one, or the primaries of a cluster. None with the embedded
    /// store.
    pub nodes: Vec<NodeStats>,
}

/// What the cache did in this process.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CacheStats {
    /// Since the runtime was built.
    pub since_start: Observation,
    /// In the interval; `None` without one.
    pub recent: Option<Observation>,
    /// Values at level 1.
    pub local_entries: usize,
    /// What they weigh in bytes, as [`local_capacity`](crate::Builder::local_capacity) counts.
    pub local_bytes: u64,
}

/// What was counted in this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally<T> {
    /// Since the runtime was built.
    pub since_start: T,
    /// In the interval; `None` without one.
    pub recent: Option<T>,
}

/// One server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NodeStats {
    /// Its address, without secrets.
    pub address: String,
    /// What it says of itself.
    pub server: Result<ServerStats, Unavailable>,
    /// What happened since the last sample that found it; `None` without one,
    /// and when its counters began anew.
    pub changes: Option<ServerChanges>,
    /// Its counters began anew since the last sample that found it.
    pub reset: Option<Reset>,
    /// What took it long.
    pub slow_log: Result<SlowLog, Unavailable>,
}

/// Why a part of a sample is missing.
#[derive(Clone)]
pub struct Unavailable {
    code: Option<String>,
    error: Error,
}

impl Stats {
    /// How many of the reads of cached methods and of
    /// [`Cache`](crate::Cache) were answered with what was kept, from 0 to 1:
    /// in the interval, or without one since the runtime was built. `None`
    /// without reads.
    ///
    /// It counts what this process asked its cache. Locks, limits and sessions
    /// have no part in it, nor have other programs on the same server.
    pub fn hit_rate(&self) -> Option<f64> {
        self.cache.hit_rate()
    }

    /// All servers as one: sums where sums make sense. Of a cluster, those
    /// that were found. `None`: there are none.
    pub fn server(&self) -> Option<ServerStats> {
        ServerStats::together(
            self.nodes
                .iter()
                .filter_map(|node| node.server.as_ref().ok()),
        )
    }

    /// What happened on all servers since the sample before. `None`: nothing
    /// is known.
    pub fn changes(&self) -> Option<ServerChanges> {
        ServerChanges::together(self.nodes.iter().filter_map(|node| node.changes.as_ref()))
    }

    /// Whether every server was found. The embedded store always is.
    pub fn is_available(&self) -> bool {
        self.nodes.iter().all(NodeStats::is_available)
    }
}

impl CacheStats {
    /// See [`Stats::hit_rate`].
    pub fn hit_rate(&self) -> Option<f64> {
        self.counted().total().hit_rate()
    }

    /// What happened in the interval, or without one since the runtime was
    /// built.
    pub fn counted(&self) -> &Observation {
        self.recent.as_ref().unwrap_or(&self.since_start)
    }
}

impl<T> Tally<T> {
    pub(super) fn new(since_start: T, recent: Option<T>) -> Self {
        Self {
            since_start,
            recent,
        }
    }

    /// What happened in the interval, or without one since the runtime was
    /// built.
    pub fn counted(&self) -> &T {
        self.recent.as_ref().unwrap_or(&self.since_start)
    }
}

impl NodeStats {
    /// Whether it was found. One that was found may still refuse to tell.
    pub fn is_available(&self) -> bool {
        let gone = |why: &Unavailable| why.code.is_none();
        !self.server.as_ref().is_err_and(gone)
    }

    /// One that was not found.
    #[cfg(feature = "redis")]
    pub(super) fn away(address: String, error: &Error) -> Self {
        let away = Unavailable::away(error.clone());
        Self {
            address,
            server: Err(away.clone()),
            changes: None,
            reset: None,
            slow_log: Err(away),
        }
    }
}

impl Unavailable {
    /// The server could not be asked.
    pub(super) fn away(error: Error) -> Self {
        Self { code: None, error }
    }

    /// The server has answered with an error.
    #[cfg(feature = "redis")]
    pub(super) fn refused(code: &str, error: Error) -> Self {
        Self {
            code: Some(code.to_owned()),
            error,
        }
    }

    /// What the server answered with, such as `NOPERM`; `None` if it could not
    /// be asked.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Why it is missing, and what to do about it.
    pub fn error(&self) -> &Error {
        &self.error
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl fmt::Debug for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unavailable")
            .field("code", &self.code)
            .field("error", &self.error)
            .finish()
    }
}

impl std::error::Error for Unavailable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}
