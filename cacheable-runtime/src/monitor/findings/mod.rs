//! What a sample says is wrong, and what to do about it.

mod judge;
mod said;
mod thresholds;

use std::time::Duration;

pub use thresholds::Thresholds;

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
    /// A server tells of changes to nearly as many keys as it may. Beyond that
    /// it stops telling of some, and level 1 keeps nothing for long.
    #[non_exhaustive]
    ManyTrackedKeys {
        /// The server.
        node: String,
        /// How many it tells of.
        tracked: u64,
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
    /// A server answered with errors that say that something is wrong with
    /// it, or with a program that uses it: `OOM`, `MISCONF`, `NOREPLICAS`,
    /// `CLUSTERDOWN`, `CROSSSLOT` or `BUSY`.
    #[non_exhaustive]
    ErrorReplies {
        /// The server.
        node: String,
        /// The code.
        code: String,
        /// How often.
        count: u64,
        /// In this time.
        over: Duration,
        /// How often it may.
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

impl Finding {
    /// What is found, in a word for labels and alerts: `evictions`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Away { .. } => "away",
            Self::LowHitRate { .. } => "low_hit_rate",
            Self::MemoryNearLimit { .. } => "memory_near_limit",
            Self::Fragmented { .. } => "fragmented",
            Self::Evictions { .. } => "evictions",
            Self::RejectedConnections { .. } => "rejected_connections",
            Self::ManyClients { .. } => "many_clients",
            Self::ManyTrackedKeys { .. } => "many_tracked_keys",
            Self::ManyScripts { .. } => "many_scripts",
            Self::ErrorReplies { .. } => "error_replies",
            Self::PersistenceFailing { .. } => "persistence_failing",
            Self::ReplicaAlone { .. } => "replica_alone",
            Self::Restarted { .. } => "restarted",
        }
    }

    /// The server that it is about; `None` if it is about the cache of this
    /// process.
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::LowHitRate { .. } => None,
            Self::Away { node, .. }
            | Self::MemoryNearLimit { node, .. }
            | Self::Fragmented { node, .. }
            | Self::Evictions { node, .. }
            | Self::RejectedConnections { node, .. }
            | Self::ManyClients { node, .. }
            | Self::ManyTrackedKeys { node, .. }
            | Self::ManyScripts { node, .. }
            | Self::ErrorReplies { node, .. }
            | Self::PersistenceFailing { node, .. }
            | Self::ReplicaAlone { node }
            | Self::Restarted { node } => Some(node),
        }
    }
}

/// What is wrong when these are answered. Errors that only say that a command
/// was mistaken are none of them.
const TELLING: [(&str, &str); 6] = [
    ("OOM", "raise `maxmemory`, or choose a policy that evicts"),
    ("MISCONF", "look at its log and the space on its disk"),
    ("NOREPLICAS", "look at its replicas and the network to them"),
    ("CLUSTERDOWN", "look at `CLUSTER INFO` on its nodes"),
    (
        "CROSSSLOT",
        "find the program that uses keys of several slots in one command",
    ),
    (
        "BUSY",
        "find the script that runs for so long with `SLOWLOG GET`",
    ),
];
