//! The text of `INFO`, read: a pure function that takes any text.
//!
//! Names that are not known are passed over, and what is missing or in another
//! form is not known: versions and forks differ in both.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::server::{
    ClientStats, CommandStats, MemoryLimit, MemoryStats, PersistenceStats, ReplicationStats,
    ServerCounters, ServerStats,
};

/// A longer name is none that a server gives.
const LONGEST_NAME: usize = 64;
/// Codes of servers are short.
const LONGEST_CODE: usize = 24;
/// What the codes of others are counted as.
const OTHER: &str = "OTHER";

/// What the text of `INFO all` says.
pub(super) fn parse(text: &str) -> ServerStats {
    let fields = Fields::of(text);
    let number = |name: &str| fields.number(name);
    let mut memory = MemoryStats {
        used: number("used_memory"),
        resident: number("used_memory_rss"),
        peak: number("used_memory_peak"),
        dataset: number("used_memory_dataset"),
        // The name until Redis 6 was for the engine's own memory.
        scripts: number("used_memory_scripts"),
        cached_scripts: number("number_of_cached_scripts"),
        limit: number("maxmemory").map(|limit| match limit {
            0 => MemoryLimit::Unlimited,
            limit => MemoryLimit::Bytes(limit),
        }),
        policy: fields.text("maxmemory_policy"),
        fragmentation: None,
    };
    memory.set_fragmentation();
    let (keys, keys_with_ttl) = fields.keys(text);
    ServerStats {
        version: fields.version(),
        run_id: fields.text("run_id"),
        uptime: number("uptime_in_seconds").map(Duration::from_secs),
        memory,
        clients: ClientStats {
            connected: number("connected_clients"),
            blocked: number("blocked_clients"),
            tracking: number("tracking_clients"),
            tracked_keys: number("tracking_total_keys"),
            // It says so elsewhere.
            tracked_keys_limit: None,
            subscribed: number("pubsub_clients"),
            limit: number("maxclients"),
        },
        counters: ServerCounters::read(number),
        commands: fields.commands(),
        errors: fields.errors(),
        keys,
        keys_with_ttl,
        persistence: PersistenceStats {
            loading: number("loading").map(|loading| loading != 0),
            snapshot_failed: fields.failed("rdb_last_bgsave_status"),
            log_failed: fields.failed("aof_last_write_status"),
        },
        replication: ReplicationStats {
            replica: fields.get("role").and_then(|role| match role {
                "master" | "primary" => Some(false),
                "slave" | "replica" => Some(true),
                _ => None,
            }),
            hears_primary: fields.get("master_link_status").map(|link| link == "up"),
            replicas: number("connected_slaves").or_else(|| number("connected_replicas")),
        },
    }
}

struct Fields<'a>(HashMap<&'a str, &'a str>);

impl<'a> Fields<'a> {
    fn of(text: &'a str) -> Self {
        let fields = text
            .lines()
            .filter_map(|line| line.trim_end().split_once(':'));
        let mut known = HashMap::new();
        for (name, value) in fields {
            known.entry(name).or_insert(value);
        }
        Self(known)
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).copied()
    }

    fn text(&self, name: &str) -> Option<String> {
        let text = self.get(name).filter(|text| is_name(text))?;
        Some(text.to_owned())
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    /// Whether a status is anything but `ok`.
    fn failed(&self, name: &str) -> Option<bool> {
        self.get(name).map(|status| status != "ok")
    }

    fn version(&self) -> Option<String> {
        // A Valkey tells of which Redis it is like, too.
        let names = [("valkey", "valkey_version"), ("redis", "redis_version")];
        names.into_iter().find_map(|(server, name)| {
            let version = self.text(name)?;
            Some(format!("{server} {version}"))
        })
    }

    /// `db0:keys=42,expires=1,…`, of all databases. A server without keys has
    /// the heading alone.
    fn keys(&self, text: &str) -> (Option<u64>, Option<u64>) {
        if !text.lines().any(|line| line.trim_end() == "# Keyspace") {
            return (None, None);
        }
        let databases = self.0.iter().filter(|(name, _)| {
            let number = name.strip_prefix("db");
            number.is_some_and(|number| number.parse::<u32>().is_ok())
        });
        let mut sums = (0_u64, 0_u64);
        for (_, values) in databases {
            sums.0 = sums.0.saturating_add(part(values, "keys").unwrap_or(0));
            sums.1 = sums.1.saturating_add(part(values, "expires").unwrap_or(0));
        }
        (Some(sums.0), Some(sums.1))
    }

    fn commands(&self) -> BTreeMap<String, CommandStats> {
        let mut commands = BTreeMap::new();
        for (name, values) in &self.0 {
            let Some(name) = name.strip_prefix("cmdstat_").filter(|name| is_name(name)) else {
                continue;
            };
            let Some(calls) = part(values, "calls") else {
                continue;
            };
            let latencies = self.get(&format!("latency_percentiles_usec_{name}"));
            let latency = |percentile| {
                let micros = text_part(latencies?, percentile)?.parse::<f64>().ok()?;
                Duration::try_from_secs_f64(micros / 1e6).ok()
            };
            let stats = CommandStats {
                calls,
                time: Duration::from_micros(part(values, "usec").unwrap_or(0)),
                rejected: part(values, "rejected_calls"),
                failed: part(values, "failed_calls"),
                p50: latency("p50"),
                p99: latency("p99"),
                p999: latency("p99.9"),
            };
            commands.insert(name.to_owned(), stats);
        }
        commands
    }

    fn errors(&self) -> BTreeMap<String, u64> {
        let mut errors = BTreeMap::new();
        for (name, values) in &self.0 {
            let Some(code) = name.strip_prefix("errorstat_") else {
                continue;
            };
            let count = part(values, "count").unwrap_or(0);
            let sum: &mut u64 = errors.entry(named_code(code).to_owned()).or_default();
            *sum = sum.saturating_add(count);
        }
        errors
    }
}

/// The code of an error, if it can be one of a server: scripts can answer with
/// any text, which then begins with whatever their users sent.
pub(super) fn named_code(code: &str) -> &str {
    let upper = |c: char| c.is_ascii_uppercase() || c == '_';
    let plain = !code.is_empty() && code.len() <= LONGEST_CODE && code.chars().all(upper);
    if plain { code } else { OTHER }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_NAME && text.chars().all(|c| c.is_ascii_graphic())
}

/// `2` of `a=1,b=2` for `b`.
fn part(values: &str, name: &str) -> Option<u64> {
    text_part(values, name)?.parse().ok()
}

fn text_part<'a>(values: &'a str, name: &str) -> Option<&'a str> {
    values.split(',').find_map(|value| {
        let (found, value) = value.split_once('=')?;
        (found == name).then_some(value)
    })
}
