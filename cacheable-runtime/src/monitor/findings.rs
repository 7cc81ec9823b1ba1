//! What a sample says is wrong, and what to do about it.

use std::fmt;
use std::time::Duration;

use super::changes::{Reset, ServerChanges};
use super::server::{MemoryLimit, ServerStats};
use super::stats::{CacheStats, NodeStats, Stats};

/// Something that an operator should know. Its `Display` is a sentence with
/// the figure, the threshold and what to do.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Finding {
    /// A server could not be asked.
    #[non_exhaustive]
    Away {
        /// Its address.
        node: String,
        /// Why.
        why: String,
    },
    /// Few reads of the cache are answered with what was kept.
    #[non_exhaustive]
    LowHitRate {
        /// From 0 to 1.
        rate: f64,
        /// Of so many reads.
        reads: u64,
        /// The method with most of the misses, and how many.
        worst: Option<(String, u64)>,
        /// What it should be at least.
        threshold: f64,
    },
    /// The memory that a server may use is nearly full.
    #[non_exhaustive]
    MemoryNearLimit {
        /// The server.
        node: String,
        /// In bytes.
        used: u64,
        /// In bytes.
        limit: u64,
        /// What share of the limit may be used.
        threshold: f64,
    },
    /// Much of a server's memory is lost between its values.
    #[non_exhaustive]
    Fragmented {
        /// The server.
        node: String,
        /// How much more it takes than it uses.
        ratio: f64,
        /// How much it may be.
        threshold: f64,
    },
    /// Keys were removed for want of memory.
    #[non_exhaustive]
    Evictions {
        /// The server.
        node: String,
        /// How many keys.
        evicted: u64,
        /// In this time.
        over: Duration,
        /// How many there may be.
        threshold: u64,
    },
    /// Connections were refused because there were too many.
    #[non_exhaustive]
    RejectedConnections {
        /// The server.
        node: String,
        /// How many were.
        rejected: u64,
        /// In this time.
        over: Duration,
        /// How many may be.
        threshold: u64,
    },
    /// Nearly as many connections as there may be.
    #[non_exhaustive]
    ManyClients {
        /// The server.
        node: String,
        /// How many there are.
        connected: u64,
        /// How many there may be.
        limit: u64,
        /// What share of the limit may be used.
        threshold: f64,
    },
    /// So many scripts are cached that somebody must be putting values into
    /// their text.
    #[non_exhaustive]
    ManyScripts {
        /// The server.
        node: String,
        /// How many are cached.
        cached: u64,
        /// How many may be.
        threshold: u64,
    },
    /// A server cannot write its data to disk.
    #[non_exhaustive]
    PersistenceFailing {
        /// The server.
        node: String,
        /// What it cannot write: `snapshot` or `append-only file`.
        what: &'static str,
    },
    /// A replica does not hear its primary.
    #[non_exhaustive]
    ReplicaAlone {
        /// The server.
        node: String,
    },
    /// A server was started anew, or another one has its place.
    #[non_exhaustive]
    Restarted {
        /// The server.
        node: String,
    },
}

/// From where on something is a [`Finding`].
///
/// ```
/// use cacheable_runtime::{Runtime, Thresholds};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cacheable_runtime::Error> {
/// let strict = Thresholds::default().hit_rate(0.95).memory(0.7);
/// let stats = Runtime::embedded().stats().await?;
/// assert!(stats.findings_by(&strict).is_empty());
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    memory: f64,
    fragmentation: f64,
    hit_rate: f64,
    least_reads: u64,
    evictions: u64,
    rejected_connections: u64,
    clients: f64,
    scripts: u64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            memory: 0.8,
            fragmentation: 1.5,
            hit_rate: 0.8,
            least_reads: 100,
            evictions: 0,
            rejected_connections: 0,
            clients: 0.8,
            scripts: 1_000,
        }
    }
}

impl Thresholds {
    /// What share of its limit a server's memory may take. A server without a
    /// limit has none to be near to. Default: 0.8.
    pub fn memory(mut self, share: f64) -> Self {
        self.memory = share;
        self
    }

    /// How much more memory than it uses a server may take. Under 100 MiB in
    /// use it says nothing. Default: 1.5.
    pub fn fragmentation(mut self, ratio: f64) -> Self {
        self.fragmentation = ratio;
        self
    }

    /// What share of the reads must be hits. Default: 0.8.
    pub fn hit_rate(mut self, share: f64) -> Self {
        self.hit_rate = share;
        self
    }

    /// Of how many reads a hit rate says something. Default: 100.
    pub fn least_reads(mut self, reads: u64) -> Self {
        self.least_reads = reads;
        self
    }

    /// How many keys may be evicted from one sample to the next. A cache that
    /// is meant to fill its memory evicts all the time. Default: 0.
    pub fn evictions(mut self, keys: u64) -> Self {
        self.evictions = keys;
        self
    }

    /// How many connections may be refused from one sample to the next.
    /// Default: 0.
    pub fn rejected_connections(mut self, connections: u64) -> Self {
        self.rejected_connections = connections;
        self
    }

