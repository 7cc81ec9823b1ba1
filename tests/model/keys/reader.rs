//! A call: level 1, the flight of its key, the store, the body.

use super::server::{Answer, Slot};
use super::{Action, Keys, Kind, Landing, Link, Local, State, Version, Wrong};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reader {
    pub(crate) stage: Stage,
    /// Whether its ticket is still good.
    pub(crate) vouched: bool,
    /// What it may not return anything older than.
    pub(crate) own: Version,
    pub(crate) told: Version,
    /// A command it no longer waits for, which may still reach the server.
    pub(crate) late: Option<Command>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    /// Not begun, or sent back to the start, which is a new beginning.
    Idle,
    Joined(u8),
    Asked(Command),
    /// Carried out; the reply is on the wire.
    Expecting(Command),
    /// The reply has come, but the task has not run since.
    Answered(Answer),
    /// Another one holds the lease.
    Waiting,
    Loading(Under),
    Loaded(Version, Under),
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Command {
    Get,
    /// Over nothing, or over the value with exactly this serial.
    Acquire {
        over: Option<u8>,
    },
    Fill(Version),
    Refill(Version, u8),
    Abandon,
}

/// What allows a load to store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Under {
    /// With the value that it replaces, to be put back if the body fails.
    Lease(Option<Version>),
    /// A refresh of the value with this serial; whoever boards the flight gets
    /// `old` meanwhile.
    Refresh { serial: u8, old: Option<Version> },
    /// Nothing in the store. `keep`: while the link is away, in level 1.
    Alone { keep: bool },
}

impl Reader {
    pub(crate) const IDLE: Self = Self {
        stage: Stage::Idle,
        vouched: false,
        own: 0,
        told: 0,
        late: None,
    };

    /// The epoch of its key has moved.
    pub(super) fn distrust(&mut self, landing: Landing) {
        self.vouched = false;
        if landing == Landing::Vouched
            && let Stage::Loading(Under::Refresh { old, .. })
            | Stage::Loaded(_, Under::Refresh { old, .. }) = &mut self.stage
        {
            *old = None;
        }
    }

    /// What a refresh gives to those who board its flight.
    fn serves(&self) -> Option<Version> {
        match self.stage {
            Stage::Loading(Under::Refresh { old, .. })
            | Stage::Loaded(_, Under::Refresh { old, .. }) => old,
            _ => None,
        }
    }

    fn is_past_looking(&self) -> bool {
        matches!(
            self.stage,
            Stage::Loading(_)
                | Stage::Loaded(..)
                | Stage::Asked(Command::Fill(_) | Command::Refill(..))
                | Stage::Expecting(Command::Fill(_) | Command::Refill(..))
                | Stage::Answered(Answer::Stored(..))
        )
    }
}

impl Keys {
    pub(super) fn reader_actions(&self, state: &State, actions: &mut Vec<Action>) {
        for (r, reads) in self.readers.iter().enumerate() {
            let n = r as u8;
            let reader = &state.readers[r];
            match reader.stage {
                // Of readers that are alike the first begins first.
                Stage::Idle => {
                    let alike = |i: usize| {
                        self.readers[i] == *reads && state.readers[i].stage == Stage::Idle
                    };
                    if !(0..r).any(alike) {
                        actions.push(Action::Read(n));
                    }
                }
                Stage::Answered(_) => actions.push(Action::Continue(n)),
                Stage::Waiting => actions.push(Action::Wake(n)),
                Stage::Loading(_) => {
                    actions.push(Action::Load(n));
                    if self.failures {
                        actions.push(Action::Fail(n));
                    }
                }
                Stage::Loaded(..) => actions.push(Action::Store(n)),
                Stage::Joined(_) | Stage::Asked(_) | Stage::Expecting(_) | Stage::Ended => {}
            }
            if self.budgets && matches!(reader.stage, Stage::Waiting | Stage::Asked(_)) {
                actions.push(Action::GiveUp(n));
            }
        }
    }

