//! What is under the keys, whom the server tells of changes, and in which
//! order a connection carries replies and pushes.

use super::reader::{Command, Stage};
use super::{Action, Keys, Kind, State, Version};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Slot {
    Nothing,
    Lease(Token),
    Value { version: Version, serial: u8 },
}

/// Random bytes in truth. Here the number of the one that made them up, since
/// each does so once.
pub(crate) type Token = u8;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Wire {
    Push(Push),
    Reply(u8, Answer),
}

/// `told` is not on the wire: it is the last removal that had taken effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Push {
    pub(crate) key: u8,
    pub(crate) told: Version,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Found(Slot),
    /// The lease was placed, over this value if one was there.
    Placed(Option<Version>),
    Stored(Version, bool),
}

impl Answer {
    /// Whether it may be kept in level 1.
    fn brings_a_value(self) -> bool {
        matches!(
            self,
            Self::Found(Slot::Value { .. }) | Self::Stored(_, true)
        )
    }
}

impl Keys {
    pub(super) fn server_actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (r, reads) in self.readers.iter().enumerate() {
            let reader = &state.readers[r];
            if matches!(reader.stage, Stage::Asked(_)) && state.processes[reads.process].connected {
                actions.push(Action::Serve(r as u8));
            }
            if reader.late.is_some() {
                actions.push(Action::ServeLate(r as u8));
            }
        }
        for (p, process) in state.processes.iter().enumerate() {
            if !process.wire.is_empty() {
                actions.push(Action::Deliver(p));
            }
        }
        for (k, slot) in state.slots.iter().enumerate() {
            match slot {
                Slot::Nothing => {}
                Slot::Value { .. } if !self.values_expire => {}
                _ => actions.push(Action::Expire(k)),
            }
        }
    }

    /// Commands of one connection may overtake each other here, which they do
    /// not in truth: a rule less to rely on.
    pub(super) fn serve(&self, state: &mut State, r: usize) {
        let Stage::Asked(command) = state.readers[r].stage else {
            unreachable!("only commands are served")
        };
        let process = self.readers[r].process;
        let answer = self.carry_out(state, r, command);
        let served = &mut state.processes[process];
        // Every script reads its key last; a lease is placed without one where
        // nothing is.
        let plain = matches!(command, Command::Acquire { over: None })
            && matches!(answer, Answer::Placed(_));
        served.tracked[self.readers[r].key] = !plain;
        if answer.brings_a_value() {
            served.wire.push(Wire::Reply(r as u8, answer));
            state.readers[r].stage = Stage::Expecting(command);
        } else {
            // Its way is no step of its own: what the reader does next takes
            // effect at another step, which is free to come as late.
            self.answered(state, r, answer);
        }
    }

    pub(super) fn serve_late(&self, state: &mut State, r: usize) {
        if let Some(command) = state.readers[r].late.take() {
            self.carry_out(state, r, command);
        }
    }

    fn carry_out(&self, state: &mut State, r: usize, command: Command) -> Answer {
        let (key, process) = (self.readers[r].key, self.readers[r].process);
        let present = state.slots[key];
        let token = r as Token;
        match command {
            Command::Get => Answer::Found(present),
            Command::Acquire { over } => {
                let old = match present {
                    Slot::Nothing => None,
                    Slot::Value { version, serial } if over == Some(serial) => Some(version),
                    Slot::Lease(_) | Slot::Value { .. } => return Answer::Found(present),
                };
                state.modify_from(self, key, Slot::Lease(token), Some(process));
                Answer::Placed(old)
            }
            Command::Fill(version) => {
                let same = present == Slot::Lease(token) || !self.rules.fill_compares;
                if same {
                    let value = self.value(version, token);
                    state.modify_from(self, key, value, Some(process));
                }
                Answer::Stored(version, same)
            }
            Command::Refill(version, from) => {
                let same = match present {
                    Slot::Value { serial, .. } => serial == from,
                    Slot::Nothing | Slot::Lease(_) => false,
                } || !self.rules.refill_compares;
                if same {
                    let value = self.value(version, token);
                    state.modify_from(self, key, value, Some(process));
                }
                Answer::Stored(version, same)
            }
            Command::Abandon => {
                if present == Slot::Lease(token) {
                    state.modify_from(self, key, Slot::Nothing, Some(process));
                }
                Answer::Found(Slot::Nothing)
            }
        }
    }

    /// Values differ by their serial only where somebody looks at it.
    pub(super) fn value(&self, version: Version, serial: Token) -> Slot {
        let looked_at = self.readers.iter().any(|reads| reads.kind != Kind::Plain);
        let serial = if looked_at { serial } else { 0 };
        Slot::Value { version, serial }
    }

    pub(super) fn deliver(&self, state: &mut State, p: usize) {
        match state.processes[p].wire.remove(0) {
            Wire::Push(Push { key, told }) => {
                let key = usize::from(key);
                state.bump(self, p, key);
                let floor = &mut state.processes[p].told[key];
                *floor = told.max(*floor);
            }
            Wire::Reply(r, answer) => {
                let r = usize::from(r);
                // It may have ended with the link.
                if matches!(state.readers[r].stage, Stage::Expecting(_)) {
                    self.answered(state, r, answer);
                }
            }
        }
    }
}

impl State {
    /// Changes a key from a connection that is not tracked.
    pub(super) fn modify(&mut self, model: &Keys, key: usize, to: Slot) {
        self.modify_from(model, key, to, None);
    }

    /// Changes a key, and tells all that track it but the one whose connection
    /// the change came over (`NOLOOP`): it is forgotten without a word.
    pub(super) fn modify_from(&mut self, model: &Keys, key: usize, to: Slot, over: Option<usize>) {
        if self.slots[key] == Slot::Nothing && to == Slot::Nothing {
            return;
        }
        self.slots[key] = to;
        if to == Slot::Nothing {
            for writer in &mut self.writers {
                writer.need_not_find(key);
            }
        }
        let told = self.effected(model, key);
        for (p, process) in self.processes.iter_mut().enumerate() {
            let tracked = std::mem::take(&mut process.tracked[key]);
            if tracked && process.connected && over != Some(p) {
                let key = key as u8;
                process.wire.push(Wire::Push(Push { key, told }));
            }
        }
    }
}
