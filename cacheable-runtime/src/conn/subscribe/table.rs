//! Who listens to what, and over which connection.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::{Notify, watch};

use super::super::address::Address;
use super::call::HubCall;
use super::{Sink, Topic};
use crate::error::Error;
use crate::sync::lock;

#[derive(Default)]
pub(super) struct Table {
    inner: Mutex<Inner>,
    /// Held while sinks are told of a loss or a gap, so that they hear of both
    /// in the order in which they were. It is taken before the lock above, which
    /// is not held then: whoever is woken may end a subscription at once.
    order: Mutex<()>,
    /// A hub has ended, or has done what the table asked of it.
    settled: Notify,
    /// Hubs drop all they do.
    closing: watch::Sender<bool>,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<Topic, Entry>,
    /// One for each server that something is listened to on, by its address.
    hubs: HashMap<String, Arc<HubCall>>,
    closed: Option<Error>,
}

/// Who listens to a topic.
#[derive(Clone)]
pub(super) struct Listed {
    id: u64,
    pub(super) sink: Arc<dyn Sink>,
    /// A confirmation has come since it was listed: it can miss something.
    live: bool,
}

type Sinks = Arc<[Listed]>;

struct Entry {
    /// Whose connection carries it.
    place: String,
    sinks: Sinks,
    /// The connection over which it was asked for; an answer that comes over
    /// another one, or to an entry before this one, says nothing.
    asked: Option<u64>,
    /// Since when something may be missing: it was live, and will be again.
    lost: Option<Instant>,
    status: watch::Sender<Status>,
}

#[derive(Clone, Debug)]
pub(super) enum Status {
    /// Asked for the first time, or again.
    Asked,
    /// The server has confirmed, over a connection that is still there.
    Live,
    Refused(Error),
}

/// What the connection of a hub has to be told.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) subscribe: Vec<Topic>,
    pub(super) unsubscribe: Vec<Topic>,
}

impl Table {
    /// Lists a sink. With it comes the hub to start, if there is none yet.
    pub(super) fn add(
        &self,
        topic: &Topic,
        place: &Address,
        id: u64,
        sink: Arc<dyn Sink>,
    ) -> Result<(watch::Receiver<Status>, Option<Arc<HubCall>>), Error> {
        let mut inner = lock(&self.inner);
        if let Some(closed) = &inner.closed {
            return Err(closed.clone());
        }
        if let Some(entry) = inner.entries.get_mut(topic) {
            // One that is being made again is waited for as a new one is.
            let live = entry.is_live();
            let present = entry.sinks.iter().cloned();
            entry.sinks = present.chain([Listed { id, sink, live }]).collect();
            return Ok((entry.status.subscribe(), None));
        }
        let place_name = place.shown().to_owned();
        let (status, watching) = watch::channel(Status::Asked);
        inner.entries.insert(
            topic.clone(),
            Entry {
                place: place_name.clone(),
                sinks: [Listed {
                    id,
                    sink,
                    live: false,
                }]
                .into(),
                asked: None,
                lost: None,
                status,
            },
        );
        Ok((watching, inner.call(place_name, place)))
    }

    pub(super) fn remove(&self, topic: &Topic, id: u64) {
        let mut inner = lock(&self.inner);
        let Some(entry) = inner.entries.get_mut(topic) else {
            return;
        };
        let left: Sinks = entry
            .sinks
            .iter()
            .filter(|listed| listed.id != id)
            .cloned()
            .collect();
        if !left.is_empty() {
            let before = std::mem::replace(&mut entry.sinks, left);
            drop(inner);
            // With it goes what a sink has kept, such as a waker.
            drop(before);
            return;
        }
        let place = entry.place.clone();
        let entry = inner.entries.remove(topic);
        if let Some(hub) = inner.hubs.get(&place) {
            hub.changed.notify_one();
        }
        drop(inner);
        drop(entry);
    }

    /// What is to be said over a connection that carries `carried`. What is to
    /// be subscribed to counts as asked for from now on.
    pub(super) fn changes(
        &self,
        place: &str,
        connection: u64,
        carried: &HashSet<Topic>,
    ) -> Changes {
        let mut inner = lock(&self.inner);
        let mut changes = Changes::default();
        for topic in carried {
            let entry = inner.entries.get(topic);
            if entry.is_none_or(|entry| entry.place != place || entry.asked != Some(connection)) {
                changes.unsubscribe.push(topic.clone());
            }
        }
        for (topic, entry) in &mut inner.entries {
            if entry.place == place && entry.asked != Some(connection) {
                entry.asked = Some(connection);
                changes.subscribe.push(topic.clone());
            }
        }
        changes
    }

