//! Findings in words.

use std::fmt;

use super::{Finding, TELLING};

/// A share as people write it.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent.fract().abs() < 0.05 {
        format!("{percent:.0} %")
    } else {
        format!("{percent:.1} %")
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away { node, why } => write!(
                f,
                "{node} could not be asked: {why}; calls run uncached until it can be"
            ),
            Self::LowHitRate {
                rate,
                reads,
                worst,
                threshold,
            } => {
                write!(
                    f,
                    "the hit rate of the cache is {} of {reads} reads, under {}",
                    percent(*rate),
                    percent(*threshold),
                )?;
                if let Some((method, misses)) = worst {
                    write!(f, "; `{method}` has {misses} of the misses")?;
                }
                f.write_str(": give it a longer `ttl`, fewer arguments in its key, or remove less")
            }
            Self::MemoryNearLimit {
                node,
                used,
                limit,
                threshold,
            } => write!(
                f,
                "{node} uses {used} of {limit} bytes ({}), over {}: raise `maxmemory`, shorten \
                 `ttl`s, or look for large keys with `Runtime::big_keys`",
                percent(*used as f64 / *limit as f64),
                percent(*threshold),
            ),
            Self::Fragmented {
                node,
                ratio,
                threshold,
            } => write!(
                f,
                "{node} takes {ratio:.2} times the memory that it uses, over {threshold:.2}: turn \
                 on `activedefrag`, or restart it when it suits"
            ),
            Self::Evictions {
                node,
                evicted,
                over,
                threshold,
            } => write!(
                f,
                "{node} has evicted {evicted} keys in {over:.0?}, over {threshold}: raise \
                 `maxmemory`, or keep locks and sessions on another server, since they go, too"
            ),
            Self::RejectedConnections {
                node,
                rejected,
                over,
                threshold,
            } => write!(
                f,
                "{node} has refused {rejected} connections in {over:.0?}, over {threshold}: raise \
                 `maxclients`, or find out who opens so many with `CLIENT LIST`"
            ),
            Self::ManyClients {
                node,
                connected,
                limit,
                threshold,
            } => write!(
                f,
                "{node} has {connected} of {limit} connections ({}), over {}: raise `maxclients`, \
                 or find out who opens so many with `CLIENT LIST`",
                percent(*connected as f64 / *limit as f64),
                percent(*threshold),
            ),
            Self::ManyTrackedKeys {
                node,
                tracked,
                limit,
                threshold,
            } => write!(
                f,
                "{node} tells of changes to {tracked} of {limit} keys ({}), over {}: raise \
                 `tracking-table-max-keys`, or write `local = false` on methods with many keys \
                 and few hits",
                percent(*tracked as f64 / *limit as f64),
                percent(*threshold),
            ),
            Self::ManyScripts {
                node,
                cached,
                threshold,
            } => write!(
                f,
                "{node} has cached {cached} scripts, over {threshold}: find who puts values into \
                 the text of scripts, and pass them as arguments"
            ),
            Self::ErrorReplies {
                node,
                code,
                count,
                over,
                threshold,
            } => {
                let known = TELLING.iter().find(|(known, _)| known == code);
                let advice = known.map_or("look at its log", |(_, advice)| advice);
                write!(
                    f,
                    "{node} has answered {count} times with {code} in {over:.0?}, over \
                     {threshold}: {advice}"
                )
            }
            Self::PersistenceFailing { node, what } => write!(
                f,
                "{node} could not write its last {what}, and may refuse writes: look at its log \
                 and the space on its disk"
            ),
            Self::ReplicaAlone { node } => write!(
                f,
                "{node} is a replica that does not hear its primary: look at the network between \
                 them"
            ),
            Self::Restarted { node } => write!(
                f,
                "{node} was started anew, or another server has its place: what was only in its \
                 memory is gone"
            ),
        }
    }
}
