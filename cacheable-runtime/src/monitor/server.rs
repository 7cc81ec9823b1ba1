//! What a server says of itself.

use std::collections::BTreeMap;
use std::time::Duration;

/// What one server says of itself, or several together.
///
/// A figure that the server does not tell is `None`: versions differ, and new
/// ones leave out what old ones told.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ServerStats {
    /// Which server, such as `redis 7.0.15` or `valkey 9.1.2`.
    pub version: Option<String>,
    /// What the server called itself when it started; another after a restart.
    pub run_id: Option<String>,
    /// How long it has been running.
    pub uptime: Option<Duration>,
    /// Its memory.
    pub memory: MemoryStats,
    /// Its connections.
    pub clients: ClientStats,
    /// What it did since it started, or since `CONFIG RESETSTAT`.
    pub counters: ServerCounters,
    /// Calls per command, in lower case: `get`, `config|set`.
    pub commands: BTreeMap<String, CommandStats>,
    /// Errors per code, such as `OOM`. What scripts of users call their errors
    /// is counted as `OTHER`.
    pub errors: BTreeMap<String, u64>,
    /// Keys in all databases.
    pub keys: Option<u64>,
    /// Those of them that end by themselves.
    pub keys_with_ttl: Option<u64>,
    /// What it writes to disk.
    pub persistence: PersistenceStats,
    /// Its place among its copies.
    pub replication: ReplicationStats,
}

/// The memory of a server, in bytes.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct MemoryStats {
    /// What it has allocated.
    pub used: Option<u64>,
    /// What the operating system gives it.
    pub resident: Option<u64>,
    /// The most it ever had allocated. `None` for several servers together.
    pub peak: Option<u64>,
    /// What the data takes, without buffers and tables.
    pub dataset: Option<u64>,
    /// What cached scripts take.
    pub scripts: Option<u64>,
    /// How many scripts are cached. One that grows says that somebody puts
    /// values into the text of scripts.
    pub cached_scripts: Option<u64>,
    /// How much it may use.
    pub limit: Option<MemoryLimit>,
    /// What it does at the limit, such as `allkeys-lru`.
    pub policy: Option<String>,
    /// How much more the operating system gives than is used: 1.5 is half as
    /// much again. `None` under 100 MiB, where it says nothing.
    pub fragmentation: Option<f64>,
}

/// How much memory a server may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryLimit {
    /// `maxmemory 0`: as much as the machine has.
    Unlimited,
    /// So many bytes.
    Bytes(u64),
}

/// The connections of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientStats {
    /// Connected now.
    pub connected: Option<u64>,
    /// Those of them that wait in a command such as `BLPOP`.
    pub blocked: Option<u64>,
    /// Those of them that are told of changes, as level 1 is.
    pub tracking: Option<u64>,
    /// Keys that the server tells them of, each of which some have read.
    pub tracked_keys: Option<u64>,
    /// How many such keys there may be before it stops telling of some:
    /// `tracking-table-max-keys`, or a million where the user of `REDIS_URL` may not
    /// ask. `None` without a limit.
    pub tracked_keys_limit: Option<u64>,
    /// Those of them that listen to channels.
    pub subscribed: Option<u64>,
    /// How many may be connected.
    pub limit: Option<u64>,
}

/// What a server did with one command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommandStats {
    /// How often it ran.
    pub calls: u64,
    /// How long all of them took together, without waiting.
    pub time: Duration,
    /// Calls that were refused before they ran.
    pub rejected: Option<u64>,
    /// Calls that failed.
    pub failed: Option<u64>,
    /// The median time of a call. From Redis 7 on, since the server started.
    pub p50: Option<Duration>,
    /// 99 of 100 took no longer.
    pub p99: Option<Duration>,
    /// 999 of 1 000 took no longer.
    pub p999: Option<Duration>,
}

