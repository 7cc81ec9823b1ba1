//! One load per key at a time in this process.
//!
//! The first caller of a key leads: it asks the store, runs its body in its
//! own task and hands what it got to those who joined meanwhile. A leader that
//! is dropped, panics or fails leaves the seat to one of the waiters, who
//! brings its own body; nobody hangs, and nobody sees another caller's error.
//! An invalidation *disperses* the flights it covers: they are no longer found
//! by new callers, and those who wait run again from the start, so that nobody
//! who comes after an invalidation shares what was read before it.

#[cfg(test)]
mod tests;

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::sync::{lock, unique};

/// A decoded value, shared between the callers of one flight.
pub(crate) type Shared = Arc<dyn Any + Send + Sync>;

/// What a flight brought.
#[derive(Clone)]
pub(crate) enum Landing {
    Value(Shared),
    /// The source has nothing under this key.
    Absent,
}

/// What one call does with its key.
pub(crate) enum Boarded {
    /// Ask the store and run the body; others wait for it.
    Lead(Leader),
    /// Another caller did.
    Landed(Landing),
    /// An invalidation came while another caller was at it: start again.
    Dispersed,
    /// Waiting would never end, because the flight waits for this very task:
    /// run the body without sharing or storing.
    RunThrough,
}

/// Takes the key and the lease.
type Abandon = Box<dyn Fn(&str, &[u8]) + Send + Sync>;

/// All flights of one engine.
pub(crate) struct Flights {
    /// Removes from the store a lease that nobody will fill any more.
    abandon: Abandon,
    by_key: Mutex<HashMap<FlightKey, Arc<Flight>>>,
    /// Which flights wait for which, kept only for calls made inside a body.
    waits: Mutex<Vec<(FlightId, FlightId)>>,
    /// Notified when the last flight ends.
    idle: Notify,
}

/// The site is part of it: two sites that claim one key have other types.
#[derive(Clone, PartialEq, Eq, Hash)]
struct FlightKey {
    site: u64,
    key: Arc<str>,
}

type FlightId = u64;

struct Flight {
    id: FlightId,
    key: FlightKey,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    phase: Phase,
    waiters: usize,
    /// The lease of a leader that left; the next one goes on with it.
    lease: Option<Vec<u8>>,
}

enum Phase {
    /// The leader asks the store.
    Asked,
    /// The leader runs its body.
    Loading,
    /// The leader left and the seat is free.
    Vacant,
    Landed(Landing),
    Dispersed,
}

thread_local! {
    /// The flights whose bodies are being polled on this thread, outermost
    /// first. It is set around each poll, so it follows the task, whichever
    /// thread that is on and whatever runtime it is in.
    static INSIDE: RefCell<Vec<FlightId>> = const { RefCell::new(Vec::new()) };
}

impl Flights {
    pub(crate) fn new(abandon: impl Fn(&str, &[u8]) + Send + Sync + 'static) -> Self {
        Self {
            abandon: Box::new(abandon),
            by_key: Mutex::default(),
            waits: Mutex::default(),
            idle: Notify::new(),
        }
    }

    /// Joins the flight of `key`, or opens one.
    pub(crate) async fn board(
        self: &Arc<Self>,
        site: u64,
        key: &Arc<str>,
        joined: impl FnOnce(),
    ) -> Boarded {
        let flight = {
            let key = FlightKey {
                site,
                key: Arc::clone(key),
            };
            let mut flights = lock(&self.by_key);
            if let Some(flight) = flights.get(&key) {
                lock(&flight.state).waiters += 1;
                Arc::clone(flight)
            } else {
                let flight = Arc::new(Flight {
                    id: unique(),
                    key: key.clone(),
                    state: Mutex::new(State {
                        phase: Phase::Asked,
                        waiters: 0,
                        lease: None,
                    }),
                    changed: Notify::new(),
                });
                flights.insert(key, Arc::clone(&flight));
                return Boarded::Lead(Leader {
                    flights: Arc::clone(self),
                    flight,
                    lease: None,
                    left: false,
                });
            }
        };
        // From here on the seat taken above is given back by `Waiter::drop`.
        let waiter = Waiter {
            flights: self,
            flight,
            edges: Vec::new(),
        };
        waiter.wait(joined).await
    }

    /// Disperses the flights whose key satisfies `covers`: nobody who comes
    /// from now on shares what they bring.
    pub(crate) fn disperse(&self, covers: impl Fn(&str) -> bool) {
        self.disperse_if(|flight| covers(&flight.key.key));
    }

