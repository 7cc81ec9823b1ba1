//! Where those of one process wait who want the same lock.
//!
//! One of them at a time has the *turn*: it alone asks the store, and is woken
//! when the lock is released. The others stand in line for the turn. So a
//! release wakes one task of each process, however many wait in it, and they
//! come in their order.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
#[cfg(feature = "redis")]
use tokio::time::Instant;

#[cfg(feature = "redis")]
use crate::conn::subscribe::Subscribed;
use crate::sync::{Mutex, lock, random};

/// The rooms in which somebody waits.
#[derive(Default)]
pub(super) struct Rooms(Mutex<HashMap<String, Arc<Room>>>);

#[derive(Default)]
pub(super) struct Room {
    pub(super) turn: tokio::sync::Mutex<Turn>,
    pub(super) bell: Arc<Bell>,
}

/// What one hands over to the next with the turn.
#[derive(Default)]
pub(super) struct Turn {
    #[cfg(feature = "redis")]
    pub(super) ear: Option<Subscribed>,
    /// When to try again to subscribe.
    #[cfg(feature = "redis")]
    pub(super) again: Option<Instant>,
}

/// Rings when the lock may be free.
#[derive(Default)]
pub(super) struct Bell {
    rings: Notify,
    /// A release is heard. If not, it has to be asked for.
    hears: AtomicBool,
}

/// Somebody is in the room. The last one to leave takes it down.
pub(super) struct Visit<'a> {
    rooms: &'a Rooms,
    key: &'a str,
    room: Arc<Room>,
}

impl Rooms {
    pub(super) fn is_waited_for(&self, key: &str) -> bool {
        lock(&self.0).contains_key(key)
    }

    pub(super) fn enter<'a>(&'a self, key: &'a str) -> Visit<'a> {
        let mut rooms = lock(&self.0);
        let room = match rooms.get(key) {
            Some(room) => Arc::clone(room),
            None => Arc::clone(rooms.entry(key.to_owned()).or_default()),
        };
        drop(rooms);
        Visit {
            rooms: self,
            key,
            room,
        }
    }

    pub(super) fn ring(&self, key: &str) {
        // Without a reference of its own, which a visit that ends would count.
        if let Some(room) = lock(&self.0).get(key) {
            room.bell.ring();
        }
    }
}

impl Visit<'_> {
    pub(super) fn room(&self) -> &Room {
        &self.room
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        let mut rooms = lock(&self.rooms.0);
        // The list and this visit: nobody can enter meanwhile.
        let taken = (Arc::strong_count(&self.room) == 2).then(|| rooms.remove(self.key));
        drop(rooms);
        // The subscription ends outside of the lock.
        drop(taken);
    }
}

impl Bell {
    /// One that waits, or the next to wait, goes on.
    pub(super) fn ring(&self) {
        self.rings.notify_one();
    }

    pub(super) async fn rung(&self) {
        self.rings.notified().await;
    }

    pub(super) fn hears(&self, hears: bool) {
        self.hears.store(hears, Ordering::SeqCst);
    }

    /// The longest time between two questions: what was not heard, because a
    /// holder crashed or a connection broke, is found out by asking.
    pub(super) fn patience(&self) -> Duration {
        let longest = if self.hears.load(Ordering::SeqCst) {
            1000
        } else {
            150
        };
        Duration::from_millis(longest - random() % (longest / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_to_leave_takes_the_room_down() {
        let rooms = Rooms::default();
        let (first, second) = (rooms.enter("a"), rooms.enter("a"));
        assert!(rooms.is_waited_for("a") && !rooms.is_waited_for("b"));
        drop(first);
        assert!(rooms.is_waited_for("a"));
        drop(second);
        assert!(!rooms.is_waited_for("a"));
    }

    #[test]
    fn who_hears_nothing_asks_often() {
        let bell = Bell::default();
        for hears in [false, true] {
            bell.hears(hears);
            let (least, most) = if hears { (500, 1000) } else { (75, 150) };
            for _ in 0..100 {
                let patience = bell.patience().as_millis();
                assert!((least..=most).contains(&patience), "{patience}");
            }
        }
    }
}
