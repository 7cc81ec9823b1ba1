//! One load per key at a time in this process.
//!
//! The first caller of a key leads: it asks the store, runs its body in its
//! own task and hands what it got to those who joined meanwhile. A leader that
//! is dropped, panics or fails leaves the seat to one of the waiters, who
//! brings its own body, and so does one whose task is polled no more; nobody
//! hangs, and nobody sees another caller's error.
//! An invalidation *disperses* the flights it covers: they are no longer found
//! by new callers, and those who wait run again from the start, so that nobody
//! who comes after an invalidation of this process shares what was read before
//! it.

mod key;
mod nested;
#[cfg(all(test, cacheable_shuttle))]
mod shuttle_tests;
mod table;
#[cfg(test)]
mod tests;
mod waiter;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Notify;

pub(crate) use nested::{Inside, Lease, enter_put, holds, is_inside, replaces};

use crate::local::{KeyHash, Shared};
use crate::sync::{AtomicU64, Mutex, distinct, lock};
use crate::time::{Millis, coarsely};
use key::FlightKey;
use nested::By;
pub(crate) use table::Among;
use table::{ByKey, Table};
use waiter::Waiter;

/// What a flight brought: a decoded value, or `None` where the source has
/// nothing under the key.
pub(crate) type Landing = Option<Shared>;

/// What one call does with its key.
pub(crate) enum Boarded {
    /// Ask the store and run the body; others wait for it.
    Lead(Leader),
    /// Another caller did.
    Landed(Landing),
    /// Another caller refreshes this value, which will do meanwhile; whether it
    /// is fresh yet.
    Offered(Landing, bool),
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
    /// How long a leader may give no sign of life.
    patience: Duration,
    table: Table,
}

/// The hash of all keys in tests: names alone tell them apart.
#[cfg(test)]
const SAME: KeyHash = KeyHash(1);

type FlightId = u64;

struct Flight {
    id: FlightId,
    key: FlightKey,
    /// Its entry has tags.
    tagged: bool,
    /// When its leader was last polled, by [`now`].
    alive: AtomicU64,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    phase: Phase,
    waiters: usize,
    /// The lease of a leader that left; the next one goes on with it.
    left_behind: Option<Lease>,
    /// The lease under which the leader loads, in case it falls silent.
    loading: Option<Lease>,
    /// What is refreshed, for those who come meanwhile.
    stale: Option<Offer>,
    /// What the look-up finds may have been removed meanwhile.
    doubted: bool,
}

