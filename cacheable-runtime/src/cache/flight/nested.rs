//! Calls made inside a body.
//!
//! A body may call its own key, directly or through other keys, and another
//! caller's body may do the same from the other side. Waiting would then never
//! end. So each thread knows which bodies it is polling, and all waits made
//! inside of bodies are noted in one graph for the whole process.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use once_cell::sync::Lazy;

use super::FlightId;
use crate::sync::{lock, thread_local};

/// The bytes under a key while somebody loads.
pub(crate) type Lease = Arc<[u8]>;

/// A body that is being polled.
struct Frame {
    by: By,
    lease: Option<Lease>,
}

/// Whose body it is.
pub(super) enum By {
    Flight(FlightId),
    /// A put of this key.
    Put(Arc<str>),
}

thread_local! {
    /// The bodies that are being polled on this thread, outermost first. It is
    /// set around each poll, so it follows the task, whichever thread that is
    /// on and whatever runtime it is in.
    static FRAMES: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
}

/// Which flight waits for which, through calls made inside of bodies.
static WAITS: Lazy<Mutex<HashMap<FlightId, Vec<FlightId>>>> = Lazy::new(Mutex::default);

/// Marks this thread as being inside a body until the guard is dropped.
pub(super) fn enter(by: By, lease: Option<Lease>) -> Inside {
    FRAMES.with(|frames| frames.borrow_mut().push(Frame { by, lease }));
    Inside(())
}

/// As [`enter`], for the body of a put.
pub(crate) fn enter_put(key: &Arc<str>, lease: Option<Lease>) -> Inside {
    enter(By::Put(Arc::clone(key)), lease)
}

/// See [`enter`].
pub(crate) struct Inside(());

impl Drop for Inside {
    fn drop(&mut self) {
        FRAMES.with(|frames| frames.borrow_mut().pop());
    }
}

/// Whether this is called from a body that others may wait for.
pub(crate) fn is_inside() -> bool {
    FRAMES.with(|frames| !frames.borrow().is_empty())
}

/// Whether this is called from the very body that this lease is of.
pub(crate) fn holds(lease: &[u8]) -> bool {
    FRAMES.with(|frames| {
        let frames = frames.borrow();
        let mut leases = frames.iter().filter_map(|frame| frame.lease.as_deref());
        leases.any(|held| held == lease)
    })
}

/// Whether this is called from the body of a put of this key.
pub(crate) fn replaces(key: &str) -> bool {
    FRAMES.with(|frames| {
        let frames = frames.borrow();
        let mut bodies = frames.iter().map(|frame| &frame.by);
        bodies.any(|by| matches!(by, By::Put(replaced) if **replaced == *key))
    })
}

/// The flights whose bodies this is called from.
pub(super) fn flights() -> Vec<FlightId> {
    FRAMES.with(|frames| {
        let frames = frames.borrow();
        let bodies = frames.iter().map(|frame| &frame.by);
        bodies
            .filter_map(|by| match by {
                By::Flight(flight) => Some(*flight),
                By::Put(_) => None,
            })
            .collect()
    })
}

/// A wait that is noted, until it is dropped.
pub(super) struct Noted {
    from: Vec<FlightId>,
    to: FlightId,
}

impl Noted {
    /// Notes that the flights `from` wait for `to`. `None`: through other
    /// waits they would wait for themselves.
    pub(super) fn new(from: Vec<FlightId>, to: FlightId) -> Option<Self> {
        let mut waits = lock(&WAITS);
        let mut reached = vec![to];
        let mut next = 0;
        while let Some(flight) = reached.get(next) {
            if from.contains(flight) {
                return None;
            }
            for to in waits.get(flight).into_iter().flatten() {
                if !reached.contains(to) {
                    reached.push(*to);
                }
            }
            next += 1;
        }
        for flight in &from {
            waits.entry(*flight).or_default().push(to);
        }
        Some(Self { from, to })
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        let mut waits = lock(&WAITS);
        for flight in &self.from {
            if let Some(targets) = waits.get_mut(flight) {
                if let Some(at) = targets.iter().position(|to| *to == self.to) {
                    targets.swap_remove(at);
                }
                if targets.is_empty() {
                    waits.remove(flight);
                }
            }
        }
    }
}

/// Whether anything is noted of this flight.
#[cfg(test)]
pub(super) fn waits_of(flight: FlightId) -> bool {
    lock(&WAITS).contains_key(&flight)
}
