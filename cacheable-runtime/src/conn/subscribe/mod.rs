//! What is published on the servers, over connections of its own: one to each
//! server that has something to tell, however many listen.
//!
//! All that anybody listens to stands in one table. A [`hub`] keeps one
//! connection, subscribes it to what the table has for its server, and hands
//! out what comes. A topic that was subscribed to, lost and subscribed to
//! again is told of the gap before the first message after it.

mod call;
mod hub;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::time::timeout;

use super::{Routes, Timeouts};
use crate::error::{Error, ErrorKind};
use crate::sync::unique;
use table::{Status, Table};

/// How a name is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A channel; in a cluster every node passes on what is published.
    Exact,
    /// All channels that a pattern in the server's words matches.
    Pattern,
    /// A channel that in a cluster only its slot's node knows of; a channel
    /// beside those of [`Exact`](Self::Exact), even with the same name. From
    /// Redis 7 on.
    Sharded,
}

/// What can be listened to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Topic {
    pub(crate) kind: Kind,
    pub(crate) name: Arc<[u8]>,
}

/// Who listens. All of it is called on the task that reads the connection, in
/// the order of the wire; nothing here may wait or panic.
pub(crate) trait Sink: Send + Sync + 'static {
    /// Something was published. The channel tells which one a pattern matched.
    fn message(&self, channel: &[u8], payload: &[u8]);

    /// From about now on nothing is heard; the connection is being made again.
    fn lost(&self) {}

    /// It is heard again. All that was published before `since` was heard; what
    /// was published after it may be missing.
    fn gap(&self, since: Instant);

    /// Nothing will ever come: the runtime was shut down, or the server
    /// refuses the subscription for this reason.
    fn ended(&self, why: &Error);
}

/// What a process listens to on its server or cluster.
pub(crate) struct Subscriptions {
    shared: Arc<Shared>,
}

struct Shared {
    routes: Arc<Routes>,
    timeouts: Timeouts,
    table: Table,
    /// Where the connections live: whoever asks may live elsewhere.
    runtime: Handle,
}

/// A [`Sink`] that is listed. Dropped, it is told nothing more; the last one
/// of its topic takes the subscription on the server along.
#[must_use = "nothing is heard after this is dropped"]
pub(crate) struct Subscribed {
    shared: Arc<Shared>,
    topic: Topic,
    id: u64,
}

impl Subscriptions {
    pub(crate) fn new(routes: Arc<Routes>, timeouts: Timeouts) -> Self {
        Self {
            shared: Arc::new(Shared {
                routes,
                timeouts,
                table: Table::default(),
                runtime: Handle::current(),
            }),
        }
    }

    /// Lists `sink`, and returns after the server has confirmed: what is
    /// published from then on is heard.
    pub(crate) async fn subscribe(
        &self,
        topic: Topic,
        sink: Arc<dyn Sink>,
    ) -> Result<Subscribed, Error> {
        let place = self.shared.routes.place_of(&topic, None)?;
        let id = unique();
        let (mut status, hub) = self.shared.table.add(&topic, &place, id, sink)?;
        // From here on it is taken off the list if this future is dropped.
        let subscribed = Subscribed {
            shared: Arc::clone(&self.shared),
            topic,
            id,
        };
        if let Some(hub) = hub {
            self.shared
                .runtime
                .spawn(hub::run(Arc::clone(&self.shared), hub));
        }
        let patience = self.shared.timeouts.command;
        let settled = status.wait_for(|status| !matches!(status, Status::Asked));
        match timeout(patience, settled).await {
            Ok(Ok(status)) => match &*status {
                Status::Live => {}
                Status::Refused(why) => return Err(why.clone()),
                Status::Asked => unreachable!("it is what was waited for the end of"),
            },
            Ok(Err(_)) => return Err(shut_down()),
            Err(_) => {
                return Err(Error::new(
                    ErrorKind::Timeout,
                    format!("the server did not confirm a subscription within {patience:?}"),
                ));
            }
        }
        Ok(subscribed)
    }

    /// Ends all of it, for good; every sink is told.
    pub(crate) async fn close(&self, deadline: Duration) {
        self.shared.table.close(&shut_down());
        let gone = self.shared.table.without_hubs();
        drop(timeout(deadline, gone).await);
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        self.shared.table.close(&shut_down());
    }
}

impl Subscribed {
    /// Takes it off the list, and waits until the server has confirmed that if
    /// it was the last one of its topic; for as long as `deadline`.
    pub(crate) async fn end(self, deadline: Duration) {
        let (shared, topic) = (Arc::clone(&self.shared), self.topic.clone());
        drop(self);
        drop(timeout(deadline, shared.table.without(&topic)).await);
    }
}

impl Drop for Subscribed {
    fn drop(&mut self) {
        self.shared.table.remove(&self.topic, self.id);
    }
}

fn shut_down() -> Error {
    Error::new(ErrorKind::ShutDown, "the runtime has been shut down")
}
