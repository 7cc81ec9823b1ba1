//! What always holds.

use stateright::Property;

use super::reader::Stage;
use super::server::{Slot, Wire};
use super::writer::Writer;
use super::{KEYS, Keys, State, Version, Wrong};

/// Promise 1 in the store: once a removal has taken effect, no value that was
/// loaded before it is under the key.
pub(super) const FENCE: &str = "the store holds nothing older than what a removal made way for";
/// Promise 1 and 2 in the process that removed, promise 3 in the others: level
/// 1 would serve nothing older than what an invalidation made way for, once it
/// has returned here, its push was applied, or a lost link was noticed.
pub(super) const LOCAL: &str = "level 1 serves nothing older than what its process knows of";
/// Promise 3: only a push that is on its way, or a loss that is not yet
/// noticed, lets level 1 serve something old.
pub(super) const PUSHED: &str = "only a push on its way is missing in level 1";
/// Promise 2.
pub(super) const OWN: &str = "a read returns nothing older than an invalidation returned for";
/// Promise 3, for calls that share what another call brought.
pub(super) const TOLD: &str = "a read returns nothing older than its process was told of";
/// When nothing is on its way, both levels are right.
pub(super) const QUIET: &str = "at rest nothing old can be served";

pub(super) fn always() -> Vec<Property<Keys>> {
    vec![
        Property::always(FENCE, |model: &Keys, state: &State| {
            (0..KEYS).all(|key| stored(state, key) >= state.effected(model, key))
        }),
        Property::always(LOCAL, |_, state: &State| {
            state.processes.iter().all(|process| {
                let known = process.own.iter().zip(process.told);
                let mut served = process.local.iter().zip(known);
                served.all(|(served, (&own, told))| served.is_none_or(|v| v >= own.max(told)))
            })
        }),
        Property::always(PUSHED, |model: &Keys, state: &State| {
            (0..KEYS).all(|key| {
                let floor = state.effected(model, key);
                state.processes.iter().all(|process| {
                    let coming = process.wire.iter().any(|wire| match wire {
                        Wire::Push(push) => usize::from(push.key) == key,
                        Wire::Reply(..) => false,
                    });
                    let served = process.local[key].unwrap_or(Version::MAX);
                    served >= floor || coming || !process.connected
                })
            })
        }),
        Property::always(OWN, |_, state: &State| {
            state.wrong != Some(Wrong::OlderThanOwn)
        }),
        Property::always(TOLD, |_, state: &State| {
            state.wrong != Some(Wrong::OlderThanTold)
        }),
        Property::always(QUIET, |model: &Keys, state: &State| {
            let quiet = state
                .processes
                .iter()
                .all(|process| process.wire.is_empty() && process.connected)
                && state.readers.iter().all(|reader| {
                    matches!(reader.stage, Stage::Idle | Stage::Ended) && reader.late.is_none()
                })
                && state
                    .writers
                    .iter()
                    .all(|writer| matches!(writer, Writer::Idle | Writer::Returned(_)));
            !quiet
                || (0..KEYS).all(|key| {
                    let floor = state.effected(model, key);
                    let local = state.processes.iter().map(|process| process.local[key]);
                    stored(state, key) >= floor && local.flatten().all(|served| served >= floor)
                })
        }),
    ]
}

fn stored(state: &State, key: usize) -> Version {
    match state.slots[key] {
        Slot::Value { version, .. } => version,
        Slot::Nothing | Slot::Lease(_) => Version::MAX,
    }
}
