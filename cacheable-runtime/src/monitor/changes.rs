//! What happened on a server between two samples.

use std::collections::BTreeMap;
use std::time::Duration;

use super::server::{CommandStats, ServerCounters, ServerStats, merged};

/// What happened on a server between two samples, or on several together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerChanges {
    /// How long it took: more than the interval of the monitor when samples
    /// before this one found nobody.
    pub over: Duration,
    /// By how much the counters grew.
    pub counters: ServerCounters,
    /// Commands that ran meanwhile. No percentiles, which the server keeps
    /// since it started.
    pub commands: BTreeMap<String, CommandStats>,
    /// Errors that were answered meanwhile, per code.
    pub errors: BTreeMap<String, u64>,
}

/// Why nothing is known of what happened between two samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reset {
    /// The server has been started anew, or is another one.
    Restarted,
    /// Its counters began anew: `CONFIG RESETSTAT`.
    Counters,
}

impl ServerChanges {
    /// So many in a second; `None` if the number is not known or no time has
    /// passed.
    ///
    /// ```
    /// # use cacheable_runtime::ServerChanges;
    /// # use std::time::Duration;
    /// let mut changes = ServerChanges::default();
    /// changes.over = Duration::from_secs(10);
    /// changes.counters.commands = Some(50);
    /// assert_eq!(changes.per_second(changes.counters.commands), Some(5.0));
    /// ```
    pub fn per_second(&self, count: Option<u64>) -> Option<f64> {
        let seconds = self.over.as_secs_f64();
        (seconds > 0.0).then_some(count? as f64 / seconds)
    }

    /// Of the keys that any program looked up, for whatever purpose, how many
    /// were there; `None` without look-ups. See [`Stats::hit_rate`](super::Stats::hit_rate)
    /// for that of the cache.
    pub fn hit_rate(&self) -> Option<f64> {
        let (hits, misses) = (self.counters.hits?, self.counters.misses?);
        let reads = hits.saturating_add(misses);
        (reads > 0).then(|| hits as f64 / reads as f64)
    }

    /// What happened between two samples of one address, `over` apart.
    pub(super) fn between(
        earlier: &ServerStats,
        now: &ServerStats,
        over: Duration,
    ) -> Result<Self, Reset> {
        if let Some(reset) = reset(earlier, now) {
            return Err(reset);
        }
        let commands = now.commands.iter().map(|(name, stats)| {
            let before = earlier.commands.get(name).copied().unwrap_or(CommandStats {
                rejected: Some(0),
                failed: Some(0),
                ..CommandStats::default()
            });
            (name.clone(), stats.since(before))
        });
        let errors = now.errors.iter().map(|(code, count)| {
            let before = earlier.errors.get(code).copied().unwrap_or(0);
            (code.clone(), count.saturating_sub(before))
        });
        Ok(Self {
            over,
            counters: now.counters.since(earlier.counters),
            commands: commands
                .filter(|(_, stats)| {
                    let did = |count: Option<u64>| count.is_some_and(|count| count > 0);
                    stats.calls > 0 || did(stats.rejected) || did(stats.failed)
                })
                .collect(),
            errors: errors.filter(|(_, count)| *count > 0).collect(),
        })
    }

    /// Several as one. `None` of none.
    pub(super) fn together<'a>(changes: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let mut changes = changes.into_iter();
        let first = changes.next()?.clone();
        Some(changes.fold(first, |sum, changes| Self {
            over: sum.over.max(changes.over),
            counters: sum.counters.plus(changes.counters),
            commands: merged(sum.commands, &changes.commands, CommandStats::plus),
            errors: merged(sum.errors, &changes.errors, u64::saturating_add),
        }))
    }
}

/// What ended the counters of `earlier`, if anything did. All of them begin
/// anew together, so one that fell, or a command that is not known any more,
/// voids the others, though they may have grown past what they were.
fn reset(earlier: &ServerStats, now: &ServerStats) -> Option<Reset> {
    if let (Some(before), Some(after)) = (&earlier.run_id, &now.run_id)
        && before != after
    {
        return Some(Reset::Restarted);
    }
    if let (Some(before), Some(after)) = (earlier.uptime, now.uptime)
        && after < before
    {
        return Some(Reset::Restarted);
    }
    let commands = || {
        earlier.commands.iter().any(|(name, before)| {
            let after = now.commands.get(name).copied().unwrap_or_default();
            after.fell_since(*before)
        })
    };
    let errors = || {
        earlier.errors.iter().any(|(code, before)| {
            let after = now.errors.get(code).copied().unwrap_or(0);
            after < *before
        })
    };
    // A section that is missing altogether is not told, rather than empty.
    let fell = now.counters.fell_since(earlier.counters)
        || (!now.commands.is_empty() && commands())
        || (!now.errors.is_empty() && errors());
    fell.then_some(Reset::Counters)
}
