//! A server with one entry and one marker, and what it tells over the wire.

use shuttle::sync::mpsc::Sender;

pub(super) const KEY: &str = "cache:p:m:1";
pub(super) const MARKER: &str = "tag:{tag}:t:a";

/// What happened on the connection that is read over, in the order of the wire.
pub(super) enum Told {
    Answer(Sender<Answer>, Answer),
    /// What made a key old, by the version behind it.
    Changed(&'static str, u64),
    AllChanged(u64),
}

#[derive(Clone, Copy)]
pub(super) struct Answer {
    pub(super) slot: Slot,
    pub(super) counter: u64,
    pub(super) marker: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Empty,
    Lease(u64),
    Value { version: u64, stamp: u64 },
}

pub(super) struct Server {
    pub(super) slot: Slot,
    pub(super) counter: u64,
    pub(super) marker: u64,
    /// The version behind the last removal.
    pub(super) removed: u64,
    /// Whether the reader is told of the next change of these.
    pub(super) tells_key: bool,
    pub(super) tells_marker: bool,
    /// `None`: there is no connection.
    pub(super) wire: Option<Sender<Told>>,
}

impl Server {
    pub(super) fn tell(&self, told: Told) {
        if let Some(wire) = &self.wire {
            wire.send(told).expect("the wire is read");
        }
    }

    pub(super) fn remove(&mut self, version: u64) {
        self.slot = Slot::Empty;
        self.removed = version;
        if std::mem::take(&mut self.tells_key) {
            self.tell(Told::Changed(KEY, version));
        }
    }

    pub(super) fn raise(&mut self, version: u64) -> u64 {
        self.counter += 1;
        self.marker = self.counter;
        self.removed = version;
        if std::mem::take(&mut self.tells_marker) {
            self.tell(Told::Changed(MARKER, version));
        }
        self.counter
    }

    pub(super) fn flush(&mut self, version: u64) {
        self.slot = Slot::Empty;
        self.removed = version;
        self.tells_key = false;
        self.tells_marker = false;
        self.tell(Told::AllChanged(version));
    }
}