/// What a server writes to disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PersistenceStats {
    /// It is reading its data from disk.
    pub loading: Option<bool>,
    /// Its last snapshot failed.
    pub snapshot_failed: Option<bool>,
    /// Its last write to the log of changes failed.
    pub log_failed: Option<bool>,
}

/// The place of a server among its copies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplicationStats {
    /// It is a replica.
    pub replica: Option<bool>,
    /// Of a replica: it hears its primary.
    pub hears_primary: Option<bool>,
    /// Of a primary: how many replicas are connected.
    pub replicas: Option<u64>,
}

/// Under so much memory in use the ratio is mostly the program itself.
const LEAST_TO_FRAGMENT: u64 = 100 * 1024 * 1024;

macro_rules! server_counters {
    ($($(#[$doc:meta])* $field:ident: $name:literal;)+) => {
        /// What a server counts.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct ServerCounters {
            $($(#[$doc])* pub $field: Option<u64>,)+
        }

        impl ServerCounters {
            /// `number` knows the figures by the names that servers give them.
            pub(super) fn read(number: impl Fn(&str) -> Option<u64>) -> Self {
                Self { $($field: number($name),)+ }
            }

            pub(super) fn plus(self, other: Self) -> Self {
                Self { $($field: sum(self.$field, other.$field),)+ }
            }

            /// Each that is known of both; `None` for one that fell.
            pub(super) fn since(self, earlier: Self) -> Self {
                Self { $($field: grown(self.$field, earlier.$field),)+ }
            }

            /// Some counter is less than it was.
            pub(super) fn fell_since(self, earlier: Self) -> bool {
                $(fell(self.$field, earlier.$field))||+
            }
        }
    };
}

server_counters! {
    /// Commands carried out.
    commands: "total_commands_processed";
    /// Connections accepted.
    connections: "total_connections_received";
    /// Connections refused because there were too many.
    rejected_connections: "rejected_connections";
    /// Keys that were looked up and found, by all programs and for whatever
    /// purpose: this is not the cache's hit rate.
    hits: "keyspace_hits";
    /// Keys that were looked up and not found.
    misses: "keyspace_misses";
    /// Keys whose time to live ended.
    expired_keys: "expired_keys";
    /// Keys that were removed for want of memory.
    evicted_keys: "evicted_keys";
    /// Commands answered with an error.
    error_replies: "total_error_replies";
    /// Bytes received.
    bytes_in: "total_net_input_bytes";
    /// Bytes sent.
    bytes_out: "total_net_output_bytes";
}

/// Of several, as far as it is known of each.
pub(super) fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    Some(one?.saturating_add(other?))
}

fn grown(now: Option<u64>, earlier: Option<u64>) -> Option<u64> {
    now?.checked_sub(earlier?)
}

fn fell(now: Option<u64>, earlier: Option<u64>) -> bool {
    matches!((now, earlier), (Some(now), Some(earlier)) if now < earlier)
}

impl MemoryStats {
    /// How much of the limit is used, from 0 to 1 or a little over. `None`:
    /// there is no limit, or it is not known.
    pub fn fraction_used(&self) -> Option<f64> {
        match self.limit? {
            MemoryLimit::Bytes(limit) if limit > 0 => Some(self.used? as f64 / limit as f64),
            _ => None,
        }
    }

    pub(super) fn set_fragmentation(&mut self) {
        let known = self.used.filter(|used| *used >= LEAST_TO_FRAGMENT);
        self.fragmentation = known.and_then(|used| Some(self.resident? as f64 / used as f64));
    }

    fn plus(&self, other: &Self) -> Self {
        let limit = match (self.limit, other.limit) {
            (Some(MemoryLimit::Bytes(one)), Some(MemoryLimit::Bytes(other))) => {
                Some(MemoryLimit::Bytes(one.saturating_add(other)))
            }
            (Some(_), Some(_)) => Some(MemoryLimit::Unlimited),
            _ => None,
        };
        let mut both = Self {
            used: sum(self.used, other.used),
            resident: sum(self.resident, other.resident),
            // They were not there at one time.
            peak: None,
            dataset: sum(self.dataset, other.dataset),
            scripts: sum(self.scripts, other.scripts),
            cached_scripts: sum(self.cached_scripts, other.cached_scripts),
            limit,
            policy: same(self.policy.as_ref(), other.policy.as_ref()),
            fragmentation: None,
        };
        both.set_fragmentation();
        both
    }
}

impl CommandStats {
    /// How long one call took on average; `None` without calls.
    pub fn time_per_call(&self) -> Option<Duration> {
        let nanos = self.time.as_nanos().checked_div(u128::from(self.calls))?;
        Some(Duration::from_nanos(
            u64::try_from(nanos).unwrap_or(u64::MAX),
        ))
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_add(other.calls),
            time: self.time.saturating_add(other.time),
            rejected: sum(self.rejected, other.rejected),
            failed: sum(self.failed, other.failed),
            // Percentiles do not add up.
            p50: None,
            p99: None,
            p999: None,
        }
    }

    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(earlier.calls),
            time: self.time.saturating_sub(earlier.time),
            rejected: grown(self.rejected, earlier.rejected),
            failed: grown(self.failed, earlier.failed),
            p50: None,
            p99: None,
            p999: None,
        }
    }

    pub(super) fn fell_since(self, earlier: Self) -> bool {
        self.calls < earlier.calls
            || fell(self.rejected, earlier.rejected)
            || fell(self.failed, earlier.failed)
    }
}

