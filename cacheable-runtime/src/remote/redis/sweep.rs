//! Removal by pattern: a walk over all keys that holds nobody up.
//!
//! In a cluster every primary is walked over at once, or the one that has all
//! keys of the pattern. A key that moves from one node to another meanwhile
//! could be missed on both, so afterwards every node is asked what it serves:
//! the walk is done again when that is not what it was, and once more when
//! keys are on their way. A key moves once: it is where it is during all of
//! one of two walks.

use std::sync::Arc;
use std::time::Duration;

use redis::{cmd, pipe};

use super::super::STAMP;
use super::RedisStore;
use super::scripts::SCRIPTS;
use crate::conn::{Cluster, Lane, Leg, Link, Routes, Since, slot, tag};
use crate::error::{Error, ErrorKind};
use crate::pattern::Pattern;
use crate::sync::{BoxFuture, all};

/// Keys looked at by one `SCAN`: enough that round trips do not count, few
/// enough that other clients wait for less than a millisecond.
const SCAN_COUNT: usize = 1_000;

/// Keys that one run of a script looks at, for the same reason.
const SCRIPT_KEYS: usize = 100;

/// Walks over a cluster whose slots are being moved, before it is given up.
const WALKS: u32 = 5;
/// Before the second one, and more each time.
const PAUSE: Duration = Duration::from_millis(20);

/// One walk over one server.
struct Walk<'a> {
    leg: Leg,
    pattern: &'a Pattern,
    /// What the names of markers begin with.
    markers: &'a str,
    older_than: Option<u64>,
    step: Option<Duration>,
    /// The server is a node of a cluster.
    node: bool,
}

impl RedisStore {
    pub(super) async fn walk(
        &self,
        pattern: &Pattern,
        older_than: Option<u64>,
        step: Option<Duration>,
    ) -> Result<u64, Error> {
        let walk = |link, node| Walk {
            leg: Leg::over(link),
            pattern,
            markers: &self.markers,
            older_than,
            step,
            node,
        };
        match &*self.routes {
            Routes::One(link) => walk(Arc::clone(link), false).run().await,
            Routes::Cluster(cluster) => {
                let walk = |link| walk(link, true);
                walk_all(cluster, pattern, step, walk).await
            }
        }
    }
}

async fn walk_all<'a>(
    cluster: &Cluster,
    pattern: &Pattern,
    step: Option<Duration>,
    walk: impl Fn(Arc<Link>) -> Walk<'a>,
) -> Result<u64, Error> {
    let mut removed = 0;
    let mut migrating = None;
    for turn in 0..WALKS {
        if turn > 0 {
            // The nodes need a moment to tell one another.
            tokio::time::sleep(PAUSE * turn).await;
        }
        let topology = cluster.topology();
        let mut links = topology.links()?;
        // In vain over the others while one is away, which is the longer work.
        if let Some(error) = links.iter().find_map(|link| link.trouble()) {
            return Err(error);
        }
        if migrating.is_none()
            && let Some(tag) = tag(pattern.literal_prefix().as_bytes())
        {
            links = vec![topology.link_of(slot(tag))?];
        }
        let walks: Vec<_> = links.into_iter().map(&walk).collect();
        let run = |walk| -> BoxFuture<'_, _> { Box::pin(Walk::run(walk)) };
        let mut failed = None;
        for result in all(walks.iter().map(run).collect()).await {
            match result {
                Ok(count) => removed += count,
                Err(error) => failed = Some(error),
            }
        }
        let since = within(step, || (), cluster.since(&topology)).await??;
        match (since, failed) {
            (Since::Unchanged, None) => return Ok(removed),
            // What moves is no reason to fail.
            (Since::Unchanged, Some(error)) => return Err(error),
            (Since::Migrating, None) if migrating == Some(topology.epoch()) => return Ok(removed),
            (Since::Migrating, failed) => {
                migrating = failed.is_none().then(|| topology.epoch());
            }
            (Since::Changed, _) => migrating = None,
        }
    }
    Err(Error::new(
        ErrorKind::Unavailable,
        "the slots of the cluster were moved again and again while keys were removed by pattern",
    ))
}

impl Walk<'_> {
    async fn run(&self) -> Result<u64, Error> {
        let incarnation = self.leg.link().incarnation()?;
        let mut cursor = 0_u64;
        let mut removed = 0;
        let mut found: Vec<Vec<u8>> = Vec::new();
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(cursor)
                .arg("MATCH")
                .arg(self.pattern.as_str())
                .arg("COUNT")
                .arg(SCAN_COUNT);
            // What the last step found goes while the next one looks.
            let both = async {
                tokio::join!(
                    self.leg.query::<(u64, Vec<Vec<u8>>)>(Lane::Removals, &scan),
                    self.unlink(&found),
                )
            };
            let (next, gone) = self.within(both).await?;
            removed += gone?;
            (cursor, found) = next?;
            // What this crate knows of removals is no entry.
            found.retain(|key| !key.starts_with(self.markers.as_bytes()));
            // A cursor means nothing to another server, and this address
            // may lead to another one now.
            if self.leg.link().incarnation()? != incarnation {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    "the connection was lost while keys were removed by pattern",
                ));
            }
            if cursor == 0 {
                let gone = self.within(self.unlink(&found)).await?;
                return Ok(removed + gone?);
            }
        }
    }

    /// Awaits one step for as long as it may take.
    async fn within<T>(&self, step: impl Future<Output = T>) -> Result<T, Error> {
        within(self.step, || self.leg.link().overdue(), step).await
    }

    /// Removes keys, or those of them that hold values with a lesser stamp.
    async fn unlink(&self, keys: &[Vec<u8>]) -> Result<u64, Error> {
        if keys.is_empty() {
            return Ok(0);
        }
        let Some(stamp) = self.older_than else {
            if self.node {
                return self.unlink_each(keys).await;
            }
            return self
                .leg
                .query(Lane::Removals, cmd("UNLINK").arg(keys))
                .await;
        };
        let (from, to) = (STAMP.start.to_string(), (STAMP.end - 1).to_string());
        let stamp = stamp.to_string();
        let arguments = [from.as_bytes(), to.as_bytes(), stamp.as_bytes()];
        let script = &SCRIPTS.unlink_older;
        let mut removed = 0;
        for some in keys.chunks(SCRIPT_KEYS) {
            removed += if self.node {
                let counts: Vec<u64> = self
                    .leg
                    .link()
                    .script_each(Lane::Removals, script, some, &arguments)
                    .await?;
                counts.into_iter().sum()
            } else {
                self.leg
                    .script::<u64, _>(Lane::Removals, script, some, &arguments)
                    .await?
            };
        }
        Ok(removed)
    }

    /// One command for each key, since keys of different slots cannot share
    /// one. `ASKING`: the key may be on its way to this node.
    async fn unlink_each(&self, keys: &[Vec<u8>]) -> Result<u64, Error> {
        let mut commands = pipe();
        for key in keys {
            commands.cmd("ASKING").ignore();
            commands.cmd("UNLINK").arg(key);
        }
        let counts: Vec<u64> = self.leg.pipeline(Lane::Removals, &commands).await?;
        Ok(counts.into_iter().sum())
    }
}

async fn within<T>(
    limit: Option<Duration>,
    overdue: impl FnOnce(),
    step: impl Future<Output = T>,
) -> Result<T, Error> {
    let Some(limit) = limit else {
        return Ok(step.await);
    };
    tokio::time::timeout(limit, step).await.map_err(|_| {
        overdue();
        Error::new(
            ErrorKind::Timeout,
            "the server is too slow to walk over its keys now",
        )
    })
}