    pub(super) fn read(&self, state: &mut State, r: usize) {
        let (p, key) = (self.readers[r].process, self.readers[r].key);
        let owed = self.owes(state, p, key);
        let process = &state.processes[p];
        let reader = &mut state.readers[r];
        (reader.own, reader.told) = (process.own[key], process.told[key]);
        // What is due for a refresh is not kept in level 1.
        let looks = !owed && self.readers[r].kind == Kind::Plain;
        if let Some(version) = process.local[key].filter(|_| looks) {
            return state.end(r, version);
        }
        if let Some(leader) = process.flights[key] {
            if let Some(version) = state.readers[usize::from(leader)].serves() {
                return state.end(r, version);
            }
            state.readers[r].stage = Stage::Joined(leader);
            return;
        }
        let away = process.link == Link::Away;
        state.processes[p].flights[key] = Some(r as u8);
        self.take_ticket(state, r);
        state.readers[r].stage = if away || owed {
            Stage::Loading(Under::Alone { keep: !owed })
        } else {
            Stage::Asked(Command::Get)
        };
    }

    pub(super) fn ask_again(&self, state: &mut State, r: usize) {
        self.take_ticket(state, r);
        state.readers[r].stage = Stage::Asked(Command::Get);
    }

    fn take_ticket(&self, state: &mut State, r: usize) {
        let reads = self.readers[r];
        match self.rules.local {
            Local::Ticket => state.readers[r].vouched = true,
            Local::Mark => state.processes[reads.process].marks[reads.key] = true,
            Local::Nothing => {}
        }
    }

    fn keep_locally(&self, state: &mut State, r: usize, version: Version) {
        let reads = self.readers[r];
        let process = &mut state.processes[reads.process];
        let kept = match self.rules.local {
            Local::Ticket => state.readers[r].vouched,
            Local::Mark => std::mem::take(&mut process.marks[reads.key]),
            Local::Nothing => true,
        };
        if kept {
            process.local[reads.key] = Some(version);
        }
    }

    /// The reply has come.
    pub(super) fn answered(&self, state: &mut State, r: usize, answer: Answer) {
        state.readers[r].stage = match answer {
            Answer::Found(Slot::Nothing) => Stage::Asked(Command::Acquire { over: None }),
            Answer::Found(Slot::Lease(_)) => Stage::Waiting,
            Answer::Found(Slot::Value { serial, .. }) if self.readers[r].kind == Kind::Shield => {
                let over = Some(serial);
                Stage::Asked(Command::Acquire { over })
            }
            Answer::Placed(old) => {
                // A fill takes a ticket of its own.
                state.readers[r].vouched = false;
                Stage::Loading(Under::Lease(old))
            }
            Answer::Stored(version, false) => return self.land(state, r, version, false),
            Answer::Found(Slot::Value { .. }) | Answer::Stored(_, true) => Stage::Answered(answer),
        };
    }

    /// The task wakes up, some time after its reply has come.
    pub(super) fn go_on(&self, state: &mut State, r: usize) {
        match state.readers[r].stage {
            Stage::Answered(Answer::Found(Slot::Value { version, serial })) => {
                if self.readers[r].kind == Kind::Refresh {
                    return self.refresh(state, r, version, serial);
                }
                self.keep_locally(state, r, version);
                self.land(state, r, version, true);
            }
            Stage::Answered(Answer::Stored(version, true)) => {
                self.keep_locally(state, r, version);
                self.land(state, r, version, true);
            }
            _ => unreachable!("nothing to keep has come"),
        }
    }

    /// The budget is used up.
    pub(super) fn give_up(&self, state: &mut State, r: usize) {
        let reader = &mut state.readers[r];
        if let Stage::Asked(command) = reader.stage
            && command != Command::Get
        {
            reader.late = Some(command);
        }
        match reader.stage {
            // Whether it was stored is not known, so its ticket proves nothing.
            Stage::Asked(Command::Fill(version) | Command::Refill(version, _)) => {
                let shared = self.rules.shares_unknown;
                self.land(state, r, version, shared);
            }
            _ => reader.stage = Stage::Loading(Under::Alone { keep: false }),
        }
    }