impl ServerStats {
    /// Several as one: what can be added is, the rest is `None` where they
    /// differ. `None` of none.
    pub(super) fn together<'a>(servers: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let mut servers = servers.into_iter();
        let first = servers.next()?.clone();
        Some(servers.fold(first, Self::plus))
    }

    fn plus(self, other: &Self) -> Self {
        Self {
            version: same(self.version.as_ref(), other.version.as_ref()),
            run_id: None,
            uptime: self.uptime.min(other.uptime),
            memory: self.memory.plus(&other.memory),
            clients: ClientStats {
                connected: sum(self.clients.connected, other.clients.connected),
                blocked: sum(self.clients.blocked, other.clients.blocked),
                tracking: sum(self.clients.tracking, other.clients.tracking),
                tracked_keys: sum(self.clients.tracked_keys, other.clients.tracked_keys),
                tracked_keys_limit: sum(
                    self.clients.tracked_keys_limit,
                    other.clients.tracked_keys_limit,
                ),
                subscribed: sum(self.clients.subscribed, other.clients.subscribed),
                limit: sum(self.clients.limit, other.clients.limit),
            },
            counters: self.counters.plus(other.counters),
            commands: merged(self.commands, &other.commands, CommandStats::plus),
            errors: merged(self.errors, &other.errors, u64::saturating_add),
            keys: sum(self.keys, other.keys),
            keys_with_ttl: sum(self.keys_with_ttl, other.keys_with_ttl),
            persistence: PersistenceStats {
                loading: any(self.persistence.loading, other.persistence.loading),
                snapshot_failed: any(
                    self.persistence.snapshot_failed,
                    other.persistence.snapshot_failed,
                ),
                log_failed: any(self.persistence.log_failed, other.persistence.log_failed),
            },
            replication: ReplicationStats {
                replica: None,
                hears_primary: None,
                replicas: sum(self.replication.replicas, other.replication.replicas),
            },
        }
    }
}

fn same(one: Option<&String>, other: Option<&String>) -> Option<String> {
    one.filter(|_| one == other).cloned()
}

/// Whether it is so of any, as far as is known.
fn any(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    one.max(other)
}

/// Both tables as one.
pub(super) fn merged<V: Copy>(
    mut one: BTreeMap<String, V>,
    other: &BTreeMap<String, V>,
    plus: impl Fn(V, V) -> V,
) -> BTreeMap<String, V> {
    for (name, value) in other {
        one.entry(name.clone())
            .and_modify(|sum| *sum = plus(*sum, *value))
            .or_insert(*value);
    }
    one
}
