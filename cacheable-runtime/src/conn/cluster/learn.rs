//! Asks who serves what.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use redis::{AsyncConnectionConfig, Value, cmd};
use tokio::time::timeout;

use super::super::address::Address;
use super::super::fault::{code, translate_in_cluster};
use super::super::slots::{NOBODY, SlotMap};
use super::super::stream::Connection;
use super::super::{Lane, Link, Timeouts};
use super::{Cluster, unserved};
use crate::error::{Error, ErrorKind};
use crate::sync::{BoxFuture, all};

/// So many nodes are asked at once; what most of them say is believed.
const ASKED: usize = 3;

impl Cluster {
    /// What most of some nodes say that are linked and well; else what the
    /// first says that answers a stranger.
    pub(super) async fn learn(&self) -> Result<SlotMap, Error> {
        let topology = self.topology();
        let well = topology.nodes.iter().map(|node| &node.link);
        let mut well: Vec<_> = well.filter(|link| link.trouble().is_none()).collect();
        if !well.is_empty() {
            // Others each time, since one may be the last to know.
            let turn = self.asked.fetch_add(1, Ordering::Relaxed) % well.len();
            well.rotate_left(turn);
            well.truncate(ASKED);
            let ask = |link: &Arc<Link>| -> BoxFuture<'_, _> {
                let link = Arc::clone(link);
                Box::pin(async move { link.slots().await })
            };
            let answers = all(well.into_iter().map(ask).collect()).await;
            let maps: Vec<SlotMap> = answers.into_iter().flatten().collect();
            if let Some(map) = most(&maps) {
                return Ok(map);
            }
        }
        let known = topology.nodes.iter().map(|node| node.link.address());
        let mut strangers = tokio::task::JoinSet::new();
        for address in self.seeds.iter().chain(known) {
            strangers.spawn(ask_stranger(address.clone(), self.timeouts));
        }
        let mut failed = None;
        while let Some(answer) = strangers.join_next().await {
            match answer {
                Ok(Ok(map)) => return Ok(map),
                // A reason that a person must do something about says more
                // than that nobody is there.
                Ok(Err(error))
                    if failed.is_none() || !matches!(error.kind(), ErrorKind::Unavailable) =>
                {
                    failed = Some(error);
                }
                _ => {}
            }
        }
        Err(failed.unwrap_or_else(unserved))
    }
}

/// The map that most agree on; of several, the last.
fn most(maps: &[SlotMap]) -> Option<SlotMap> {
    let votes = |map: &SlotMap| maps.iter().filter(|other| *other == map).count();
    maps.iter().max_by_key(|map| votes(map)).cloned()
}

/// Asks a node for the map over a connection of its own.
async fn ask_stranger(address: Address, timeouts: Timeouts) -> Result<SlotMap, Error> {
    let ask = async {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(Some(timeouts.command));
        let connection = Connection::open(address.info(), address.tls(), config).await?;
        connection.ask(cmd("CLUSTER").arg("SLOTS")).await
    };
    let answer = match timeout(timeouts.connect, ask).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) if code(&error) == Some("ERR") => return Err(no_cluster()),
        Ok(Err(error)) => return Err(translate_in_cluster(&error, timeouts.command)),
        Err(_) => {
            return Err(Error::new(
                ErrorKind::Timeout,
                format!("no connection within {:?}", timeouts.connect),
            ));
        }
    };
    read(&answer, &address)
}

fn read(answer: &Value, address: &Address) -> Result<SlotMap, Error> {
    let map = SlotMap::read(answer, address.host()).ok_or_else(no_cluster)?;
    if map.primaries.len() >= usize::from(NOBODY) || map.primaries.is_empty() {
        return Err(unserved());
    }
    Ok(map)
}

fn no_cluster() -> Error {
    Error::new(
        ErrorKind::Server,
        "the server is no node of a cluster: write its address as redis://host:port",
    )
}

impl Link {
    /// Who serves what, as this node knows it.
    async fn slots(&self) -> Result<SlotMap, Error> {
        let answer = self
            .query(Lane::Removals, cmd("CLUSTER").arg("SLOTS"))
            .await?;
        read(&answer, self.address())
    }
}
