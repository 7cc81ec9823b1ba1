//! Callers of one key, in many orders: one leads, all land, and nobody who
//! comes after an invalidation shares what was read before it.

mod sky;

use std::future::{Future, poll_fn};
use std::pin::pin;

use shuttle::future::block_on;
use shuttle::thread::{self, JoinHandle};

use super::*;
use crate::sync::controlled::{explore, explore_in_vain};
use sky::{Removal, Sky, Without};

const OLD: &str = "a version that was old before the call began";

fn spawn(sky: &Arc<Sky>, run: fn(&Sky)) -> JoinHandle<()> {
    let sky = Arc::clone(sky);
    thread::spawn(move || run(&sky))
}

fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("every caller ends");
    }
}

/// Nothing changes: one body does for all.
fn crowd(without: Without) {
    let sky = Sky::new(without, false, false);
    join([(); 3].map(|()| spawn(&sky, Sky::check)));
    assert_eq!(sky.bodies.load(Ordering::SeqCst), 1, "bodies");
    sky.check_the_rest();
}

#[test]
fn one_load_does_for_all() {
    explore(|| crowd(Without::Nothing));
}

#[test]
fn control_who_looks_for_a_flight_before_the_lock() {
    explore_in_vain("two lead at once", || crowd(Without::OneLock));
}

/// Callers that go away leave nobody waiting, and nothing in the store.
#[test]
fn those_who_go_hand_over() {
    explore(|| {
        let sky = Sky::new(Without::Nothing, false, false);
        join([
            spawn(&sky, Sky::call_and_go),
            spawn(&sky, Sky::call_and_go),
            spawn(&sky, Sky::check),
            spawn(&sky, Sky::check),
        ]);
        sky.check_the_rest();
    });
}

#[test]
fn when_all_go_nothing_is_left() {
    explore(|| {
        let sky = Sky::new(Without::Nothing, false, false);
        join([(); 3].map(|()| spawn(&sky, Sky::call_and_go)));
        sky.check_the_rest();
    });
}

/// Callers that come twice, while the source changes.
fn race(without: Without, stored: bool, refreshes: bool, removal: Removal) {
    let sky = Sky::new(without, stored, refreshes);
    let callers = [(); 3].map(|()| {
        spawn(&sky, |sky| {
            sky.pause();
            sky.check();
            sky.pause();
            sky.check();
        })
    });
    sky.write(removal);
    join(callers);
    sky.check_the_rest();
}

#[test]
fn nobody_shares_what_was_removed_by_key() {
    explore(|| race(Without::Nothing, true, false, Removal::Key));
    explore(|| race(Without::Nothing, false, false, Removal::Key));
}

#[test]
fn nobody_shares_what_was_removed_by_tag() {
    explore(|| race(Without::Nothing, true, false, Removal::Tag));
    explore(|| race(Without::Nothing, false, false, Removal::Tag));
}

#[test]
fn nobody_is_offered_what_was_removed() {
    // By tag an offer ends by itself, unlike the one here.
    explore(|| race(Without::Nothing, true, true, Removal::Key));
}

#[test]
fn control_look_ups_that_a_removal_leaves_alone() {
    explore_in_vain(OLD, || {
        race(Without::DisperseAfter, true, false, Removal::Key);
    });
}

#[test]
fn control_offers_that_a_removal_leaves_alone() {
    explore_in_vain(OLD, || race(Without::Offers, true, true, Removal::Key));
}

#[test]
fn control_loads_that_a_removal_by_tag_overtook() {
    explore_in_vain(OLD, || {
        race(Without::TagsOfLoads, false, false, Removal::Tag);
    });
}

/// Whatever the leader is at when it is given up, and whoever takes its seat,
/// all that wait go on, and no lease stays.
#[test]
fn a_leader_that_is_given_up() {
    explore(|| {
        let sky = Sky::new(Without::Nothing, false, false);
        // What leads beside a flight that was given up is no second leader.
        sky.write(Removal::Tag);
        join([
            spawn(&sky, Sky::check),
            spawn(&sky, Sky::check),
            spawn(&sky, Sky::call_and_go),
            spawn(&sky, Sky::lose_patience),
            spawn(&sky, |sky| sky.flights.disperse(Among::All, |_| true)),
        ]);
        sky.check_the_rest();
    });
}

/// Bodies that call each other's keys: nobody waits in a ring.
#[test]
fn bodies_that_call_each_other() {
    fn body(flights: &Arc<Flights>, own: &str, other: &str) {
        let (own, other) = (Arc::from(own), Arc::from(other));
        let Boarded::Lead(leader) = block_on(flights.board(1, &own, SAME, false, 0, || {})) else {
            // Called by the other body just now.
            return;
        };
        leader.loading();
        let mut called = pin!(flights.board(1, &other, SAME, false, 0, || {}));
        let boarded = block_on(poll_fn(|context| {
            let _inside = leader.enter();
            called.as_mut().poll(context)
        }));
        if let Boarded::Lead(inner) = boarded {
            inner.land(None);
        }
        let id = leader.flight.id;
        leader.land(None);
        assert!(!nested::waits_of(id), "it is noted that it waits");
    }
    explore(|| {
        let flights = Arc::new(Flights::new(Duration::from_secs(10), |_, _| {}));
        let callers = [("a", "b"), ("b", "c"), ("c", "a")].map(|(own, other)| {
            let flights = Arc::clone(&flights);
            thread::spawn(move || body(&flights, own, other))
        });
        join(callers);
        assert!(flights.table.is_empty());
    });
}

/// As [`Waiter::wait_for_change`], with the look before the seat.
#[test]
fn control_who_looks_before_listening_waits_for_ever() {
    explore_in_vain("deadlock", || {
        let flights = Arc::new(Flights::new(Duration::from_secs(10), |_, _| {}));
        let leader = flights
            .lead(1, &Arc::from("k"), SAME, false)
            .expect("nobody leads");
        let flight = Arc::clone(&leader.flight);
        let waiter = thread::spawn(move || {
            block_on(async {
                while !matches!(lock(&flight.state).phase, Phase::Landed(_)) {
                    thread::yield_now();
                    flight.changed.notified().await;
                }
            });
        });
        leader.land(None);
        waiter.join().expect("the waiter ends");
    });
}
