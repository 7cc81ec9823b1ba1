//! A write, and the removal, sweep or put that answers to it.
//!
//! What was written is in the database before the removal begins; a put takes
//! the lease before.

use super::server::Slot;
use super::{Action, KEYS, Keys, Link, READERS, Removes, State, Version};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Writer {
    Idle,
    /// A put takes the lease by force.
    Seizing,
    Seized,
    /// The removal, or the fill of a put, is on its way.
    Sent(Version),
    /// The fill of a put was refused: the removal is on its way.
    Refused(Version),
    /// `must`: the keys that have been there since the sweep began, which SCAN
    /// is sure to return. `seen`: those it has been at.
    Sweeping {
        version: Version,
        must: [bool; KEYS],
        seen: [bool; KEYS],
    },
    /// The server has done it; the reply is on its way.
    Effected(Version),
    /// It has returned, but whether the server has done it is not known.
    Owed {
        version: Version,
        effected: bool,
    },
    Returned(Version),
}

impl Writer {
    /// What it wrote, if no older value may be in the store any more.
    pub(super) fn effected(self) -> Option<Version> {
        match self {
            Self::Effected(version)
            | Self::Returned(version)
            | Self::Owed {
                version,
                effected: true,
            } => Some(version),
            _ => None,
        }
    }

    pub(super) fn need_not_find(&mut self, key: usize) {
        if let Self::Sweeping { must, .. } = self {
            must[key] = false;
        }
    }
}

impl Keys {
    pub(super) fn writer_actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (w, writes) in self.writers.iter().enumerate() {
            let n = w as u8;
            let process = &state.processes[writes.process];
            match state.writers[w] {
                Writer::Idle if writes.removes == Removes::Put => actions.push(Action::Seize(n)),
                Writer::Idle | Writer::Seized => actions.push(Action::Write(n)),
                Writer::Seizing | Writer::Sent(_) | Writer::Refused(_) => {
                    if process.connected {
                        actions.push(Action::Effect(n));
                    }
                }
                Writer::Sweeping { must, seen, .. } if process.connected => {
                    for k in (0..KEYS).filter(|&k| !seen[k]) {
                        actions.push(Action::Visit(n, k));
                    }
                    if (0..KEYS).all(|k| seen[k] || !must[k]) {
                        actions.push(Action::Effect(n));
                    }
                }
                Writer::Effected(_) => actions.push(Action::Return(n)),
                Writer::Owed { .. } if process.link == Link::Away => {
                    actions.push(Action::Repair(n));
                }
                Writer::Sweeping { .. } | Writer::Owed { .. } | Writer::Returned(_) => {}
            }
        }
    }

    pub(super) fn seize(&self, state: &mut State, w: usize) {
        self.move_epochs(state, w);
        state.writers[w] = Writer::Seizing;
    }

    /// The commit and the beginning of the removal. They are one step: a load
    /// between the two reads what a load after them reads, so it proves less.
    pub(super) fn write(&self, state: &mut State, w: usize) {
        state.database += 1;
        let version = state.database;
        let writes = self.writers[w];
        self.move_epochs(state, w);
        if state.processes[writes.process].link == Link::Away {
            self.owe(state, w, version, false);
            return;
        }
        state.writers[w] = match writes.removes {
            Removes::Key | Removes::Put => Writer::Sent(version),
            Removes::Pattern => Writer::Sweeping {
                version,
                must: state.slots.map(|slot| slot != Slot::Nothing),
                seen: [false; KEYS],
            },
        };
    }

    pub(super) fn take_effect(&self, state: &mut State, w: usize) {
        let writes = self.writers[w];
        let over = (!self.rules.own_connection).then_some(writes.process);
        let serial = (READERS + w) as u8;
        match state.writers[w] {
            Writer::Seizing => {
                state.writers[w] = Writer::Seized;
                state.modify(self, 0, Slot::Lease(serial));
            }
            Writer::Sent(version) if writes.removes == Removes::Put => {
                if state.slots[0] == Slot::Lease(serial) {
                    state.writers[w] = Writer::Effected(version);
                    state.modify(self, 0, self.value(version, serial));
                } else if self.rules.put_removes {
                    state.writers[w] = Writer::Refused(version);
                } else {
                    state.writers[w] = Writer::Effected(version);
                }
            }
            Writer::Sent(version) | Writer::Refused(version) => {
                state.writers[w] = Writer::Effected(version);
                state.modify_from(self, 0, Slot::Nothing, over);
            }
            Writer::Sweeping { version, .. } => state.writers[w] = Writer::Effected(version),
            _ => unreachable!("nothing is on its way to the server"),
        }
    }

    pub(super) fn visit(&self, state: &mut State, w: usize, key: usize) {
        if let Writer::Sweeping { seen, .. } = &mut state.writers[w] {
            seen[key] = true;
        }
        if self.rules.sweeps_leases || !matches!(state.slots[key], Slot::Lease(_)) {
            state.modify(self, key, Slot::Nothing);
        }
    }

    pub(super) fn return_from(&self, state: &mut State, w: usize) {
        let Writer::Effected(version) = state.writers[w] else {
            unreachable!("the reply comes after the effect")
        };
        let process = self.writers[w].process;
        for key in self.covered(w) {
            if self.rules.bumps_after {
                state.bump(self, process, key);
                state.disperse_look_up(process, key);
            }
        }
        self.raise_own(state, w, version);
        state.writers[w] = Writer::Returned(version);
    }

    /// The call returns although the removal may not have reached the server.
    pub(super) fn owe(&self, state: &mut State, w: usize, version: Version, effected: bool) {
        self.raise_own(state, w, version);
        state.writers[w] = if self.rules.repairs {
            Writer::Owed { version, effected }
        } else {
            Writer::Returned(version)
        };
    }

    /// Whether this process still owes the server a removal of `key`: then it
    /// trusts neither level.
    pub(super) fn owes(&self, state: &State, process: usize, key: usize) -> bool {
        let writers = self.writers.iter().zip(&state.writers);
        writers
            .filter(|(writes, _)| writes.process == process && writes.covers(key))
            .any(|(_, writer)| matches!(writer, Writer::Owed { .. }))
    }

    /// Over a new link that nobody else has yet.
    pub(super) fn repair(&self, state: &mut State, w: usize) {
        let Writer::Owed { version, .. } = state.writers[w] else {
            unreachable!("nothing is owed")
        };
        state.writers[w] = Writer::Returned(version);
        for key in self.covered(w) {
            state.modify(self, key, Slot::Nothing);
            state.bump(self, self.writers[w].process, key);
        }
    }

    /// Before the removal is sent.
    fn move_epochs(&self, state: &mut State, w: usize) {
        for key in self.covered(w) {
            state.bump(self, self.writers[w].process, key);
            state.disperse(self.writers[w].process, key);
        }
    }

    fn raise_own(&self, state: &mut State, w: usize, version: Version) {
        for key in self.covered(w) {
            let floor = &mut state.processes[self.writers[w].process].own[key];
            *floor = version.max(*floor);
        }
    }

    fn covered(&self, w: usize) -> impl Iterator<Item = usize> + use<> {
        let writes = self.writers[w];
        (0..KEYS).filter(move |&key| writes.covers(key))
    }
}