    /// What share of the connections that a server takes may be there.
    /// Default: 0.8.
    pub fn clients(mut self, share: f64) -> Self {
        self.clients = share;
        self
    }

    /// How many scripts may be cached. Default: 1 000.
    pub fn scripts(mut self, scripts: u64) -> Self {
        self.scripts = scripts;
        self
    }
}

impl Stats {
    /// What is wrong by the default [`Thresholds`].
    ///
    /// Evictions, refused connections and restarts are found from one sample
    /// to the next, so only by a [`Monitor`](super::Monitor).
    pub fn findings(&self) -> Vec<Finding> {
        self.findings_by(&Thresholds::default())
    }

    /// What is wrong by these thresholds.
    pub fn findings_by(&self, thresholds: &Thresholds) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(of_cache(&self.cache, thresholds));
        for node in &self.nodes {
            of_node(node, thresholds, &mut findings);
        }
        findings
    }
}

fn of_cache(cache: &CacheStats, thresholds: &Thresholds) -> Option<Finding> {
    let counts = cache.counted().total();
    let rate = counts.hit_rate()?;
    if counts.reads() < thresholds.least_reads || rate >= thresholds.hit_rate {
        return None;
    }
    let methods = cache.counted().iter();
    let worst = methods.max_by_key(|(_, counts)| counts.misses);
    Some(Finding::LowHitRate {
        rate,
        reads: counts.reads(),
        worst: worst.map(|(label, counts)| (label.to_owned(), counts.misses)),
        threshold: thresholds.hit_rate,
    })
}

fn of_node(node: &NodeStats, thresholds: &Thresholds, findings: &mut Vec<Finding>) {
    let name = &node.address;
    if !node.is_available() {
        findings.extend(node.server.as_ref().err().map(|why| Finding::Away {
            node: name.clone(),
            why: why.to_string(),
        }));
    }
    if node.reset == Some(Reset::Restarted) {
        findings.push(Finding::Restarted { node: name.clone() });
    }
    if let Ok(server) = &node.server {
        of_server(name, server, thresholds, findings);
    }
    if let Some(changes) = &node.changes {
        of_changes(name, changes, thresholds, findings);
    }
}

fn of_server(
    name: &str,
    server: &ServerStats,
    thresholds: &Thresholds,
    findings: &mut Vec<Finding>,
) {
    let node = || name.to_owned();
    let memory = &server.memory;
    if let (Some(used), Some(MemoryLimit::Bytes(limit)), Some(share)) =
        (memory.used, memory.limit, memory.fraction_used())
        && share > thresholds.memory
    {
        findings.push(Finding::MemoryNearLimit {
            node: node(),
            used,
            limit,
            threshold: thresholds.memory,
        });
    }
    if let Some(ratio) = memory.fragmentation
        && ratio > thresholds.fragmentation
    {
        findings.push(Finding::Fragmented {
            node: node(),
            ratio,
            threshold: thresholds.fragmentation,
        });
    }
    if let (Some(connected), Some(limit)) = (server.clients.connected, server.clients.limit)
        && limit > 0
        && connected as f64 / limit as f64 > thresholds.clients
    {
        findings.push(Finding::ManyClients {
            node: node(),
            connected,
            limit,
            threshold: thresholds.clients,
        });
    }
    if let Some(cached) = memory.cached_scripts
        && cached > thresholds.scripts
    {
        findings.push(Finding::ManyScripts {
            node: node(),
            cached,
            threshold: thresholds.scripts,
        });
    }
    let persistence = &server.persistence;
    for (failed, what) in [
        (persistence.snapshot_failed, "snapshot"),
        (persistence.log_failed, "append-only file"),
    ] {
        if failed == Some(true) {
            findings.push(Finding::PersistenceFailing { node: node(), what });
        }
    }
    if server.replication.replica == Some(true) && server.replication.hears_primary == Some(false) {
        findings.push(Finding::ReplicaAlone { node: node() });
    }
}

fn of_changes(
    name: &str,
    changes: &ServerChanges,
    thresholds: &Thresholds,
    findings: &mut Vec<Finding>,
) {
    if let Some(evicted) = changes.counters.evicted_keys
        && evicted > thresholds.evictions
    {
        findings.push(Finding::Evictions {
            node: name.to_owned(),
            evicted,
            over: changes.over,
            threshold: thresholds.evictions,
        });
    }
    if let Some(rejected) = changes.counters.rejected_connections
        && rejected > thresholds.rejected_connections
    {
        findings.push(Finding::RejectedConnections {
            node: name.to_owned(),
            rejected,
            over: changes.over,
            threshold: thresholds.rejected_connections,
        });
    }
}

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
            Self::ManyScripts {
                node,
                cached,
                threshold,
            } => write!(
                f,
                "{node} has cached {cached} scripts, over {threshold}: find who puts values into \
                 the text of scripts, and pass them as arguments"
            ),
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