/// An old value that others may have while it is refreshed.
pub(crate) struct Offer {
    pub(crate) old: Landing,
    /// It is refreshed before its end.
    pub(crate) fresh: bool,
    /// Until then, in the store's time.
    pub(crate) until: Millis,
    /// Whether it has not been removed since it was read.
    pub(crate) stands: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Offer {
    /// One that nothing but the flight takes back.
    #[cfg(test)]
    fn for_ever(old: Landing) -> Self {
        Self {
            old,
            fresh: false,
            until: Millis::MAX,
            stands: Box::new(|| true),
        }
    }

    fn to(&self, boarded: Millis) -> Option<Boarded> {
        let good = boarded < self.until && (self.stands)();
        good.then(|| Boarded::Offered(self.old.clone(), self.fresh))
    }
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

/// Waits of this many times the patience end, whatever the leader does: it may
/// wait for this call in a way that cannot be seen, through a task of its own.
pub(crate) const LONGEST_WAIT: u32 = 10;

impl Flights {
    pub(crate) fn new(
        patience: Duration,
        abandon: impl Fn(&str, &[u8]) + Send + Sync + 'static,
    ) -> Self {
        Self {
            abandon: Box::new(abandon),
            patience,
            table: Table::default(),
        }
    }

    /// Joins the flight of `key`, or opens one. `hash`: that of the key.
    pub(crate) async fn board(
        self: &Arc<Self>,
        site: u64,
        key: &Arc<str>,
        hash: KeyHash,
        tagged: bool,
        now_in_store: Millis,
        joined: impl FnOnce(),
    ) -> Boarded {
        let key = FlightKey::new(site, key, hash);
        let flight = {
            let mut by_key = self.table.lock(key.hash);
            if let Some(flight) = by_key.get(&key) {
                let mut state = lock(&flight.state);
                if let Some(old) = state
                    .stale
                    .as_ref()
                    .and_then(|offer| offer.to(now_in_store))
                {
                    return old;
                }
                state.waiters += 1;
                drop(state);
                Arc::clone(flight)
            } else {
                return Boarded::Lead(self.open(&mut by_key, key, tagged));
            }
        };
        // From here on the seat taken above is given back by `Waiter::drop`.
        let waiter = Waiter {
            flights: self,
            flight,
            boarded: now_in_store,
        };
        Box::pin(waiter.wait(joined)).await
    }

    /// Opens a flight of `key`, unless there is one.
    pub(crate) fn lead(
        self: &Arc<Self>,
        site: u64,
        key: &Arc<str>,
        hash: KeyHash,
        tagged: bool,
    ) -> Option<Leader> {
        let key = FlightKey::new(site, key, hash);
        let mut by_key = self.table.lock(key.hash);
        (!by_key.contains_key(&key)).then(|| self.open(&mut by_key, key, tagged))
    }

    fn open(self: &Arc<Self>, by_key: &mut ByKey, key: FlightKey, tagged: bool) -> Leader {
        let flight = Arc::new(Flight {
            id: distinct(),
            key: key.clone(),
            tagged,
            alive: AtomicU64::new(coarsely()),
            state: Mutex::new(State {
                phase: Phase::Asked,
                waiters: 0,
                left_behind: None,
                loading: None,
                stale: None,
                doubted: false,
            }),
            changed: Notify::new(),
        });
        by_key.insert(key, Arc::clone(&flight));
        Leader {
            flights: Arc::clone(self),
            flight,
            lease: None,
            left: false,
            closed: false,
        }
    }

    /// Disperses the flights whose key satisfies `covers`: nobody who comes
    /// from now on shares what they bring.
    pub(crate) fn disperse(&self, among: Among<'_>, covers: impl Fn(&str) -> bool) {
        self.disperse_if(among, |flight| covers(&flight.key.key));
    }

    /// To be called when the store has carried out a removal before which
    /// [`disperse`](Self::disperse) was called. A body that has begun since
    /// then reads what the removal made way for, and goes on. A look-up may
    /// find what was removed, and then nobody shares it; if it finds nothing,
    /// its body does for all. What a refresh offers is taken back.
    pub(crate) fn doubt_lookups(&self, among: Among<'_>, covers: impl Fn(&str) -> bool) {
        // These may run code of others when they are dropped.
        let mut offers = Vec::new();
        self.table.each(among, |by_key| {
            let covered = by_key.values().filter(|flight| covers(&flight.key.key));
            for flight in covered {
                let mut state = lock(&flight.state);
                offers.extend(state.stale.take());
                state.doubted = true;
            }
        });
    }

    /// As [`doubt_lookups`](Self::doubt_lookups), where what a look-up finds
    /// says nothing of whether it was removed: they start again.
    pub(crate) fn disperse_lookups(&self, among: Among<'_>, covers: impl Fn(&str) -> bool) {
        let mut offers = Vec::new();
        self.disperse_if(among, |flight| {
            covers(&flight.key.key) && flight.takes_back(&mut offers)
        });
    }

    /// As [`disperse_lookups`](Self::disperse_lookups), for the removal of a
    /// tag: which of these have it is not known yet. An offer knows its tags,
    /// and looks at them itself: those of other tags go on.
    pub(crate) fn disperse_tagged_lookups(&self) {
        self.disperse_if(Among::All, |flight| flight.tagged && flight.is_lookup());
    }

    fn disperse_if(&self, among: Among<'_>, mut covered: impl FnMut(&Flight) -> bool) {
        let mut dispersed = Vec::new();
        self.table.each(among, |by_key| {
            let covered = by_key.extract_if(|_, flight| covered(flight));
            dispersed.extend(covered.map(|(_, flight)| flight));
        });
        for flight in dispersed {
            flight.end(Phase::Dispersed);
            // Of a leader that has left; nobody takes it over now.
            let lease = lock(&flight.state).left_behind.take();
            self.abandon(&flight, lease);
        }
    }

    /// Ends the flight of a leader that is polled no more. What it loads, if
    /// it ever goes on, finds its lease gone.
    fn give_up(&self, flight: &Arc<Flight>) {
        self.close(flight);
        if flight.end(Phase::Dispersed) {
            let mut state = lock(&flight.state);
            // The latter if the heir of the seat is polled no more.
            let leases = [state.loading.take(), state.left_behind.take()];
            drop(state);
            for lease in leases {
                self.abandon(flight, lease);
            }
        }
    }

    fn abandon(&self, flight: &Flight, lease: Option<Lease>) {
        if let Some(lease) = lease {
            (self.abandon)(&flight.key.key, &lease);
        }
    }

    fn close(&self, flight: &Arc<Flight>) {
        close_in(&mut self.table.lock(flight.key.hash), flight);
    }
}

fn close_in(by_key: &mut ByKey, flight: &Arc<Flight>) {
    // By identity: after a dispersal the key may have a newer flight.
    if by_key
        .get(&flight.key)
        .is_some_and(|present| Arc::ptr_eq(present, flight))
    {
        by_key.remove(&flight.key);
    }
}

impl Flight {
    /// Ends the flight, unless it has ended. `false`: it had.
    fn end(&self, end: Phase) -> bool {
        let mut state = lock(&self.state);
        if matches!(state.phase, Phase::Landed(_) | Phase::Dispersed) {
            return false;
        }
        state.phase = end;
        drop(state);
        self.changed.notify_waiters();
        true
    }

    fn is_lookup(&self) -> bool {
        !matches!(lock(&self.state).phase, Phase::Loading)
    }

    /// Takes back what the look-up found, to be dropped when no lock is held.
    /// `true`: there is no more to the flight than that.
    fn takes_back(&self, offers: &mut Vec<Offer>) -> bool {
        let mut state = lock(&self.state);
        offers.extend(state.stale.take());
        !matches!(state.phase, Phase::Loading)
    }

    fn is_silent(&self, patience: Duration) -> bool {
        let silent = coarsely().saturating_sub(self.alive.load(Ordering::Relaxed));
        u128::from(silent) > patience.as_millis()
    }
}

/// The caller that acts for all others of its flight. Dropping it leaves the
/// seat to one of them.
pub(crate) struct Leader {
    flights: Arc<Flights>,
    flight: Arc<Flight>,
    /// What is, or may be, under the key in the store on behalf of this
    /// flight.
    pub(crate) lease: Option<Lease>,
    left: bool,
    /// It is not in the map any more.
    closed: bool,
}

impl Leader {
    /// Ends the flight if nobody waits for what it brings.
    pub(crate) fn land_alone(mut self) -> Result<(), Self> {
        {
            // Both locks, in the order of `board`: nobody joins in between.
            let mut by_key = self.flights.table.lock(self.flight.key.hash);
            if lock(&self.flight.state).waiters > 0 {
                drop(by_key);
                return Err(self);
            }
            close_in(&mut by_key, &self.flight);
        }
        self.left = true;
        Ok(())
    }

    /// Those who come meanwhile get an old value at once, unless it may have
    /// been removed since it was read.
    pub(crate) fn offer(&self, offer: Offer) {
        let mut state = lock(&self.flight.state);
        if !state.doubted {
            state.stale = Some(offer);
        }
        drop(state);
        self.flight.changed.notify_waiters();
    }

    /// Nobody joins from here on.
    pub(crate) fn close(&mut self) {
        if !std::mem::replace(&mut self.closed, true) {
            self.flights.close(&self.flight);
        }
    }

    /// From here on the body runs.
    pub(crate) fn loading(&self) {
        self.show_life();
        let mut state = lock(&self.flight.state);
        if matches!(state.phase, Phase::Asked) {
            state.phase = Phase::Loading;
            state.loading.clone_from(&self.lease);
        }
    }

    /// Says that the leader is being polled. Waiters give up one that has not
    /// said so for as long as their patience.
    pub(crate) fn show_life(&self) {
        self.flight.alive.store(coarsely(), Ordering::Relaxed);
    }

    /// Whether an invalidation has come since the flight began.
    pub(crate) fn is_dispersed(&self) -> bool {
        matches!(lock(&self.flight.state).phase, Phase::Dispersed)
    }

    /// Whether what it has looked up may have been removed. To be asked when
    /// nobody joins any more.
    pub(crate) fn is_doubted(&self) -> bool {
        lock(&self.flight.state).doubted
    }

    /// Hands over what was found or loaded, and ends the flight.
    pub(crate) fn land(mut self, landing: Landing) {
        self.left = true;
        // Out of the map first: a caller that comes now must not find a
        // flight that has ended.
        self.close();
        self.flight.end(Phase::Landed(landing));
    }

    /// Ends the flight with nothing to share; everyone starts again.
    pub(crate) fn disperse(mut self) {
        self.left = true;
        self.close();
        self.flight.end(Phase::Dispersed);
    }

    /// Marks this thread as being inside the flight's body until the guard is
    /// dropped.
    pub(crate) fn enter(&self) -> Inside {
        nested::enter(By::Flight(self.flight.id), self.lease.clone())
    }
}

impl Drop for Leader {
    /// Leaves the seat to a waiter, or ends the flight when there is none.
    fn drop(&mut self) {
        let lease = self.lease.take();
        if self.left {
            return self.flights.abandon(&self.flight, lease);
        }
        // Both locks, in the order of `board`: nobody joins between the count
        // and the end of the flight.
        let mut by_key = self.flights.table.lock(self.flight.key.hash);
        let mut state = lock(&self.flight.state);
        if matches!(state.phase, Phase::Asked | Phase::Loading) && state.waiters > 0 {
            state.left_behind = lease;
            state.phase = Phase::Vacant;
            drop(state);
            drop(by_key);
            // One is enough, and if it leaves too its notice is passed on.
            self.flight.changed.notify_one();
            return;
        }
        drop(state);
        close_in(&mut by_key, &self.flight);
        drop(by_key);
        self.flights.abandon(&self.flight, lease);
    }
}
