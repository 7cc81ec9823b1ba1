//! The two connections of a process, which live and die as one.

use super::reader::{Command, Stage, Under};
use super::writer::Writer;
use super::{Action, KEYS, Keys, Link, Reconnect, State};

impl Keys {
    pub(super) fn link_actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (p, process) in state.processes.iter().enumerate() {
            match process.link {
                Link::Published if process.connected && state.losses > 0 => {
                    actions.push(Action::Lose(p));
                }
                Link::Published if !process.connected => actions.push(Action::Notice(p)),
                Link::Published => {}
                Link::Away => {
                    if !(0..KEYS).any(|key| self.owes(state, p, key)) {
                        actions.push(Action::Publish(p));
                    }
                }
                Link::PublishedUncleared => actions.push(Action::Clear(p)),
            }
        }
    }

    /// What was on its way to this process is lost. What was on its way to the
    /// server may still arrive.
    pub(super) fn notice(&self, state: &mut State, p: usize) {
        state.processes[p].link = Link::Away;
        state.processes[p].wire.clear();
        if self.rules.reconnect == Reconnect::NewGeneration {
            self.begin_generation(state, p);
        }
        let readers = self.readers.iter().enumerate();
        for (r, _) in readers.filter(|(_, reads)| reads.process == p) {
            let (command, late) = match state.readers[r].stage {
                Stage::Asked(command) => (command, Some(command)),
                Stage::Expecting(command) => (command, None),
                Stage::Waiting => (Command::Get, None),
                _ => continue,
            };
            // A late look-up tells nobody anything.
            state.readers[r].late = late.filter(|&late| late != Command::Get);
            match command {
                Command::Fill(version) | Command::Refill(version, _) => {
                    self.land(state, r, version, true);
                }
                _ => state.readers[r].stage = Stage::Loading(Under::Alone { keep: false }),
            }
        }
        for w in 0..self.writers.len() {
            if self.writers[w].process != p {
                continue;
            }
            let (version, effected) = match state.writers[w] {
                Writer::Sent(version) | Writer::Sweeping { version, .. } => (version, false),
                Writer::Effected(version) => (version, true),
                _ => continue,
            };
            self.owe(state, w, version, effected);
            for key in (0..KEYS).filter(|&key| self.writers[w].covers(key)) {
                state.bump(self, p, key);
                state.disperse_look_up(p, key);
            }
        }
    }

    pub(super) fn publish(&self, state: &mut State, p: usize) {
        let process = &mut state.processes[p];
        process.connected = true;
        process.link = match self.rules.reconnect {
            Reconnect::NewGeneration | Reconnect::SameGeneration => Link::Published,
            Reconnect::PublishedFirst => Link::PublishedUncleared,
        };
        if self.rules.reconnect == Reconnect::NewGeneration {
            self.begin_generation(state, p);
        }
        self.tell(state, p);
    }

    pub(super) fn clear(&self, state: &mut State, p: usize) {
        state.processes[p].link = Link::Published;
        self.begin_generation(state, p);
    }

    fn begin_generation(&self, state: &mut State, p: usize) {
        for key in 0..KEYS {
            state.bump(self, p, key);
        }
        self.tell(state, p);
    }

    /// From here on nothing stale may be served.
    fn tell(&self, state: &mut State, p: usize) {
        for key in 0..KEYS {
            state.processes[p].told[key] = state.effected(self, key);
        }
    }
}

impl State {
    pub(super) fn lose(&mut self, p: usize) {
        self.losses -= 1;
        self.processes[p].connected = false;
        self.processes[p].tracked = [false; KEYS];
    }
}