    /// The caller and those who joined have what is there; the flight goes on.
    fn refresh(&self, state: &mut State, r: usize, version: Version, serial: u8) {
        let shared = self.may_share(state, r);
        state.hand_over(r, version, shared);
        state.check(r, version);
        let old = shared.then_some(version);
        let reader = &mut state.readers[r];
        (reader.own, reader.told, reader.vouched) = (0, 0, false);
        reader.stage = Stage::Loading(Under::Refresh { serial, old });
    }

    pub(super) fn store(&self, state: &mut State, r: usize) {
        let Stage::Loaded(version, under) = state.readers[r].stage else {
            unreachable!("only what was loaded is stored")
        };
        let away = state.processes[self.readers[r].process].link == Link::Away;
        let command = match under {
            Under::Lease(_) if !away => Command::Fill(version),
            Under::Refresh { serial, .. } if !away => Command::Refill(version, serial),
            Under::Alone { keep } => {
                if keep && away {
                    self.keep_locally(state, r, version);
                }
                return self.land(state, r, version, true);
            }
            Under::Lease(_) | Under::Refresh { .. } => {
                return self.land(state, r, version, true);
            }
        };
        self.take_ticket(state, r);
        state.readers[r].stage = Stage::Asked(command);
    }

    pub(super) fn fail(&self, state: &mut State, r: usize) {
        let Stage::Loading(under) = state.readers[r].stage else {
            unreachable!("only a body that runs fails")
        };
        if let Under::Lease(Some(old)) = under {
            state.readers[r].stage = Stage::Loaded(old, Under::Lease(None));
            return;
        }
        let (p, key) = (self.readers[r].process, self.readers[r].key);
        let away = state.processes[p].link == Link::Away;
        let reader = &mut state.readers[r];
        if matches!(under, Under::Lease(None)) && !away {
            reader.late = Some(Command::Abandon);
        }
        reader.stage = Stage::Ended;
        state.close(r, p, key);
        state.hand_over(r, 0, false);
    }

    /// Ends the flight: hands over what it brought, if it `may` be.
    pub(super) fn land(&self, state: &mut State, r: usize, version: Version, may: bool) {
        let (p, key) = (self.readers[r].process, self.readers[r].key);
        let shared = may && self.may_share(state, r);
        state.close(r, p, key);
        state.hand_over(r, version, shared);
        state.end(r, version);
    }

    fn may_share(&self, state: &State, r: usize) -> bool {
        match self.rules.landing {
            Landing::Vouched => state.readers[r].vouched,
            Landing::Dispersed => true,
        }
    }
}

impl State {
    /// Nobody who comes from now on joins the flight of `key`, and who waits
    /// for it starts again.
    pub(super) fn disperse(&mut self, p: usize, key: usize) {
        if let Some(leader) = self.processes[p].flights[key].take() {
            self.hand_over(leader.into(), 0, false);
        }
    }

    pub(super) fn disperse_look_up(&mut self, p: usize, key: usize) {
        let leader = self.processes[p].flights[key];
        if leader.is_some_and(|leader| !self.readers[usize::from(leader)].is_past_looking()) {
            self.disperse(p, key);
        }
    }

    pub(super) fn load(&mut self, r: usize) {
        if let Stage::Loading(under) = self.readers[r].stage {
            self.readers[r].stage = Stage::Loaded(self.database, under);
        }
    }

    fn end(&mut self, r: usize, version: Version) {
        self.check(r, version);
        self.readers[r].stage = Stage::Ended;
    }

    fn check(&mut self, r: usize, version: Version) {
        if version < self.readers[r].told {
            self.wrong = Some(Wrong::OlderThanTold);
        }
        if version < self.readers[r].own {
            self.wrong = Some(Wrong::OlderThanOwn);
        }
    }

    fn close(&mut self, r: usize, p: usize, key: usize) {
        let flight = &mut self.processes[p].flights[key];
        if *flight == Some(r as u8) {
            *flight = None;
        }
    }

    /// Those who joined `leader` share what it brought, or start again.
    fn hand_over(&mut self, leader: usize, version: Version, shared: bool) {
        for r in 0..self.readers.len() {
            if self.readers[r].stage != Stage::Joined(leader as u8) {
                continue;
            }
            if shared {
                self.end(r, version);
            } else {
                self.readers[r].stage = Stage::Idle;
            }
        }
    }
}
