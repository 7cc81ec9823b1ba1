//! The coherence protocol as two state machines, and every interleaving of
//! them within the bounds below.
//!
//! `keys` has everything that removes by key or pattern: leases, tickets,
//! pushes, lost links, sweeps, refreshes, stale values that are put back, puts.
//! `tags` has the counter, the marker and the stamp. `controls.rs` of each
//! switches one rule off and has the checker find what comes of it; the path
//! is printed, and is one of the shortest.
//!
//! # Properties
//!
//! Of both, in every state:
//!
//! - *Fence*: once a removal has taken effect on the server, the store serves
//!   nothing that was loaded before it began.
//! - *Level 1*: nothing older than a removal is served once it has returned in
//!   the process, its push was applied there, the lost link was noticed, or a
//!   new one was published. Elsewhere only a push on its way is missing.
//! - *Reads*: the same for what a call returns, by the time that it began,
//!   also if it shares what another call brought.
//! - *At rest*: when nothing is on its way, both levels are right.
//!
//! Each run also names what must be reachable: hits, refused fills, pushes that
//! overtake replies, expired leases, shared flights, reconnects.
//!
//! # Runs
//!
//! Each read happens once, or again from the start when its flight is
//! dispersed. Leases end at any moment. *Values* may end, too; *bodies* may
//! fail; *budgets* may run out at any command or wait. There are two processes,
//! *here*, where the first removal is made, and *there*.
//!
//! | run of `keys` | reads | removals | more | states |
//! |---|---|---|---|---|
//! | one process: 3 reads, 1 removal | 3 here | 1 | budgets | 230 935 |
//! | one process: 2 reads, 2 removals | 2 here | 2 | values | 124 727 |
//! | one process: 2 reads, a removal in each | 2 here | here, there | | 56 336 |
//! | elsewhere: 3 reads, 1 removal | 3 there | 1 | values, bodies, budgets | 30 366 |
//! | both: 3 reads, 1 removal | 1 here, 2 there | 1 | | 77 630 |
//! | lost link: here | 2 here | 1 | 1 loss, bodies, budgets | 85 090 |
//! | lost link: either | 1 here, 1 there | 1 | 1 loss | 99 718 |
//! | lost links: elsewhere | 3 there | 1 | 2 losses, values, budgets | 249 583 |
//! | sweep: a key here, a key there | 1 here, 1 there | 1 sweep, 2 keys | values, bodies | 10 493 |
//! | sweep: two keys here | 2 here | 1 sweep, 2 keys | values, bodies | 19 881 |
//! | sweep: one key three times | 3 here | 1 sweep | values, bodies | 110 232 |
//! | refresh: one process | 3 here, 1 refreshes | 1 | bodies | 93 880 |
//! | refresh: two processes | 1 here, 2 there, 2 refresh | 1 | | 97 398 |
//! | stale if error: one process | 3 here, 1 puts back | 1 | bodies | 145 622 |
//! | stale if error: two processes | 1 here, 1 there, both put back | 1 | bodies | 58 157 |
//! | put: lone | 2 here | 1 put | values | 41 495 |
//! | put: two | 1 there | 2 puts, here and there | | 27 062 |
//! | put: and a removal | 1 here | 1 put here, 1 removal there | | 8 430 |
//!
//! In `tags` the entry, the marker and the counter are evicted at any moment.
//!
//! | run of `tags` | reads | removals | more | states |
//! |---|---|---|---|---|
//! | one process: 3 reads, 1 removal | 3 here | 1 | | 14 983 |
//! | one process: dispersed | 2 here | 1 | flights disperse | 198 912 |
//! | one process: 2 reads, 2 removals | 2 here | 2 | | 435 452 |
//! | one process: 2 reads, a removal in each | 2 here | here, there | | 361 757 |
//! | elsewhere: 3 reads, 1 removal | 3 there | 1 | | 7 803 |
//! | elsewhere: dispersed | 2 there | 1 | flights disperse | 95 463 |
//! | both: 2 reads, 1 removal | 1 here, 1 there | 1 | | 34 334 |
//! | lost link: elsewhere | 2 there | 1 | 1 loss | 37 130 |
//! | lost link: here | 2 here | 1 | 1 loss | 81 482 |
//!
//! # What is not here
//!
//! Time: no heartbeat, no `trusted_until`, no lives of entries; a lost link is
//! noticed at any moment, or never. The time of the server is taken to be past
//! every counter it gave. Failover, clusters, slots that move, and sweeps that
//! start again. The breaker, and repairs that overflow. Leases that a leader
//! leaves to the next one, and renewals. The mark of the one refresher in the
//! fleet: here any number refresh. Entries with several tags, key removals of
//! tagged entries, and the sweep behind a removed prefix. A put whose link is
//! lost.

mod keys;
mod tags;

use std::fmt::Debug;
use std::hash::Hash;

use stateright::{Checker, Model};

/// Goes through every state there is: all `always` hold and every `sometimes`
/// is reached.
#[track_caller]
fn holds<M>(name: &str, model: M)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq,
{
    let began = std::time::Instant::now();
    let checker = model.checker().threads(2).spawn_bfs().join();
    assert!(checker.is_done(), "{name}: it was cut short");
    println!(
        "{name}: {} states, {} deep, {:.1?}",
        checker.unique_state_count(),
        checker.max_depth(),
        began.elapsed()
    );
    checker.assert_properties();
}

/// Finds a way to break `property`.
#[track_caller]
fn breaks<M>(name: &str, model: M, property: &'static str)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq,
{
    let began = std::time::Instant::now();
    let only = stateright::HasDiscoveries::AnyOf([property].into());
    let checker = model.checker().finish_when(only).spawn_bfs().join();
    let found = checker.discovery(property);
    println!(
        "{name}: {} states, {:.1?}",
        checker.unique_state_count(),
        began.elapsed()
    );
    let found = found.unwrap_or_else(|| panic!("{name}: nothing breaks {property:?}"));
    for action in found.into_actions() {
        println!("    {action:?}");
    }
}
