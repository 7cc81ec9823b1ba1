//! How a sample is taken, and what of the one before it is kept for that.

#[cfg(feature = "redis")]
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

#[cfg(feature = "redis")]
use super::changes::ServerChanges;
#[cfg(feature = "redis")]
use super::redis::{self, Answer};
#[cfg(feature = "redis")]
use super::server::ServerStats;
#[cfg(feature = "redis")]
use super::slow::Cursor;
use super::stats::{CacheStats, NodeStats, Stats, Tally};
#[cfg(feature = "redis")]
use crate::conn::Routes;
use crate::error::Error;
#[cfg(feature = "redis")]
use crate::error::ErrorKind;
use crate::observe::{Counted, Observation};
use crate::time::{Clock, Millis};

/// What is looked at.
#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) own: Arc<dyn Fn() -> Own + Send + Sync>,
    pub(crate) clock: Clock,
    /// `None`: the embedded store.
    #[cfg(feature = "redis")]
    pub(crate) routes: Option<Arc<Routes>>,
}

/// What a process knows of itself.
pub(crate) struct Own {
    pub(crate) observation: Observation,
    pub(crate) primitives: Counted,
    pub(crate) entries: usize,
    pub(crate) bytes: u64,
}

/// Takes one sample after another.
pub(super) struct Sampler {
    subject: Subject,
    /// The one before, and when it was taken on this process's clock.
    before: Option<(Observation, Counted, Millis)>,
    #[cfg(feature = "redis")]
    nodes: HashMap<String, Known>,
}

/// What is kept of a server.
#[cfg(feature = "redis")]
#[derive(Default)]
struct Known {
    /// What it said when it was last found, and when.
    last: Option<(ServerStats, Millis)>,
    slow: Cursor,
}

/// Servers that are not asked any more and whose logs are still known: in a
/// place where addresses change there is no end to them.
#[cfg(feature = "redis")]
const MOST_KNOWN: usize = 1_000;

impl Subject {
    /// One sample by itself.
    pub(crate) async fn once(self) -> Result<Stats, Error> {
        let (_, stats) = Sampler::new(self).sample().await;
        // One server of several tells something.
        let mut errors = stats.nodes.iter().filter_map(|node| {
            let why = node.server.as_ref().err()?;
            (!node.is_available()).then(|| why.error().clone())
        });
        match errors.next() {
            Some(error) if stats.nodes.iter().all(|node| !node.is_available()) => Err(error),
            _ => Ok(stats),
        }
    }
}

impl Sampler {
    pub(super) fn new(subject: Subject) -> Self {
        Self {
            subject,
            before: None,
            #[cfg(feature = "redis")]
            nodes: HashMap::new(),
        }
    }

    pub(super) async fn sample(mut self) -> (Self, Stats) {
        #[cfg(feature = "redis")]
        let nodes = match self.subject.routes.clone() {
            Some(routes) => self.nodes(&routes).await,
            None => Vec::new(),
        };
        #[cfg(not(feature = "redis"))]
        let nodes: Vec<NodeStats> = Vec::new();
        let own = (self.subject.own)();
        let moment = self.subject.clock.moment();
        let now = own.primitives;
        let before = self
            .before
            .replace((own.observation.clone(), now, moment.monotonic));
        let (locks, limits, sessions, messages) = match &before {
            Some((_, before, _)) => (
                Some(now.locks.since(before.locks)),
                Some(now.limits.since(before.limits)),
                Some(now.sessions.since(before.sessions)),
                Some(now.messages.since(before.messages)),
            ),
            None => (None, None, None, None),
        };
        let stats = Stats {
            taken_at: SystemTime::UNIX_EPOCH
                .checked_add(Duration::from_millis(moment.now))
                .unwrap_or(SystemTime::UNIX_EPOCH),
            interval: before.as_ref().map(|(.., at)| since(*at, moment.monotonic)),
            cache: CacheStats {
                recent: before.map(|(before, ..)| own.observation.since(&before)),
                since_start: own.observation,
                local_entries: own.entries,
                local_bytes: own.bytes,
            },
            locks: Tally::new(now.locks, locks),
            limits: Tally::new(now.limits, limits),
            sessions: Tally::new(now.sessions, sessions),
            messages: Tally::new(now.messages, messages),
            nodes,
        };
        (self, stats)
    }

    #[cfg(feature = "redis")]
    async fn nodes(&mut self, routes: &Routes) -> Vec<NodeStats> {
        let answers = redis::ask(routes, &self.subject.clock).await;
        if self.nodes.len() > MOST_KNOWN {
            let asked = |address: &String| answers.iter().any(|answer| answer.address == *address);
            self.nodes.retain(|address, _| asked(address));
        }
        answers
            .into_iter()
            .map(|answer| self.node(answer))
            .collect()
    }

    #[cfg(feature = "redis")]
    fn node(&mut self, answer: Answer) -> NodeStats {
        let (server, log) = match answer.parts {
            Ok(parts) => parts,
            Err(error) => return NodeStats::away(answer.address, &error),
        };
        let known = self.nodes.entry(answer.address.clone()).or_default();
        let run_id = server
            .as_ref()
            .ok()
            .and_then(|server| server.run_id.clone());
        let slow_log = log.map(|log| known.slow.take(run_id.as_deref(), log));
        let mut node = NodeStats {
            address: answer.address,
            server,
            changes: None,
            reset: None,
            slow_log,
        };
        if let Ok(server) = &node.server {
            let before = known.last.replace((server.clone(), answer.at));
            if let Some((before, at)) = before {
                match ServerChanges::between(&before, server, since(at, answer.at)) {
                    Ok(changes) => node.changes = Some(changes),
                    Err(reset) => node.reset = Some(reset),
                }
            }
        }
        node
    }
}

fn since(earlier: Millis, now: Millis) -> Duration {
    Duration::from_millis(now.saturating_sub(earlier))
}

/// Whether nothing will ever be sampled again.
#[cfg(feature = "redis")]
pub(super) fn is_over(stats: &Stats) -> bool {
    let shut_down = |node: &NodeStats| {
        let why = node.server.as_ref().err();
        why.is_some_and(|why| why.error().kind() == ErrorKind::ShutDown)
    };
    !stats.nodes.is_empty() && stats.nodes.iter().all(shut_down)
}

#[cfg(not(feature = "redis"))]
pub(super) fn is_over(_: &Stats) -> bool {
    false
}
