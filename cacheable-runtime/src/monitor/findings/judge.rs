//! A sample, held against the thresholds.

use super::super::changes::{Reset, ServerChanges};
use super::super::server::{MemoryLimit, ServerStats};
use super::super::stats::{CacheStats, NodeStats, Stats};
use super::{Finding, TELLING, Thresholds};

impl Stats {
    /// What is wrong by the default [`Thresholds`].
    ///
    /// Evictions, refused connections, errors and restarts are found from one
    /// sample to the next, so only by a [`Monitor`](super::super::Monitor).
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
    let (memory, clients) = (&server.memory, &server.clients);
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
    if let (Some(connected), Some(limit)) = (clients.connected, clients.limit)
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
    if let (Some(tracked), Some(limit)) = (clients.tracked_keys, clients.tracked_keys_limit)
        && limit > 0
        && tracked as f64 / limit as f64 > thresholds.tracked_keys
    {
        findings.push(Finding::ManyTrackedKeys {
            node: node(),
            tracked,
            limit,
            threshold: thresholds.tracked_keys,
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
    for (code, _) in TELLING {
        let count = changes.errors.get(code).copied().unwrap_or(0);
        if count > thresholds.errors {
            findings.push(Finding::ErrorReplies {
                node: name.to_owned(),
                code: code.to_owned(),
                count,
                over: changes.over,
                threshold: thresholds.errors,
            });
        }
    }
}
