//! A write and the removal of its tag, and links that are lost.

use super::steps::{Answer, Command, Stage, Writer};
use super::{State, Tags};

impl Tags {
    pub(super) fn write(&self, state: &mut State, w: usize) {
        state.database += 1;
        state.writers[w] = Writer::Sent(state.database);
        self.forget_marker(state, self.writers[w]);
    }

    pub(super) fn take_effect(&self, state: &mut State, w: usize) {
        let Writer::Sent(version) = state.writers[w] else {
            unreachable!("nothing is on its way to the server")
        };
        let known = state.processes[self.writers[w]].known;
        let marker = self.counter(state).max(known) + 1;
        state.server.counter = Some(marker);
        state.server.greatest = state.server.greatest.max(marker);
        state.writers[w] = Writer::Effected { version, marker };
        state.set_marker(Some(marker), None);
    }

    pub(super) fn return_from(&self, state: &mut State, w: usize) {
        let Writer::Effected { version, marker } = state.writers[w] else {
            unreachable!("the reply comes after the effect")
        };
        let p = self.writers[w];
        state.writers[w] = Writer::Returned(version);
        self.forget_marker(state, p);
        let process = &mut state.processes[p];
        process.known = process.known.max(marker);
        process.own = process.own.max(version);
        if !self.rules.reply_forgets {
            process.marker = Some(marker);
        }
    }

    pub(super) fn notice(&self, state: &mut State, p: usize) {
        state.processes[p].away = true;
        state.processes[p].wire.clear();
        self.begin_generation(state, p);
        for r in self.readers_of(p) {
            match state.readers[r].stage {
                Stage::Asked(Command::Fill(entry)) | Stage::Expecting(Answer::Stored(entry)) => {
                    self.land(state, r, entry);
                }
                Stage::Asked(_) | Stage::Expecting(_) => state.readers[r].stage = Stage::Loading,
                _ => {}
            }
        }
    }

    pub(super) fn publish(&self, state: &mut State, p: usize) {
        self.begin_generation(state, p);
        let counter = self.counter(state);
        let process = &mut state.processes[p];
        (process.connected, process.away) = (true, false);
        process.known = process.known.max(counter);
    }

    fn begin_generation(&self, state: &mut State, p: usize) {
        self.bump_entry(state, p);
        if self.rules.markers_end {
            self.forget_marker(state, p);
        }
        state.processes[p].told = state.effected();
    }
}

impl State {
    pub(super) fn lose(&mut self, p: usize) {
        self.losses -= 1;
        let process = &mut self.processes[p];
        process.connected = false;
        (process.tracks_entry, process.tracks_marker) = (false, false);
    }
}