    /// As [`disperse`](Self::disperse), but leaves alone those whose body runs:
    /// to be called when the store has carried out a removal before which
    /// `disperse` was called. A body that has begun since then reads what the
    /// removal made way for; a look-up may still hold what was removed.
    pub(crate) fn disperse_lookups(&self, covers: impl Fn(&str) -> bool) {
        self.disperse_if(|flight| {
            covers(&flight.key.key) && !matches!(lock(&flight.state).phase, Phase::Loading)
        });
    }

    fn disperse_if(&self, covered: impl Fn(&Flight) -> bool) {
        let dispersed: Vec<_> = {
            let mut by_key = lock(&self.by_key);
            let dispersed = by_key
                .extract_if(|_, flight| covered(flight))
                .map(|(_, flight)| flight)
                .collect();
            if by_key.is_empty() {
                self.idle.notify_waiters();
            }
            dispersed
        };
        for flight in dispersed {
            flight.enter(Phase::Dispersed);
            // Of a leader that has left; nobody takes it over now.
            let lease = lock(&flight.state).lease.take();
            if let Some(lease) = lease {
                (self.abandon)(&flight.key.key, &lease);
            }
        }
    }

    /// Waits until no flight is under way.
    pub(crate) async fn idle(&self) {
        loop {
            let idle = self.idle.notified();
            if lock(&self.by_key).is_empty() {
                return;
            }
            idle.await;
        }
    }

    fn close(&self, flight: &Arc<Flight>) {
        self.close_in(&mut lock(&self.by_key), flight);
    }

    fn close_in(&self, by_key: &mut HashMap<FlightKey, Arc<Flight>>, flight: &Arc<Flight>) {
        // By identity: after a dispersal the key may have a newer flight.
        if by_key
            .get(&flight.key)
            .is_some_and(|present| Arc::ptr_eq(present, flight))
        {
            by_key.remove(&flight.key);
        }
        if by_key.is_empty() {
            self.idle.notify_waiters();
        }
    }

    /// Whether a wait for `target` would, through other waits, be a wait for
    /// one of the flights this task is inside of. If not, the wait is noted.
    fn note_wait(
        &self,
        target: FlightId,
        inside: &[FlightId],
    ) -> Option<Vec<(FlightId, FlightId)>> {
        let mut waits = lock(&self.waits);
        let mut reached = vec![target];
        let mut next = 0;
        while let Some(&flight) = reached.get(next) {
            if inside.contains(&flight) {
                return None;
            }
            for &(from, to) in waits.iter() {
                if from == flight && !reached.contains(&to) {
                    reached.push(to);
                }
            }
            next += 1;
        }
        let edges: Vec<_> = inside.iter().map(|&from| (from, target)).collect();
        waits.extend_from_slice(&edges);
        Some(edges)
    }

    fn forget_waits(&self, edges: &[(FlightId, FlightId)]) {
        let mut waits = lock(&self.waits);
        for edge in edges {
            if let Some(at) = waits.iter().position(|present| present == edge) {
                waits.swap_remove(at);
            }
        }
    }
}

impl Flight {
    /// Ends the flight, unless it has ended. `false`: it had.
    fn enter(&self, end: Phase) -> bool {
        let mut state = lock(&self.state);
        if matches!(state.phase, Phase::Landed(_) | Phase::Dispersed) {
            return false;
        }
        state.phase = end;
        drop(state);
        self.changed.notify_waiters();
        true
    }
}

struct Waiter<'a> {
    flights: &'a Arc<Flights>,
    flight: Arc<Flight>,
    edges: Vec<(FlightId, FlightId)>,
}

