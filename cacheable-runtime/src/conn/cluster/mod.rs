//! The primaries of a cluster: one link to each, and who serves which slot.
//!
//! The map of the slots is asked for by `CLUSTER SLOTS` every second, and as
//! soon as something hints that it is old. A map that differs is a new *epoch*:
//! links to new primaries are opened, keys are routed by the new map, then
//! level 1 is cleared, then links to those that are gone are closed.

mod learn;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use redis::cmd;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::address::Address;
use super::slots::{Itself, SlotMap, slot};
use super::together::Together;
use super::{Greeting, Lane, Link, Timeouts};
use crate::bus::Listener;
use crate::error::{Error, ErrorKind};
use crate::sync::{BoxFuture, all, unique};

pub(crate) struct Cluster {
    seeds: Vec<Address>,
    timeouts: Timeouts,
    greeting: Greeting,
    /// A command that is given up after so long was late.
    late: Duration,
    together: Arc<Together>,
    topology: RwLock<Arc<Topology>>,
    /// Something hints that the map is old.
    outdated: Arc<Notify>,
    /// Held while a map is asked for and put in force.
    learning: tokio::sync::Mutex<()>,
    asked: AtomicUsize,
    closed: AtomicBool,
    /// Where the links live: whoever asks may live elsewhere.
    runtime: Handle,
}

/// The slots and their nodes, as known at one time.
pub(crate) struct Topology {
    /// Unlike that of any other.
    epoch: u64,
    /// `None`: nobody has told it yet, for this reason.
    map: Result<SlotMap, Error>,
    /// Of the primaries in the map, in their order.
    nodes: Vec<Node>,
}

#[derive(Clone)]
struct Node {
    link: Arc<Link>,
    member: u64,
}

/// How the cluster is after all of its keys were walked over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// Each slot was where it is all the time.
    Unchanged,
    /// So it was, but keys are on their way from one node to another.
    Migrating,
    Changed,
}

/// How often the map is asked for; what a hint brings forward.
const INTERVAL: Duration = Duration::from_secs(1);
/// Hints that come so soon after another are one.
const PAUSE: Duration = Duration::from_millis(100);

impl Cluster {
    /// Asks for the map and opens the links, for as long as `patience`; then
    /// goes on in the background.
    pub(crate) async fn open(
        seeds: Vec<Address>,
        timeouts: Timeouts,
        greeting: Greeting,
        listener: Arc<dyn Listener>,
        late: Duration,
        patience: Duration,
    ) -> Arc<Self> {
        let cluster = Arc::new(Self {
            seeds,
            timeouts,
            greeting,
            late,
            together: Together::new(listener),
            topology: RwLock::new(Arc::new(Topology::unknown(Error::new(
                ErrorKind::Unavailable,
                "no node of the cluster has told who serves what yet",
            )))),
            outdated: Arc::new(Notify::new()),
            learning: tokio::sync::Mutex::default(),
            asked: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            runtime: Handle::current(),
        });
        let first = async {
            drop(cluster.refresh().await);
            for node in &cluster.topology().nodes {
                node.link.attempted(patience).await;
            }
        };
        drop(timeout(patience, first).await);
        let outdated = Arc::clone(&cluster.outdated);
        tokio::spawn(keep_up(Arc::downgrade(&cluster), outdated));
        cluster
    }

    pub(crate) fn topology(&self) -> Arc<Topology> {
        let topology = self.topology.read();
        Arc::clone(&topology.unwrap_or_else(PoisonError::into_inner))
    }

    fn publish(&self, topology: Topology) {
        let present = self.topology.write();
        *present.unwrap_or_else(PoisonError::into_inner) = Arc::new(topology);
    }

    /// The link to who serves a key.
    pub(crate) fn of(&self, key: &[u8]) -> Result<Arc<Link>, Error> {
        self.topology().link_of(slot(key))
    }

    /// Something hints that the map is old.
    pub(super) fn is_outdated(&self) {
        self.outdated.notify_one();
    }

