//! What begins a time of its own, and who waits for a change, in many orders.

use shuttle::future::block_on;
use shuttle::thread;

use super::super::*;
use super::server::KEY;
use crate::sync::controlled::{explore, explore_in_vain};
use crate::time::ManualClock;

fn local() -> Arc<Local> {
    let settings = LocalSettings {
        capacity: 1 << 12,
        degraded_ttl: Duration::from_secs(1),
        alone: true,
    };
    Arc::new(Local::new(settings, Clock::Manual(ManualClock::new())))
}

fn both(local: &Arc<Local>, aside: fn(&Local), here: impl FnOnce(&Local)) {
    let there = {
        let local = Arc::clone(local);
        thread::spawn(move || aside(&local))
    };
    here(local);
    there.join().expect("the thread ends");
}

/// What is distrusted is what was kept without the server; that it is back
/// meanwhile stays as it is.
#[test]
fn distrust_while_the_connection_comes_back() {
    explore(|| {
        let local = local();
        local.lost();
        both(&local, Local::distrust, |local| local.connected(true));
        assert!(
            local.follows(),
            "a connection is there, and it is not known"
        );
    });
}

/// The tasks of both connections, and who looks after them, may tell at once.
#[test]
fn all_keys_at_once_while_the_connection_is_lost() {
    explore(|| {
        let local = local();
        local.connected(true);
        both(&local, Listener::all_changed, Listener::lost);
        assert!(
            !local.follows(),
            "the connection is gone, and it is not known"
        );
    });
}

/// Both begin a time of their own: what was asked for before is void.
#[test]
fn distrust_and_a_flush_make_tickets_void() {
    explore(|| {
        let local = local();
        local.lost();
        let ticket = local.ticket(local.hash(KEY.as_bytes()));
        both(&local, Local::distrust, Local::distrust);
        assert!(!local.is_valid(&ticket), "distrust");
        local.connected(true);
        let ticket = local.ticket(local.hash(KEY.as_bytes()));
        both(&local, Listener::all_changed, Listener::all_changed);
        assert!(!local.is_valid(&ticket), "a flush");
        assert!(local.follows());
    });
}

/// No wake-up is lost: whoever waited for ever would be a deadlock.
#[test]
fn who_waits_for_a_change_hears_of_it() {
    fn wait(local: &Arc<Local>) -> thread::JoinHandle<()> {
        let local = Arc::clone(local);
        let ticket = local.ticket(local.hash(KEY.as_bytes()));
        thread::spawn(move || block_on(local.changed(&ticket)))
    }
    fn run(change: fn(&Local)) {
        let local = local();
        let waiters = [wait(&local), wait(&local)];
        change(&local);
        for waiter in waiters {
            waiter.join().expect("the waiter ends");
        }
        assert!(local.watch.is_empty(), "somebody waits yet");
    }
    explore(|| run(|local| local.forget(KEY.as_bytes())));
    explore(|| run(Listener::lost));
}

/// As [`Watch::wait`], with the look before the seat.
#[test]
fn control_who_looks_before_taking_the_seat_waits_for_ever() {
    explore_in_vain("deadlock", || {
        let local = local();
        let ticket = local.ticket(local.hash(KEY.as_bytes()));
        let waiter = {
            let local = Arc::clone(&local);
            thread::spawn(move || {
                let changed = !local.is_unchanged(&ticket.validity);
                block_on(local.watch.wait(ticket.validity.stripe, || changed));
            })
        };
        local.forget(KEY.as_bytes());
        waiter.join().expect("the waiter ends");
    });
}

/// A held marker permits nothing, whatever answers come in.
#[test]
fn a_removal_that_is_to_be_delivered_yet_holds_its_marker() {
    explore(|| {
        let local = local();
        let marker = local.markers.of("tag");
        let asking = {
            let marker = Arc::clone(&marker);
            thread::spawn(move || {
                for _ in 0..2 {
                    if let Some(question) = marker.question(true) {
                        question.answered(1);
                    }
                }
            })
        };
        for _ in 0..2 {
            marker.hold();
            assert!(!marker.permits(1), "it is to be delivered yet");
            marker.raise(2);
            assert!(!marker.permits(1), "it is being delivered");
            marker.release();
        }
        asking.join().expect("the thread ends");
        // Asked for after the removal had reached the store, the answer is 2.
        marker.forget();
        marker.question(true).expect("it is not held").answered(2);
        assert!(!marker.permits(1) && marker.permits(2));
    });
}
