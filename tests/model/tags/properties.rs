//! What always holds, and what has to be reachable.

use stateright::Property;

use super::steps::{Answer, Stage, Wire, Writer};
use super::{State, Tags, Wrong};

/// Promise 1 in the store: no reader would take what was loaded before a
/// removal that has taken effect, whatever was evicted since.
pub(super) const FENCE: &str = "the store serves nothing older than what a removal made way for";
/// As for keys.
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

pub(super) fn always() -> Vec<Property<Tags>> {
    vec![
        always_so(FENCE, |model, state| {
            model.stored(state).is_none_or(|v| v >= state.effected())
        }),
        always_so(LOCAL, |_, state| {
            state.processes.iter().all(|process| {
                let floor = process.own.max(process.told);
                process.served().is_none_or(|v| v >= floor)
            })
        }),
        always_so(PUSHED, |_, state| {
            state.processes.iter().all(|process| {
                let is_push = |wire: &Wire| matches!(wire, Wire::PushMarker { .. });
                !process.connected
                    || process.wire.iter().any(is_push)
                    || process.served().is_none_or(|v| v >= state.effected())
            })
        }),
        always_so(OWN, |_, state| state.wrong != Some(Wrong::OlderThanOwn)),
        always_so(TOLD, |_, state| state.wrong != Some(Wrong::OlderThanTold)),
        always_so(QUIET, |model, state| {
            let still = |stage| matches!(stage, Stage::Idle | Stage::Ended);
            let quiet = state
                .processes
                .iter()
                .all(|p| p.connected && p.wire.is_empty())
                && state.readers.iter().all(|reader| still(reader.stage))
                && state
                    .writers
                    .iter()
                    .all(|w| matches!(w, Writer::Idle | Writer::Returned(_)));
            let local = state.processes.iter().map(super::Process::served);
            let mut all = local.chain([model.stored(state)]).flatten();
            !quiet || all.all(|v| v >= state.effected())
        }),
    ]
}

fn always_so(name: &'static str, condition: fn(&Tags, &State) -> bool) -> Property<Tags> {
    Property::always(name, condition)
}

fn sight(name: &'static str, condition: fn(&Tags, &State) -> bool) -> Property<Tags> {
    Property::sometimes(name, condition)
}

pub(super) fn hit() -> Property<Tags> {
    sight("a hit at level 1 after a removal", |model, state| {
        let idle = |p| {
            (model.readers.iter().zip(&state.readers))
                .any(|(&of, reader)| of == p && reader.stage == Stage::Idle)
        };
        state
            .writers
            .iter()
            .any(|writer| matches!(writer, Writer::Returned(_)))
            && state.processes.iter().enumerate().any(|(p, process)| {
                process
                    .served()
                    .is_some_and(|v| v > 0 && v == state.database)
                    && idle(p)
            })
    })
}

pub(super) fn too_old() -> Property<Tags> {
    sight("an entry that its marker forbids", |model, state| {
        state.server.entry.is_some() && model.stored(state).is_none()
    })
}

pub(super) fn recreated() -> Property<Tags> {
    sight(
        "a removal, and then neither marker nor counter",
        |model, state| {
            let server = &state.server;
            server.marker.is_none()
                && server.counter.is_none()
                && server.greatest > 0
                && model.stored(state).is_some()
        },
    )
}

pub(super) fn overtaken_marker() -> Property<Tags> {
    sight(
        "a marker that was fetched and then overtaken",
        |_, state| {
            state.readers.iter().any(|reader| {
                matches!(reader.stage, Stage::Answered(Answer::Marked(..)))
                    && !reader.marker_vouched
            })
        },
    )
}

pub(super) fn joined() -> Property<Tags> {
    sight("a flight that is shared", |_, state| {
        state
            .readers
            .iter()
            .any(|reader| matches!(reader.stage, Stage::Joined(_)))
    })
}

pub(super) fn reconnected() -> Property<Tags> {
    sight("a value in level 1 after a reconnect", |_, state| {
        state.losses == 0
            && state.processes.iter().all(|process| process.connected)
            && state
                .processes
                .iter()
                .any(|process| process.served().is_some())
    })
}