impl Waiter<'_> {
    async fn wait(mut self, joined: impl FnOnce()) -> Boarded {
        let inside = INSIDE.with_borrow(Clone::clone);
        if !inside.is_empty() {
            match self.flights.note_wait(self.flight.id, &inside) {
                Some(edges) => self.edges = edges,
                None => return Boarded::RunThrough,
            }
        }
        joined();
        let flight = Arc::clone(&self.flight);
        loop {
            // Registered before the phase is read, so no change is missed.
            let mut changed = pin!(flight.changed.notified());
            changed.as_mut().enable();
            {
                let mut state = lock(&flight.state);
                match &state.phase {
                    Phase::Asked | Phase::Loading => {}
                    Phase::Landed(landing) => return Boarded::Landed(landing.clone()),
                    Phase::Dispersed => return Boarded::Dispersed,
                    Phase::Vacant => {
                        state.phase = Phase::Asked;
                        return Boarded::Lead(Leader {
                            flights: Arc::clone(self.flights),
                            flight: Arc::clone(&flight),
                            lease: state.lease.take(),
                            left: false,
                        });
                    }
                }
            }
            changed.await;
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.flight.state);
        state.waiters -= 1;
        // Is this the last one who could have taken the seat?
        let deserted = state.waiters == 0 && matches!(state.phase, Phase::Vacant);
        let lease = if deserted { state.lease.take() } else { None };
        drop(state);
        if deserted {
            self.flights.close(&self.flight);
        }
        if let Some(lease) = lease {
            (self.flights.abandon)(&self.flight.key.key, &lease);
        }
        if !self.edges.is_empty() {
            self.flights.forget_waits(&self.edges);
        }
    }
}

/// The caller that acts for all others of its flight. Dropping it leaves the
/// seat to one of them.
pub(crate) struct Leader {
    flights: Arc<Flights>,
    flight: Arc<Flight>,
    /// What is under the key in the store on behalf of this flight.
    pub(crate) lease: Option<Vec<u8>>,
    left: bool,
}

impl Leader {
    pub(crate) fn key(&self) -> &Arc<str> {
        &self.flight.key.key
    }

    /// Ends the flight if nobody waits for what it brings.
    pub(crate) fn land_alone(mut self) -> Result<(), Self> {
        {
            // Both locks, in the order of `board`: nobody joins in between.
            let mut by_key = lock(&self.flights.by_key);
            if lock(&self.flight.state).waiters > 0 {
                drop(by_key);
                return Err(self);
            }
            self.flights.close_in(&mut by_key, &self.flight);
        }
        self.left = true;
        Ok(())
    }

    /// From here on the body runs.
    pub(crate) fn loading(&self) {
        let mut state = lock(&self.flight.state);
        if matches!(state.phase, Phase::Asked) {
            state.phase = Phase::Loading;
        }
    }

    /// Whether an invalidation has come since the flight began.
    pub(crate) fn is_dispersed(&self) -> bool {
        matches!(lock(&self.flight.state).phase, Phase::Dispersed)
    }

    /// Hands over what was found or loaded, and ends the flight.
    pub(crate) fn land(mut self, landing: Landing) {
        self.left = true;
        // Out of the map first: a caller that comes now must not find a
        // flight that has ended.
        self.flights.close(&self.flight);
        self.flight.enter(Phase::Landed(landing));
    }

    /// Ends the flight with nothing to share; everyone starts again.
    pub(crate) fn disperse(mut self) {
        self.left = true;
        self.flights.close(&self.flight);
        self.flight.enter(Phase::Dispersed);
    }

    /// Marks this thread as being inside the flight's body until the guard is
    /// dropped.
    pub(crate) fn enter(&self) -> Inside {
        INSIDE.with_borrow_mut(|inside| inside.push(self.flight.id));
        Inside(())
    }
}

impl Drop for Leader {
    /// Leaves the seat to a waiter, or ends the flight when there is none.
    fn drop(&mut self) {
        let lease = self.lease.take();
        if self.left {
            return self.abandon(lease);
        }
        // Both locks, in the order of `board`: nobody joins between the count
        // and the end of the flight.
        let mut by_key = lock(&self.flights.by_key);
        let mut state = lock(&self.flight.state);
        if matches!(state.phase, Phase::Asked | Phase::Loading) && state.waiters > 0 {
            state.lease = lease;
            state.phase = Phase::Vacant;
            drop(state);
            drop(by_key);
            // One is enough, and if it leaves too its notice is passed on.
            self.flight.changed.notify_one();
            return;
        }
        drop(state);
        self.flights.close_in(&mut by_key, &self.flight);
        drop(by_key);
        self.abandon(lease);
    }
}

impl Leader {
    fn abandon(&self, lease: Option<Vec<u8>>) {
        if let Some(lease) = lease {
            (self.flights.abandon)(self.key(), &lease);
        }
    }
}

/// Whether this is called from a body that others may wait for.
pub(crate) fn is_inside() -> bool {
    INSIDE.with_borrow(|inside| !inside.is_empty())
}

/// See [`Leader::enter`].
pub(crate) struct Inside(());

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.with_borrow_mut(Vec::pop);
    }
}
