//! What a hub and the table know of each other.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::ConnectionInfo;
use tokio::sync::Notify;

use super::super::address::Address;
use super::Topic;
use crate::sync::lock;

/// What a hub is told.
pub(super) struct HubCall {
    pub(super) address: Address,
    /// The table has changed, or the connection is of no more use.
    pub(super) changed: Notify,
    given_up: AtomicU64,
    /// What its connection is subscribed to, as far as has been confirmed.
    pub(super) carried: Mutex<HashSet<Topic>>,
    /// The hub awaits an answer.
    pub(super) asking: AtomicBool,
    /// What it has just asked to end.
    pub(super) leaving: Mutex<Option<Topic>>,
    times: Mutex<Times>,
}

struct Times {
    /// When anything came last.
    heard: Instant,
    sound: Instant,
    /// What the connection is to.
    at: Option<ConnectionInfo>,
}

impl HubCall {
    pub(super) fn new(address: Address) -> Self {
        Self {
            address,
            changed: Notify::new(),
            given_up: AtomicU64::new(0),
            carried: Mutex::default(),
            asking: AtomicBool::new(false),
            leaving: Mutex::default(),
            times: Mutex::new(Times {
                heard: Instant::now(),
                sound: Instant::now(),
                at: None,
            }),
        }
    }

    pub(super) fn hears(&self) {
        lock(&self.times).heard = Instant::now();
    }

    /// Whether anything was heard in the last so long.
    pub(super) fn has_heard(&self, within: Duration) -> bool {
        lock(&self.times).heard.elapsed() < within
    }

    /// What the connection is to from now on.
    pub(super) fn is_at(&self, at: &ConnectionInfo) {
        lock(&self.times).at = Some(at.clone());
    }

    /// What was asked then has been answered. By a server that was no primary
    /// any more it says nothing: others are published to by then.
    pub(super) fn is_sound(&self, asked: Instant) {
        let mut times = lock(&self.times);
        let named = times.at.as_ref().and_then(|at| self.address.named(at));
        times.sound = named.map_or(asked, |named| named.min(asked));
    }

    /// All that was published before has been heard: it came before an answer.
    pub(super) fn sound_until(&self) -> Instant {
        lock(&self.times).sound
    }

    /// The connection is of no more use.
    pub(super) fn give_up(&self, connection: u64) {
        self.given_up.store(connection, Ordering::SeqCst);
        self.changed.notify_one();
    }

    pub(super) fn is_given_up(&self, connection: u64) -> bool {
        self.given_up.load(Ordering::SeqCst) == connection
    }
}