    /// The server has confirmed.
    pub(super) fn confirmed(&self, topic: &Topic, connection: u64) {
        let _order = lock(&self.order);
        let mut inner = lock(&self.inner);
        let Some(entry) = inner.entries.get_mut(topic) else {
            return;
        };
        if entry.asked != Some(connection) {
            return;
        }
        let (before, lost) = (Arc::clone(&entry.sinks), entry.lost.take());
        if entry.sinks.iter().any(|listed| !listed.live) {
            let live = |listed: &Listed| Listed {
                live: true,
                ..listed.clone()
            };
            entry.sinks = entry.sinks.iter().map(live).collect();
        }
        let status = entry.status.clone();
        set(&status, Status::Live);
        drop(inner);
        if let Some(since) = lost {
            for listed in before.iter().filter(|listed| listed.live) {
                listed.sink.gap(since);
            }
        }
        status.send_modify(|_| {});
    }

    /// The sinks of a message that came over a connection. What came before it
    /// was confirmed belongs to a subscription before this one.
    pub(super) fn sinks(&self, topic: &Topic, connection: u64) -> Option<Sinks> {
        let inner = lock(&self.inner);
        let entry = inner.entries.get(topic)?;
        let live = entry.asked == Some(connection) && entry.is_live();
        live.then(|| Arc::clone(&entry.sinks))
    }

    /// The server refuses it: all who listen are told, and it is forgotten.
    pub(super) fn refused(&self, topic: &Topic, connection: u64, why: &Error) {
        let mut inner = lock(&self.inner);
        let asked = inner.entries.get(topic).and_then(|entry| entry.asked);
        if asked != Some(connection) {
            return;
        }
        let entry = inner.entries.remove(topic).expect("it was just there");
        drop(inner);
        entry.end(why);
    }

    /// It is served elsewhere: it is asked for again.
    pub(super) fn postponed(&self, topic: &Topic, connection: u64, since: Instant) {
        let _order = lock(&self.order);
        let mut inner = lock(&self.inner);
        let lost = match inner.entries.get_mut(topic) {
            Some(entry) if entry.asked == Some(connection) => entry.lose(since),
            _ => None,
        };
        drop(inner);
        tell_lost(lost);
    }

    /// Whether somebody listens to it over this connection.
    pub(super) fn is_carried(&self, topic: &Topic, connection: u64) -> bool {
        let inner = lock(&self.inner);
        let entry = inner.entries.get(topic);
        entry.is_some_and(|entry| entry.asked == Some(connection))
    }

    /// A connection is gone, and all that it carried.
    pub(super) fn lost(&self, connection: u64, since: Instant) {
        let _order = lock(&self.order);
        let mut inner = lock(&self.inner);
        let entries = inner.entries.values_mut();
        let carried = entries.filter(|entry| entry.asked == Some(connection));
        let lost: Vec<Sinks> = carried.filter_map(|entry| entry.lose(since)).collect();
        drop(inner);
        tell_lost(lost);
    }

    /// Whether somebody there has never heard anything.
    pub(super) fn has_new(&self, place: &str) -> bool {
        let inner = lock(&self.inner);
        inner.entries.values().any(|entry| entry.is_new(place))
    }

    /// No connection can be made: those who have never heard anything are told
    /// why instead of waiting on.
    pub(super) fn unreachable(&self, place: &str, why: &Error) {
        let mut inner = lock(&self.inner);
        let topics: Vec<Topic> = inner
            .entries
            .iter()
            .filter(|(_, entry)| entry.is_new(place))
            .map(|(topic, _)| topic.clone())
            .collect();
        let entries: Vec<Entry> = topics
            .iter()
            .filter_map(|topic| inner.entries.remove(topic))
            .collect();
        drop(inner);
        for entry in entries {
            entry.end(why);
        }
    }

