//! Level 1 against a server, in many orders: nobody who begins after a removal
//! gets what it removed, and nothing old is left.

mod server;
mod times;
mod world;

use shuttle::thread;

use super::*;
use crate::sync::controlled::{explore, explore_in_vain};
use world::{HITS, World};

/// The protection that a control does without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Without {
    Nothing,
    /// A reader takes its ticket when it has its answer.
    TicketBefore,
    /// A flag says that an answer is awaited, and a change takes it down.
    Tickets,
    /// A removal is not followed by another look at level 1.
    ForgetAfter,
    /// A walk over the entries does not make tickets void.
    Sweeps,
    /// A lost connection and a new one are nothing special.
    Generations,
    /// A marker is asked for before what came in between can be seen.
    QuestionBefore,
    /// A load's stamp is taken after its body.
    StampBefore,
}

/// How what is under the key becomes old.
#[derive(Clone, Copy, Debug)]
enum Removal {
    Key,
    Pattern,
    Marker,
    /// By another process, which is known of when it is told.
    ForeignKey,
    ForeignMarker,
    /// The server lets everything go at once.
    Flush,
}

const OLD: &str = "a version that was old before the call began";

/// Two readers that come twice, while the source changes.
fn race(without: Without, tagged: bool, removal: Removal) {
    let world = World::new(without, tagged);
    let wire = world.connect();
    let readers = [(); 2].map(|()| {
        let world = Arc::clone(&world);
        thread::spawn(move || {
            world.check();
            world.check();
        })
    });
    world.write(2, removal);
    for reader in readers {
        reader.join().expect("the reader ends");
    }
    world.cut();
    wire.join().expect("the wire is read to its end");
    world.check_the_rest();
}

#[test]
fn a_removal_by_key() {
    explore(|| race(Without::Nothing, false, Removal::Key));
    assert!(
        HITS.load(Ordering::Relaxed) > 0,
        "level 1 has no part in it"
    );
}

#[test]
fn a_removal_by_pattern() {
    explore(|| race(Without::Nothing, false, Removal::Pattern));
}

#[test]
fn a_removal_by_marker() {
    explore(|| race(Without::Nothing, true, Removal::Marker));
}

#[test]
fn a_removal_by_another_process() {
    explore(|| race(Without::Nothing, false, Removal::ForeignKey));
}

#[test]
fn a_removal_of_a_marker_by_another_process() {
    explore(|| race(Without::Nothing, true, Removal::ForeignMarker));
}

#[test]
fn all_keys_at_once() {
    explore(|| race(Without::Nothing, false, Removal::Flush));
}

#[test]
fn control_a_ticket_that_is_taken_with_the_answer() {
    explore_in_vain(OLD, || race(Without::TicketBefore, false, Removal::Key));
}

#[test]
fn control_a_flag_in_the_place_of_tickets() {
    explore_in_vain("old", || race(Without::Tickets, false, Removal::Key));
}

#[test]
fn control_a_removal_that_is_not_looked_after() {
    explore_in_vain(OLD, || race(Without::ForgetAfter, false, Removal::Key));
}

#[test]
fn control_a_walk_that_misses_what_comes_in_behind_it() {
    explore_in_vain(OLD, || race(Without::Sweeps, false, Removal::Pattern));
}

#[test]
fn control_an_answer_about_a_marker_that_something_overtook() {
    explore_in_vain(OLD, || race(Without::QuestionBefore, true, Removal::Marker));
}

#[test]
fn control_a_stamp_that_is_taken_after_the_body() {
    explore_in_vain(OLD, || race(Without::StampBefore, true, Removal::Marker));
}

/// A connection that breaks and comes again, while another process removes.
fn outage(without: Without, tagged: bool, removal: Removal) {
    let world = World::new(without, tagged);
    let wire = world.connect();
    let reader = {
        let world = Arc::clone(&world);
        thread::spawn(move || {
            world.check();
            world.check();
            world.check();
        })
    };
    let writer = {
        let world = Arc::clone(&world);
        thread::spawn(move || world.write(2, removal))
    };
    world.cut();
    wire.join().expect("the wire is read to its end");
    if without != Without::Generations {
        world.local.lost();
    }
    let wire = world.connect();
    for thread in [reader, writer] {
        thread.join().expect("the thread ends");
    }
    world.cut();
    wire.join().expect("the wire is read to its end");
    world.check_the_rest();
}

#[test]
fn a_removal_that_the_connection_did_not_live_to_tell() {
    explore(|| outage(Without::Nothing, false, Removal::ForeignKey));
}

#[test]
fn a_removal_of_a_marker_that_the_connection_did_not_live_to_tell() {
    explore(|| outage(Without::Nothing, true, Removal::ForeignMarker));
}

#[test]
fn control_a_new_connection_that_begins_no_new_time() {
    explore_in_vain("old", || {
        outage(Without::Generations, false, Removal::ForeignKey);
    });
    explore_in_vain("old", || {
        outage(Without::Generations, true, Removal::ForeignMarker);
    });
}
