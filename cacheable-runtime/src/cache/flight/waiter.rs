//! A caller that waits for what another one's flight brings.

use std::pin::pin;
use std::sync::Arc;

use super::nested::{self, Noted};
use super::{Boarded, Flight, Flights, LONGEST_WAIT, Leader, Phase, close_in, is_inside};
use crate::sync::lock;
use crate::time::Millis;

pub(super) struct Waiter<'a> {
    pub(super) flights: &'a Arc<Flights>,
    pub(super) flight: Arc<Flight>,
    /// When, in the store's time.
    pub(super) boarded: Millis,
}

impl Waiter<'_> {
    pub(super) async fn wait(self, joined: impl FnOnce()) -> Boarded {
        let inside = nested::flights();
        let _noted = if inside.is_empty() {
            None
        } else {
            match Noted::new(inside, self.flight.id) {
                Some(noted) => Some(noted),
                None => return Boarded::RunThrough,
            }
        };
        joined();
        let patience = self.flights.patience;
        // A ring that goes through a put or another process is not in the graph.
        let rounds = if is_inside() { 1 } else { LONGEST_WAIT };
        for _ in 0..rounds {
            let waited = self.wait_for_change();
            if tokio::runtime::Handle::try_current().is_err() {
                // No timer is to be had: the leader is trusted.
                return waited.await;
            }
            match tokio::time::timeout(patience, waited).await {
                Ok(boarded) => return boarded,
                Err(_) if self.flight.is_silent(patience) => self.flights.give_up(&self.flight),
                Err(_) => {}
            }
        }
        Boarded::RunThrough
    }

    async fn wait_for_change(&self) -> Boarded {
        let flight = &self.flight;
        loop {
            // Registered before the phase is read, so no change is missed.
            let mut changed = pin!(flight.changed.notified());
            changed.as_mut().enable();
            {
                let mut state = lock(&flight.state);
                match &state.phase {
                    Phase::Asked | Phase::Loading => {
                        let offer = state.stale.as_ref();
                        if let Some(old) = offer.and_then(|offer| offer.to(self.boarded)) {
                            return old;
                        }
                    }
                    Phase::Landed(landing) => return Boarded::Landed(landing.clone()),
                    Phase::Dispersed => return Boarded::Dispersed,
                    Phase::Vacant => {
                        state.phase = Phase::Asked;
                        let leader = Leader {
                            flights: Arc::clone(self.flights),
                            flight: Arc::clone(flight),
                            lease: state.left_behind.take(),
                            left: false,
                            closed: false,
                        };
                        leader.show_life();
                        return Boarded::Lead(leader);
                    }
                }
            }
            changed.await;
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        // Both locks, in the order of `board`: nobody takes the seat between
        // the count and the end of the flight.
        let mut by_key = self.flights.table.lock(self.flight.key.hash);
        let mut state = lock(&self.flight.state);
        state.waiters -= 1;
        // Is this the last one who could have taken the seat?
        if state.waiters == 0 && matches!(state.phase, Phase::Vacant) {
            let lease = state.left_behind.take();
            drop(state);
            close_in(&mut by_key, &self.flight);
            drop(by_key);
            self.flights.abandon(&self.flight, lease);
        }
    }
}