    pub(crate) fn late(&self) -> Duration {
        self.late
    }

    /// The seeds, without secrets.
    pub(crate) fn server(&self) -> String {
        let seeds: Vec<String> = self.seeds.iter().map(Address::to_string).collect();
        seeds.join(", ")
    }

    /// The first reason why some keys cannot be reached now.
    pub(crate) fn trouble(&self) -> Option<Error> {
        let topology = self.topology();
        if let Err(error) = topology.links() {
            return Some(error);
        }
        topology.nodes.iter().find_map(|node| {
            let error = node.link.trouble()?;
            let server = node.link.server();
            Some(Error::new(error.kind(), format!("{error} ({server})")))
        })
    }

    /// Why no keys can be reached now, if so.
    pub(crate) fn outage(&self) -> Option<Error> {
        let topology = self.topology();
        if let Err(error) = topology.map() {
            return Some(error);
        }
        let mut last = None;
        for node in &topology.nodes {
            // `None`: this one can be reached.
            last = Some(node.link.trouble()?);
        }
        last
    }

    /// Asks for the map and puts it in force.
    pub(crate) async fn refresh(&self) -> Result<(), Error> {
        let _alone = self.learning.lock().await;
        if self.closed.load(Ordering::SeqCst) {
            return Err(shut_down());
        }
        match self.learn().await {
            Ok(map) => {
                self.put_in_force(map);
                Ok(())
            }
            Err(error) => {
                if self.topology().map.is_err() {
                    self.publish(Topology::unknown(error.clone()));
                }
                Err(error)
            }
        }
    }

    fn put_in_force(&self, map: SlotMap) {
        let _entered = self.runtime.enter();
        let before = self.topology();
        if before.map.as_ref().ok() == Some(&map) {
            return;
        }
        if !map.is_complete() {
            tracing::warn!(server = %self.server(), "the cluster does not serve all of its slots");
        }
        // New members first: until they are up there is no trust, so that
        // nothing is kept that comes over a link nobody vouches for.
        let mut new = Vec::new();
        let members: Vec<u64> = map
            .primaries
            .iter()
            .enumerate()
            .map(|(number, place)| {
                let address = self.seeds[0].of_node(&place.host, place.port);
                let mut known = before.nodes.iter();
                if let Some(node) = known.find(|node| node.link.address().is_same(&address)) {
                    return node.member;
                }
                let member = self.together.join();
                let id = member.id;
                new.push((number, address, member));
                id
            })
            .collect();
        // Every process of a namespace goes by the same node's time.
        let timekeeper = map.owners[usize::from(slot(self.greeting.counter_key.as_bytes()))];
        let timekeeper = members.get(usize::from(timekeeper)).copied();
        self.together.appoint(timekeeper);
        let mut nodes: Vec<Option<Node>> = members
            .iter()
            .map(|id| before.nodes.iter().find(|node| node.member == *id).cloned())
            .collect();
        for (number, address, member) in new {
            let id = member.id;
            let link = Link::start(
                address,
                self.timeouts,
                self.greeting.clone(),
                Arc::new(member),
                Some(Arc::clone(&self.outdated)),
            );
            nodes[number] = Some(Node {
                link: Arc::new(link),
                member: id,
            });
        }
        let gone: Vec<Arc<Link>> = before
            .nodes
            .iter()
            .filter(|node| !members.contains(&node.member))
            .map(|node| Arc::clone(&node.link))
            .collect();
        tracing::info!(
            server = %self.server(),
            primaries = members.len(),
            gone = gone.len(),
            "the cluster's slots are served by other nodes than before"
        );
        // The routes before the clear: whoever takes a ticket after it asks
        // those who serve the key now.
        self.publish(Topology {
            epoch: unique(),
            map: Ok(map),
            nodes: nodes.into_iter().flatten().collect(),
        });
        self.together.reform(&members);
        for link in gone {
            tokio::spawn(async move { link.close().await });
        }
    }

