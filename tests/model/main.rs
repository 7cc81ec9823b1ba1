//! The protocol as a state machine, and every interleaving of it.

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

/// Finds a way to break `property`, the shortest there is.
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