    /// Has topics carried by whom `place_of` says from now on. Returns the
    /// hubs to start.
    pub(super) fn replace(
        &self,
        from: &str,
        since: Instant,
        place_of: impl Fn(&Topic, &str) -> Result<Address, Error>,
    ) -> Vec<Arc<HubCall>> {
        let _order = lock(&self.order);
        let mut inner = lock(&self.inner);
        let (mut moved, mut lost) = (Vec::new(), Vec::new());
        for (topic, entry) in &mut inner.entries {
            if entry.place != from {
                continue;
            }
            // Nobody serves it now: it stays until somebody does.
            let Ok(place) = place_of(topic, from) else {
                continue;
            };
            if place.shown() != from {
                lost.extend(entry.lose(since));
                place.shown().clone_into(&mut entry.place);
                moved.push(place);
            }
        }
        let calls: Vec<Arc<HubCall>> = moved
            .into_iter()
            .filter_map(|place| inner.call(place.shown().to_owned(), &place))
            .collect();
        drop(inner);
        tell_lost(lost);
        calls
    }

    /// Takes a hub off the list if it has nothing to carry; it is none any more
    /// then.
    pub(super) fn leaves(&self, hub: &Arc<HubCall>) -> bool {
        let place = hub.address.shown();
        let mut inner = lock(&self.inner);
        let idle = inner.entries.values().all(|entry| entry.place != place);
        // Another one may have been started for the server since it left.
        if idle && inner.hubs.get(place).is_some_and(|it| Arc::ptr_eq(it, hub)) {
            inner.hubs.remove(place);
        }
        idle
    }

    pub(super) fn close(&self, why: &Error) {
        let mut inner = lock(&self.inner);
        inner.closed.get_or_insert_with(|| why.clone());
        let entries = std::mem::take(&mut inner.entries);
        for hub in inner.hubs.values() {
            hub.changed.notify_one();
        }
        drop(inner);
        self.closing.send_replace(true);
        for entry in entries.into_values() {
            entry.end(why);
        }
    }

    /// Waits until [`close`](Self::close).
    pub(super) async fn closing(&self) {
        let mut closing = self.closing.subscribe();
        // The sender lives as long as this.
        drop(closing.wait_for(|closing| *closing).await);
    }

    /// A hub has done all that it was asked for.
    pub(super) fn has_settled(&self) {
        self.settled.notify_waiters();
    }

    /// Waits until the last hub has ended.
    pub(super) async fn without_hubs(&self) {
        self.until(|inner| inner.hubs.is_empty()).await;
    }

    /// Waits until no server sends what is published there, or somebody
    /// listens to it again.
    pub(super) async fn without(&self, topic: &Topic) {
        let is_over = |inner: &Inner| {
            let mut hubs = inner.hubs.values();
            inner.entries.contains_key(topic) || hubs.all(|hub| !lock(&hub.carried).contains(topic))
        };
        self.until(is_over).await;
    }

    async fn until(&self, holds: impl Fn(&Inner) -> bool) {
        loop {
            let mut settled = pin!(self.settled.notified());
            // Listens from here on.
            settled.as_mut().enable();
            if holds(&lock(&self.inner)) {
                return;
            }
            settled.await;
        }
    }
}

impl Inner {
    /// Tells the hub of a server, or returns one to be started.
    fn call(&mut self, name: String, address: &Address) -> Option<Arc<HubCall>> {
        if let Some(hub) = self.hubs.get(&name) {
            hub.changed.notify_one();
            return None;
        }
        let hub = Arc::new(HubCall::new(address.clone()));
        self.hubs.insert(name, Arc::clone(&hub));
        Some(hub)
    }
}

impl Entry {
    /// It has never been live, and is to be there. One that was lost is told when it
    /// is live again.
    fn is_new(&self, place: &str) -> bool {
        self.place == place && self.lost.is_none() && !self.is_live()
    }

    fn is_live(&self) -> bool {
        matches!(*self.status.borrow(), Status::Live)
    }

    /// Returns who is to be told.
    fn lose(&mut self, since: Instant) -> Option<Sinks> {
        self.asked = None;
        if !self.is_live() {
            return None;
        }
        // Nobody waits for this.
        set(&self.status, Status::Asked);
        self.lost = Some(since);
        Some(Arc::clone(&self.sinks))
    }

    fn end(self, why: &Error) {
        self.status.send_replace(Status::Refused(why.clone()));
        for listed in self.sinks.iter() {
            listed.sink.ended(why);
        }
    }
}

/// Wakes nobody.
fn set(status: &watch::Sender<Status>, to: Status) {
    status.send_if_modified(|status| {
        *status = to;
        false
    });
}

fn tell_lost(lost: impl IntoIterator<Item = Sinks>) {
    for sinks in lost {
        for listed in sinks.iter() {
            listed.sink.lost();
        }
    }
}
