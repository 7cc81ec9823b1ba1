//! What has to be reachable, so that nothing holds because nothing happens.

use stateright::Property;

use super::reader::{Command, Stage, Under};
use super::server::{Answer, Slot};
use super::writer::Writer;
use super::{Keys, Link, State};

type Sight = Property<Keys>;

/// Level 1 has what was written last, after the removal, and somebody comes.
pub(super) fn hit() -> Sight {
    sight("a hit at level 1 after a removal", |model, state| {
        let returned = |writer: &Writer| matches!(writer, Writer::Returned(_));
        state.writers.iter().any(returned)
            && idle(model, state).any(|(p, key)| {
                state.processes[p].local[key] == Some(state.database) && state.database > 0
            })
    })
}

pub(super) fn refused_fill() -> Sight {
    sight("a fill whose lease is gone", |model, state| {
        each(model, state).any(|(r, stage, slot)| {
            matches!(stage, Stage::Asked(Command::Fill(_))) && slot != Slot::Lease(r)
        })
    })
}

pub(super) fn overtaken_fill() -> Sight {
    sight("a fill that was stored and then overtaken", |_, state| {
        state.readers.iter().any(|reader| {
            matches!(reader.stage, Stage::Answered(Answer::Stored(_, true))) && !reader.vouched
        })
    })
}

pub(super) fn overtaken_look_up() -> Sight {
    sight("a value that was found and then overtaken", |_, state| {
        state.readers.iter().any(|reader| {
            matches!(reader.stage, Stage::Answered(Answer::Found(_))) && !reader.vouched
        })
    })
}

pub(super) fn expired_lease() -> Sight {
    sight("a lease that ends under its load", |model, state| {
        state.writers.iter().all(|writer| *writer == Writer::Idle)
            && each(model, state).any(|(r, stage, slot)| {
                matches!(stage, Stage::Loading(Under::Lease(_))) && slot != Slot::Lease(r)
            })
    })
}

pub(super) fn wait() -> Sight {
    sight("a wait for the lease of another process", |model, state| {
        each(model, state).any(|(_, stage, slot)| {
            let holder = match slot {
                Slot::Lease(holder) => model.readers.get(usize::from(holder)),
                Slot::Nothing | Slot::Value { .. } => None,
            };
            stage == Stage::Waiting
                && holder.is_some_and(|holder| holder.process != model.readers[0].process)
        })
    })
}

pub(super) fn shared_flight() -> Sight {
    sight("a flight that is shared", |model, state| {
        each(model, state).any(|(_, stage, _)| matches!(stage, Stage::Joined(_)))
    })
}

pub(super) fn given_up() -> Sight {
    sight("a fill that nobody waits for is stored", |model, state| {
        let late = |r: usize| matches!(state.readers[r].late, Some(Command::Fill(_)));
        each(model, state).any(|(r, _, slot)| late(r.into()) && slot == Slot::Lease(r))
    })
}

pub(super) fn reconnected() -> Sight {
    sight("a value in level 1 after a reconnect", |_, state| {
        state.losses == 0
            && state
                .processes
                .iter()
                .all(|process| process.connected && process.link == Link::Published)
            && state
                .processes
                .iter()
                .any(|process| process.local[0].is_some())
    })
}

pub(super) fn degraded() -> Sight {
    sight("level 1 serves while the link is away", |model, state| {
        idle(model, state).any(|(p, key)| {
            let process = &state.processes[p];
            process.link == Link::Away && process.local[key].is_some()
        })
    })
}

pub(super) fn owed() -> Sight {
    sight("a read while a removal is owed", |model, state| {
        model
            .readers
            .iter()
            .zip(&state.readers)
            .any(|(reads, reader)| {
                matches!(reader.stage, Stage::Loading(_))
                    && reader.vouched
                    && model.owes(state, reads.process, reads.key)
            })
    })
}

pub(super) fn missed_by_sweep() -> Sight {
    sight(
        "a sweep ends and has not seen a lease that is there",
        |_, state| {
            state.writers.iter().any(|writer| match writer {
                Writer::Sweeping { must, seen, .. } => {
                    let mut slots = state.slots.iter().zip(must.iter().zip(seen));
                    slots.any(|(slot, (must, seen))| {
                        matches!(slot, Slot::Lease(_)) && !must && !seen
                    })
                }
                _ => false,
            })
        },
    )
}

pub(super) fn refused_refill() -> Sight {
    sight("a refresh whose value is gone", |model, state| {
        each(model, state).any(|(_, stage, slot)| match (stage, slot) {
            (Stage::Asked(Command::Refill(_, from)), Slot::Value { serial, .. }) => serial != from,
            _ => false,
        })
    })
}

pub(super) fn old_boarded() -> Sight {
    sight(
        "a refresh serves the old value to who comes",
        |model, state| {
            let boards = idle(model, state).any(|(p, key)| state.processes[p].local[key].is_none());
            boards
                && each(model, state).any(|(_, stage, _)| {
                    matches!(stage, Stage::Loading(Under::Refresh { old: Some(_), .. }))
                })
        },
    )
}

pub(super) fn put_back() -> Sight {
    sight(
        "a body fails and the old value is put back",
        |model, state| {
            each(model, state).any(|(_, stage, _)| {
            matches!(stage, Stage::Answered(Answer::Stored(version, true)) if version < state.database)
        })
        },
    )
}

pub(super) fn refused_put() -> Sight {
    sight("a put that is refused", |_, state| {
        let refused = |writer: &Writer| matches!(writer, Writer::Refused(_));
        state.writers.iter().any(refused)
    })
}

pub(super) fn put_alone() -> Sight {
    sight("a put that stays", |_, state| {
        let returned = |writer: &Writer| matches!(writer, Writer::Returned(_));
        state.writers.iter().any(returned)
            && state.slots[0]
                == Slot::Value {
                    version: state.database,
                    serial: 0,
                }
    })
}

fn sight(name: &'static str, condition: fn(&Keys, &State) -> bool) -> Sight {
    Property::sometimes(name, condition)
}

fn each<'a>(model: &'a Keys, state: &'a State) -> impl Iterator<Item = (u8, Stage, Slot)> + 'a {
    let readers = model.readers.iter().zip(&state.readers).enumerate();
    readers.map(|(r, (reads, reader))| (r as u8, reader.stage, state.slots[reads.key]))
}

/// Where somebody may begin to read.
fn idle<'a>(model: &'a Keys, state: &'a State) -> impl Iterator<Item = (usize, usize)> + 'a {
    let readers = model.readers.iter().zip(&state.readers);
    readers
        .filter(|(_, reader)| reader.stage == Stage::Idle)
        .map(|(reads, _)| (reads.process, reads.key))
}
