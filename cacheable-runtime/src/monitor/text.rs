//! A sample in words, for a terminal or a log.

use std::fmt;
use std::time::Duration;

use super::server::{MemoryLimit, ServerStats};
use super::stats::{CacheStats, NodeStats, Stats};

/// A line for the cache, one for each server, and one for each finding.
impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Lately(&self.cache, self.interval))?;
        for node in &self.nodes {
            write!(f, "\n{}", Line(node))?;
        }
        for finding in self.findings() {
            write!(f, "\n! {finding}")?;
        }
        Ok(())
    }
}

struct Lately<'a>(&'a CacheStats, Option<Duration>);

impl fmt::Display for Lately<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(cache, interval) = self;
        let counts = cache.counted().total();
        write!(f, "cache: {} reads", counts.reads())?;
        match interval {
            Some(interval) => write!(f, " in {interval:.0?}")?,
            None => f.write_str(" since the start")?,
        }
        if let Some(rate) = counts.hit_rate() {
            write!(f, ", {:.1} % hits", rate * 100.0)?;
        }
        write!(
            f,
            ", {} loads, {} errors of loads; level 1: {} values, {}",
            counts.loads,
            counts.load_errors,
            cache.local_entries,
            Size(cache.local_bytes)
        )
    }
}

struct Line<'a>(&'a NodeStats);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(node) = self;
        write!(f, "{}: ", node.address)?;
        match &node.server {
            Ok(server) => write!(f, "{}", Told(server))?,
            Err(why) => write!(f, "{why}")?,
        }
        if let Some(changes) = &node.changes {
            if let Some(commands) = changes.per_second(changes.counters.commands) {
                write!(f, ", {commands:.0} commands/s")?;
            }
            if let Some(rate) = changes.hit_rate() {
                write!(f, ", {:.1} % of look-ups by all found", rate * 100.0)?;
            }
        }
        match &node.slow_log {
            Ok(log) if !log.commands.is_empty() => {
                write!(f, ", {} slow commands", log.commands.len())
            }
            _ => Ok(()),
        }
    }
}

struct Told<'a>(&'a ServerStats);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(server) = self;
        f.write_str(server.version.as_deref().unwrap_or("a server"))?;
        if let Some(used) = server.memory.used {
            write!(f, ", {}", Size(used))?;
        }
        match server.memory.limit {
            Some(MemoryLimit::Unlimited) => f.write_str(" without a limit")?,
            Some(MemoryLimit::Bytes(limit)) => write!(f, " of {}", Size(limit))?,
            None => {}
        }
        if let Some(keys) = server.keys {
            write!(f, ", {keys} keys")?;
        }
        if let Some(connected) = server.clients.connected {
            write!(f, ", {connected} clients")?;
        }
        Ok(())
    }
}

/// Bytes as people write them.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = ["KiB", "MiB", "GiB", "TiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let mut size = self.0 as f64 / 1024.0;
        let mut unit = 0;
        while size >= 1024.0 && unit + 1 < units.len() {
            size /= 1024.0;
            unit += 1;
        }
        write!(f, "{size:.1} {}", units[unit])
    }
}
