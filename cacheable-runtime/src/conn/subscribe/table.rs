//! Who listens to what, and over which connection.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::{Notify, watch};

use super::super::address::Address;
use super::{Sink, Topic};
use crate::error::Error;
use crate::sync::lock;

#[derive(Default)]
pub(super) struct Table {
    inner: Mutex<Inner>,
    /// A hub has ended.
    ended: Notify,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<Topic, Entry>,
    /// One for each server that something is listened to on, by its address.
    hubs: HashMap<String, Arc<HubCall>>,
    closed: Option<Error>,
}

/// What a hub is told.
pub(super) struct HubCall {
    pub(super) address: Address,
    /// The table has changed, or the connection is of no more use.
    pub(super) changed: Notify,
    given_up: AtomicU64,
}

impl HubCall {
    /// The connection is of no more use.
    pub(super) fn give_up(&self, connection: u64) {
        self.given_up.store(connection, Ordering::SeqCst);
        self.changed.notify_one();
    }

    pub(super) fn is_given_up(&self, connection: u64) -> bool {
        self.given_up.load(Ordering::SeqCst) == connection
    }
}

type Sinks = Arc<[(u64, Arc<dyn Sink>)]>;

struct Entry {
    /// Whose connection carries it.
    place: String,
    sinks: Sinks,
    /// The connection over which it was asked for; an answer that comes over
    /// another one, or to an entry before this one, says nothing.
    asked: Option<u64>,
    /// When it was lost after it had been live.
    lost: Option<Instant>,
    status: watch::Sender<Status>,
}

#[derive(Clone, Debug)]
pub(super) enum Status {
    Asked,
    /// The server has confirmed.
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
            let present = entry.sinks.iter().cloned();
            entry.sinks = present.chain([(id, sink)]).collect();
            return Ok((entry.status.subscribe(), None));
        }
        let place_name = place.shown().to_owned();
        let (status, watching) = watch::channel(Status::Asked);
        inner.entries.insert(
            topic.clone(),
            Entry {
                place: place_name.clone(),
                sinks: [(id, sink)].into(),
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
            .filter(|(listed, _)| *listed != id)
            .cloned()
            .collect();
        if !left.is_empty() {
            entry.sinks = left;
            return;
        }
        let place = entry.place.clone();
        inner.entries.remove(topic);
        if let Some(hub) = inner.hubs.get(&place) {
            hub.changed.notify_one();
        }
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
        let mut inner = lock(&self.inner);
        let Some(entry) = inner.entries.get_mut(topic) else {
            return;
        };
        if entry.asked != Some(connection) {
            return;
        }
        if let Some(since) = entry.lost.take() {
            for (_, sink) in entry.sinks.iter() {
                sink.gap(since);
            }
        }
        entry.status.send_replace(Status::Live);
    }

    /// The sinks of a message that came over a connection.
    pub(super) fn sinks(&self, topic: &Topic, connection: u64) -> Option<Sinks> {
        let inner = lock(&self.inner);
        let entry = inner.entries.get(topic)?;
        (entry.asked == Some(connection)).then(|| Arc::clone(&entry.sinks))
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
    pub(super) fn postponed(&self, topic: &Topic, connection: u64) {
        let mut inner = lock(&self.inner);
        if let Some(entry) = inner.entries.get_mut(topic)
            && entry.asked == Some(connection)
        {
            entry.lose();
        }
    }

    /// Whether somebody listens to it over this connection.
    pub(super) fn is_carried(&self, topic: &Topic, connection: u64) -> bool {
        let inner = lock(&self.inner);
        let entry = inner.entries.get(topic);
        entry.is_some_and(|entry| entry.asked == Some(connection))
    }

    /// A connection is gone, and all that it carried.
    pub(super) fn lost(&self, connection: u64) {
        for entry in lock(&self.inner).entries.values_mut() {
            if entry.asked == Some(connection) {
                entry.lose();
            }
        }
    }

    /// No connection can be made: those who have never heard anything are told
    /// why instead of waiting on.
    pub(super) fn unreachable(&self, place: &str, why: &Error) {
        let mut inner = lock(&self.inner);
        let topics: Vec<Topic> = inner
            .entries
            .iter()
            .filter(|(_, entry)| {
                entry.place == place && matches!(*entry.status.borrow(), Status::Asked)
            })
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
        place_of: impl Fn(&Topic, &str) -> Result<Address, Error>,
    ) -> Vec<Arc<HubCall>> {
        let mut inner = lock(&self.inner);
        let mut moved = Vec::new();
        for (topic, entry) in &mut inner.entries {
            if entry.place != from {
                continue;
            }
            // Nobody serves it now: it stays until somebody does.
            let Ok(place) = place_of(topic, from) else {
                continue;
            };
            if place.shown() != from {
                entry.lose();
                place.shown().clone_into(&mut entry.place);
                moved.push(place);
            }
        }
        let calls = moved
            .into_iter()
            .filter_map(|place| inner.call(place.shown().to_owned(), &place));
        calls.collect()
    }

    /// Whether a hub has anything to carry. If not, it is no hub any more once
    /// `leaves`.
    pub(super) fn is_idle(&self, place: &str, leaves: bool) -> bool {
        let mut inner = lock(&self.inner);
        let idle = inner.entries.values().all(|entry| entry.place != place);
        if idle && leaves {
            inner.hubs.remove(place);
            drop(inner);
            self.ended.notify_waiters();
        }
        idle
    }

    pub(super) fn is_closed(&self) -> bool {
        lock(&self.inner).closed.is_some()
    }

    pub(super) fn close(&self, why: &Error) {
        let mut inner = lock(&self.inner);
        inner.closed.get_or_insert_with(|| why.clone());
        let entries = std::mem::take(&mut inner.entries);
        for hub in inner.hubs.values() {
            hub.changed.notify_one();
        }
        drop(inner);
        for entry in entries.into_values() {
            entry.end(why);
        }
    }

    /// Waits until the last hub has ended.
    pub(super) async fn without_hubs(&self) {
        loop {
            let ended = self.ended.notified();
            if lock(&self.inner).hubs.is_empty() {
                return;
            }
            ended.await;
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
        let hub = Arc::new(HubCall {
            address: address.clone(),
            changed: Notify::new(),
            given_up: AtomicU64::new(0),
        });
        self.hubs.insert(name, Arc::clone(&hub));
        Some(hub)
    }
}

impl Entry {
    fn lose(&mut self) {
        self.asked = None;
        if matches!(*self.status.borrow(), Status::Live) && self.lost.is_none() {
            self.lost = Some(Instant::now());
            for (_, sink) in self.sinks.iter() {
                sink.lost();
            }
        }
    }

    fn end(self, why: &Error) {
        self.status.send_replace(Status::Refused(why.clone()));
        for (_, sink) in self.sinks.iter() {
            sink.ended(why);
        }
    }
}