    /// Whether every slot is, and by the word of its own node, where
    /// `topology` says.
    pub(crate) async fn since(&self, topology: &Topology) -> Result<Since, Error> {
        self.refresh().await?;
        if self.topology().epoch != topology.epoch {
            return Ok(Since::Changed);
        }
        let map = topology.map()?;
        let ask = |(number, node): (usize, &Node)| -> BoxFuture<'_, _> {
            let link = Arc::clone(&node.link);
            Box::pin(async move {
                let nodes: String = link
                    .query(Lane::Removals, cmd("CLUSTER").arg("NODES"))
                    .await?;
                Ok::<_, Error>(match Itself::read(&nodes) {
                    Some(itself) if itself.ranges == map.ranges_of(number) => {
                        if itself.migrates {
                            Since::Migrating
                        } else {
                            Since::Unchanged
                        }
                    }
                    _ => Since::Changed,
                })
            })
        };
        let answers = all(topology.nodes.iter().enumerate().map(ask).collect()).await;
        let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
        let worst = [Since::Changed, Since::Migrating]
            .into_iter()
            .find(|since| answers.contains(since));
        Ok(worst.unwrap_or(Since::Unchanged))
    }

    /// Closes all links for good.
    pub(crate) async fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let _alone = self.learning.lock().await;
        let topology = self.topology();
        let close = |node: &Node| -> BoxFuture<'_, ()> {
            let link = Arc::clone(&node.link);
            Box::pin(async move { link.close().await })
        };
        all(topology.nodes.iter().map(close).collect()).await;
        if topology.map.is_err() {
            self.publish(Topology::unknown(shut_down()));
        }
    }
}

impl Topology {
    fn unknown(why: Error) -> Self {
        Self {
            epoch: unique(),
            map: Err(why),
            nodes: Vec::new(),
        }
    }

    fn map(&self) -> Result<&SlotMap, Error> {
        self.map.as_ref().map_err(Clone::clone)
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The link to who serves a slot.
    pub(crate) fn link_of(&self, slot: u16) -> Result<Arc<Link>, Error> {
        let owner = self.map()?.owners[usize::from(slot)];
        let node = self.nodes.get(usize::from(owner)).ok_or_else(unserved)?;
        Ok(Arc::clone(&node.link))
    }

    /// The links, also those that are away.
    pub(super) fn all_links(&self) -> Vec<Arc<Link>> {
        self.nodes
            .iter()
            .map(|node| Arc::clone(&node.link))
            .collect()
    }

    /// The links that can be used now.
    pub(super) fn links_up(&self) -> Vec<Arc<Link>> {
        let links = self.nodes.iter().map(|node| &node.link);
        links
            .filter(|link| link.trouble().is_none())
            .cloned()
            .collect()
    }

    /// All links, if together they serve every slot.
    pub(crate) fn links(&self) -> Result<Vec<Arc<Link>>, Error> {
        if !self.map()?.is_complete() {
            return Err(unserved());
        }
        let links = self.nodes.iter().map(|node| Arc::clone(&node.link));
        Ok(links.collect())
    }
}

fn shut_down() -> Error {
    Error::new(ErrorKind::ShutDown, "the runtime has been shut down")
}

fn unserved() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "the cluster does not serve all of its slots: see `CLUSTER INFO` on its nodes",
    )
}

async fn keep_up(cluster: Weak<Cluster>, outdated: Arc<Notify>) {
    loop {
        let hinted = timeout(INTERVAL, outdated.notified()).await.is_ok();
        let Some(cluster) = cluster.upgrade() else {
            return;
        };
        match cluster.refresh().await {
            Err(error) if error.kind() == ErrorKind::ShutDown => return,
            Err(error) => tracing::debug!(%error, "nobody tells who serves what"),
            Ok(()) => {}
        }
        drop(cluster);
        if hinted {
            tokio::time::sleep(PAUSE).await;
        }
    }
}
