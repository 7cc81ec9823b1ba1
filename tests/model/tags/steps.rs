//! A call, the server, and what the wire carries.

use super::{Count, Entry, Process, State, Tags, Version, Wrong};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Reader {
    pub(super) stage: Stage,
    /// Whether its ticket for the entry is still good.
    pub(super) vouched: bool,
    /// Whether nothing has come for the marker since it was asked for.
    pub(super) marker_vouched: bool,
    own: Version,
    told: Version,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    /// Not begun, or sent back to the start, which is a new beginning.
    Idle,
    Joined(u8),
    Asked(Command),
    Expecting(Answer),
    /// The reply has come, but the task has not run since.
    Answered(Answer),
    Loading,
    Loaded(Entry),
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Command {
    Get,
    /// The marker, for an entry of level 1 or 2.
    Mark(Entry),
    Fill(Entry),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Answer {
    Found(Entry),
    Marked(Entry, Count),
    Stored(Entry),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Wire {
    PushEntry,
    /// `told` is not on the wire: it is the last removal that had taken effect.
    PushMarker {
        told: Version,
    },
    Reply(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Writer {
    Idle,
    Sent(Version),
    /// With the marker as it was set, which the reply tells.
    Effected {
        version: Version,
        marker: Count,
    },
    Returned(Version),
}

impl Reader {
    pub(super) const IDLE: Self = Self {
        stage: Stage::Idle,
        vouched: false,
        marker_vouched: false,
        own: 0,
        told: 0,
    };
}

impl Process {
    pub(super) fn allows(&self, entry: Entry) -> bool {
        self.marker.is_some_and(|marker| marker <= entry.stamp)
    }

    /// What level 1 would serve.
    pub(super) fn served(&self) -> Option<Version> {
        let served = self.local.filter(|&entry| self.allows(entry));
        served.map(|entry| entry.version)
    }
}

impl Tags {
    pub(super) fn read(&self, state: &mut State, r: usize) {
        let process = &mut state.processes[self.readers[r]];
        let reader = &mut state.readers[r];
        (reader.own, reader.told) = (process.own, process.told);
        if let Some(version) = process.served() {
            return state.end(r, version);
        }
        if let Some(leader) = process.flight {
            reader.stage = Stage::Joined(leader);
            return;
        }
        process.flight = Some(r as u8);
        reader.vouched = true;
        reader.stage = match process.local {
            _ if process.away => Stage::Loading,
            Some(entry) if process.marker.is_none() => {
                reader.marker_vouched = true;
                Stage::Asked(Command::Mark(entry))
            }
            _ => Stage::Asked(Command::Get),
        };
    }

    pub(super) fn serve(&self, state: &mut State, r: usize) {
        let Stage::Asked(command) = state.readers[r].stage else {
            unreachable!("only commands are served")
        };
        let p = self.readers[r];
        let answer = match command {
            Command::Get => {
                state.processes[p].tracks_entry = true;
                let Some(entry) = state.server.entry else {
                    // The body begins at another step, which may come as late.
                    state.readers[r].stage = Stage::Loading;
                    return;
                };
                Answer::Found(entry)
            }
            Command::Mark(entry) => {
                let marker = match state.server.marker {
                    Some(marker) => marker,
                    None => self.make_marker(state, p),
                };
                state.processes[p].tracks_marker = true;
                Answer::Marked(entry, marker)
            }
            Command::Fill(entry) => {
                state.set_entry(Some(entry), Some(p));
                state.processes[p].tracks_entry = true;
                Answer::Stored(entry)
            }
        };
        state.processes[p].wire.push(Wire::Reply(r as u8));
        state.readers[r].stage = Stage::Expecting(answer);
    }

    fn make_marker(&self, state: &mut State, p: usize) -> Count {
        let counter = self.counter(state);
        state.server.counter = Some(counter);
        let marker = if self.rules.marker_from_counter {
            counter
        } else {
            0
        };
        state.set_marker(Some(marker), Some(p));
        marker
    }

    pub(super) fn counter(&self, state: &State) -> Count {
        let server = &state.server;
        let lost = if self.rules.counter_from_time {
            server.greatest
        } else {
            0
        };
        server.counter.unwrap_or(lost)
    }

    /// Whether a reader that comes now would take the entry of the store.
    pub(super) fn stored(&self, state: &State) -> Option<Version> {
        let made = if self.rules.marker_from_counter {
            self.counter(state)
        } else {
            0
        };
        let marker = state.server.marker.unwrap_or(made);
        let valid = state.server.entry.filter(|entry| marker <= entry.stamp);
        valid.map(|entry| entry.version)
    }

    pub(super) fn deliver(&self, state: &mut State, p: usize) {
        match state.processes[p].wire.remove(0) {
            Wire::PushEntry => self.bump_entry(state, p),
            Wire::PushMarker { told } => {
                self.forget_marker(state, p);
                let floor = &mut state.processes[p].told;
                *floor = told.max(*floor);
            }
            Wire::Reply(r) => {
                let reader = &mut state.readers[usize::from(r)];
                if let Stage::Expecting(answer) = reader.stage {
                    reader.stage = Stage::Answered(answer);
                }
            }
        }
    }

    pub(super) fn bump_entry(&self, state: &mut State, p: usize) {
        state.processes[p].local = None;
        for r in self.readers_of(p) {
            state.readers[r].vouched = false;
        }
    }

    pub(super) fn forget_marker(&self, state: &mut State, p: usize) {
        state.processes[p].marker = None;
        for r in self.readers_of(p) {
            state.readers[r].marker_vouched = false;
        }
    }

    pub(super) fn readers_of(&self, p: usize) -> impl Iterator<Item = usize> {
        let readers = self.readers.iter().enumerate();
        readers.filter(move |(_, of)| **of == p).map(|(r, _)| r)
    }

    /// The task wakes up, some time after its reply has come.
    pub(super) fn go_on(&self, state: &mut State, r: usize) {
        let Stage::Answered(answer) = state.readers[r].stage else {
            unreachable!("only who has an answer goes on")
        };
        let process = &mut state.processes[self.readers[r]];
        let reader = &mut state.readers[r];
        match answer {
            Answer::Found(entry) => match process.marker {
                Some(marker) if marker > entry.stamp => reader.stage = Stage::Loading,
                Some(_) => self.land(state, r, entry),
                None if process.away => reader.stage = Stage::Loading,
                None => {
                    reader.marker_vouched = true;
                    reader.stage = Stage::Asked(Command::Mark(entry));
                }
            },
            Answer::Marked(entry, marker) => {
                process.known = process.known.max(marker);
                if reader.marker_vouched || !self.rules.fetch_is_vouched {
                    process.marker = Some(marker);
                }
                if marker <= entry.stamp {
                    self.land(state, r, entry);
                } else {
                    reader.stage = Stage::Loading;
                }
            }
            Answer::Stored(entry) => self.land(state, r, entry),
        }
    }

    /// The stamp is taken at the last moment before the body reads: an older
    /// one only costs misses.
    pub(super) fn load(&self, state: &mut State, r: usize) {
        state.readers[r].stage = Stage::Loaded(Entry {
            version: state.database,
            stamp: state.processes[self.readers[r]].known,
        });
    }

    pub(super) fn store(&self, state: &mut State, r: usize) {
        let Stage::Loaded(mut entry) = state.readers[r].stage else {
            unreachable!("only what was loaded is stored")
        };
        let process = &state.processes[self.readers[r]];
        if !self.rules.stamps_before {
            entry.stamp = process.known;
        }
        if process.away {
            return self.land(state, r, entry);
        }
        state.readers[r].vouched = true;
        state.readers[r].stage = Stage::Asked(Command::Fill(entry));
    }

    /// Keeps in level 1 what the ticket allows, and hands it to those who
    /// joined if the marker allows it.
    pub(super) fn land(&self, state: &mut State, r: usize, entry: Entry) {
        let p = self.readers[r];
        let from_store = matches!(state.readers[r].stage, Stage::Answered(_));
        let process = &mut state.processes[p];
        if from_store && state.readers[r].vouched {
            process.local = Some(entry);
        }
        let shared = process.allows(entry) || !self.rules.landing_is_checked;
        if process.flight == Some(r as u8) {
            process.flight = None;
        }
        state.hand_over(r as u8, shared.then_some(entry.version));
        state.end(r, entry.version);
    }
}

impl State {
    /// Changes the entry and tells those who track it, but not the one whose
    /// own connection the change came over.
    pub(super) fn set_entry(&mut self, entry: Option<Entry>, over: Option<usize>) {
        self.server.entry = entry;
        for (p, process) in self.processes.iter_mut().enumerate() {
            let tracked = std::mem::take(&mut process.tracks_entry);
            if tracked && process.connected && over != Some(p) {
                process.wire.push(Wire::PushEntry);
            }
        }
    }

    pub(super) fn set_marker(&mut self, marker: Option<Count>, over: Option<usize>) {
        self.server.marker = marker;
        let told = self.effected();
        for (p, process) in self.processes.iter_mut().enumerate() {
            let tracked = std::mem::take(&mut process.tracks_marker);
            if tracked && process.connected && over != Some(p) {
                process.wire.push(Wire::PushMarker { told });
            }
        }
    }

    /// What was written last of all that removals have taken effect for.
    pub(super) fn effected(&self) -> Version {
        let writers = self.writers.iter().map(|writer| match *writer {
            Writer::Effected { version, .. } | Writer::Returned(version) => version,
            Writer::Idle | Writer::Sent(_) => 0,
        });
        writers.max().unwrap_or(0)
    }

    /// As after a removal of the key, or beside a flight of another key with
    /// the same tag.
    pub(super) fn disperse(&mut self, p: usize) {
        if let Some(leader) = self.processes[p].flight.take() {
            self.hand_over(leader, None);
        }
    }

    /// Those who joined share what the leader brought, or start again.
    fn hand_over(&mut self, leader: u8, shared: Option<Version>) {
        for r in 0..self.readers.len() {
            if self.readers[r].stage == Stage::Joined(leader) {
                match shared {
                    Some(version) => self.end(r, version),
                    None => self.readers[r].stage = Stage::Idle,
                }
            }
        }
    }

    fn end(&mut self, r: usize, version: Version) {
        let reader = &mut self.readers[r];
        if version < reader.told {
            self.wrong = Some(Wrong::OlderThanTold);
        }
        if version < reader.own {
            self.wrong = Some(Wrong::OlderThanOwn);
        }
        reader.stage = Stage::Ended;
    }

    /// Forgets what no rule and no property looks at, so that states that
    /// differ in nothing else are one.
    pub(super) fn tidy(&mut self) {
        for reader in &mut self.readers {
            match reader.stage {
                Stage::Idle | Stage::Ended => {
                    *reader = Reader {
                        stage: reader.stage,
                        ..Reader::IDLE
                    }
                }
                Stage::Loading | Stage::Loaded(_) => {
                    (reader.vouched, reader.marker_vouched) = (false, false);
                }
                _ => {}
            }
        }
    }
}
