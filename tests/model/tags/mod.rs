//! One entry with one tag: the counter, the marker and the stamp.
//!
//! There are no leases and no key is removed, so a fill is a plain SET: the
//! stamp alone has to keep out what is old. Tags are known only with the value,
//! so a removal ends no flight; something else may do so at any moment.

mod checks;
mod controls;
mod properties;
mod steps;
mod writer;

use stateright::{Model, Property};

use steps::{Reader, Stage, Wire, Writer};

type Version = u8;
/// A value of the counter.
type Count = u8;

#[derive(Clone)]
struct Tags {
    /// The process of each read.
    readers: Vec<usize>,
    /// The process of each removal.
    writers: Vec<usize>,
    /// Whether the store has an entry from the start.
    stored: bool,
    /// Whether flights are dispersed.
    disperses: bool,
    losses: u8,
    rules: Rules,
    sights: Vec<Property<Tags>>,
}

/// The protocol. Each control breaks one rule.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "any of them goes with any other"
)]
struct Rules {
    /// The stamp is the counter as it was known before the body ran.
    stamps_before: bool,
    /// A marker that is not there is made from the counter.
    marker_from_counter: bool,
    /// A counter that is not there is made from the server's time.
    counter_from_time: bool,
    /// What a process knows of a marker ends with its link.
    markers_end: bool,
    /// A marker that was fetched counts only if nothing came meanwhile.
    fetch_is_vouched: bool,
    /// The reply of a removal leaves the marker unknown. Otherwise it sets it.
    reply_forgets: bool,
    /// Those who joined a flight share only what the marker allows.
    landing_is_checked: bool,
}

impl Rules {
    /// As it is built.
    const BUILT: Self = Self {
        stamps_before: true,
        marker_from_counter: true,
        counter_from_time: true,
        markers_end: true,
        fetch_is_vouched: true,
        reply_forgets: true,
        landing_is_checked: true,
    };
}

const PROCESSES: usize = 2;
const READERS: usize = 3;
const WRITERS: usize = 2;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    database: Version,
    server: Server,
    processes: [Process; PROCESSES],
    readers: [Reader; READERS],
    writers: [Writer; WRITERS],
    losses: u8,
    wrong: Option<Wrong>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Wrong {
    OlderThanOwn,
    OlderThanTold,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Server {
    entry: Option<Entry>,
    marker: Option<Count>,
    counter: Option<Count>,
    /// No counter was ever greater. The server's time in microseconds is taken
    /// to be at least this, since removals are further apart than that.
    greatest: Count,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Entry {
    version: Version,
    stamp: Count,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "they change one by one")]
struct Process {
    local: Option<Entry>,
    /// `None`: unknown.
    marker: Option<Count>,
    /// The greatest counter it has seen.
    known: Count,
    flight: Option<u8>,
    away: bool,
    connected: bool,
    tracks_entry: bool,
    tracks_marker: bool,
    wire: Vec<Wire>,
    own: Version,
    told: Version,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Read(u8),
    Serve(u8),
    Continue(u8),
    Load(u8),
    Store(u8),
    Deliver(usize),
    Disperse(usize),
    EvictEntry,
    EvictMarker,
    EvictCounter,
    Write(u8),
    Effect(u8),
    Return(u8),
    Lose(usize),
    Notice(usize),
    Publish(usize),
}

impl Model for Tags {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let process = Process {
            connected: true,
            ..Process::default()
        };
        vec![State {
            database: 0,
            server: Server {
                entry: self.stored.then_some(Entry {
                    version: 0,
                    stamp: 0,
                }),
                ..Server::default()
            },
            processes: [process.clone(), process],
            readers: [Reader::IDLE; READERS],
            writers: [Writer::Idle; WRITERS],
            losses: self.losses,
            wrong: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        // What comes after a wrong answer adds nothing.
        if state.wrong.is_some() {
            return;
        }
        for (r, &process) in self.readers.iter().enumerate() {
            let n = r as u8;
            match state.readers[r].stage {
                // Of readers that are alike the first begins first.
                Stage::Idle => {
                    let alike = |i: usize| {
                        self.readers[i] == process && state.readers[i].stage == Stage::Idle
                    };
                    if !(0..r).any(alike) {
                        actions.push(Action::Read(n));
                    }
                }
                Stage::Asked(_) if state.processes[process].connected => {
                    actions.push(Action::Serve(n));
                }
                Stage::Answered(_) => actions.push(Action::Continue(n)),
                Stage::Loading => actions.push(Action::Load(n)),
                Stage::Loaded(_) => actions.push(Action::Store(n)),
                Stage::Joined(_) | Stage::Asked(_) | Stage::Expecting(_) | Stage::Ended => {}
            }
        }
        for (w, &process) in self.writers.iter().enumerate() {
            let n = w as u8;
            match state.writers[w] {
                Writer::Idle => actions.push(Action::Write(n)),
                Writer::Sent(_) if state.processes[process].connected => {
                    actions.push(Action::Effect(n));
                }
                Writer::Effected { .. } => actions.push(Action::Return(n)),
                Writer::Sent(_) | Writer::Returned(_) => {}
            }
        }
        for (p, process) in state.processes.iter().enumerate() {
            if !process.wire.is_empty() {
                actions.push(Action::Deliver(p));
            }
            let idle = |(&of, reader): (&usize, &Reader)| of == p && reader.stage == Stage::Idle;
            if self.disperses
                && process.flight.is_some()
                && self.readers.iter().zip(&state.readers).any(idle)
            {
                actions.push(Action::Disperse(p));
            }
            // Removals that a lost link takes along are in the model of keys.
            let removes = (self.writers.iter().zip(&state.writers))
                .any(|(&of, writer)| of == p && !matches!(writer, Writer::Returned(_)));
            match (process.connected, process.away) {
                (true, _) if state.losses > 0 && !removes => actions.push(Action::Lose(p)),
                (true, _) => {}
                (false, false) => actions.push(Action::Notice(p)),
                (false, true) => actions.push(Action::Publish(p)),
            }
        }
        let evictions = [
            (state.server.entry.is_some(), Action::EvictEntry),
            (state.server.marker.is_some(), Action::EvictMarker),
            (state.server.counter.is_some(), Action::EvictCounter),
        ];
        actions.extend(
            evictions
                .into_iter()
                .filter(|(there, _)| *there)
                .map(|(_, evict)| evict),
        );
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Read(r) => self.read(&mut state, r.into()),
            Action::Serve(r) => self.serve(&mut state, r.into()),
            Action::Continue(r) => self.go_on(&mut state, r.into()),
            Action::Load(r) => self.load(&mut state, r.into()),
            Action::Store(r) => self.store(&mut state, r.into()),
            Action::Deliver(p) => self.deliver(&mut state, p),
            Action::Disperse(p) => state.disperse(p),
            Action::EvictEntry => state.set_entry(None, None),
            Action::EvictMarker => state.set_marker(None, None),
            Action::EvictCounter => state.server.counter = None,
            Action::Write(w) => self.write(&mut state, w.into()),
            Action::Effect(w) => self.take_effect(&mut state, w.into()),
            Action::Return(w) => self.return_from(&mut state, w.into()),
            Action::Lose(p) => state.lose(p),
            Action::Notice(p) => self.notice(&mut state, p),
            Action::Publish(p) => self.publish(&mut state, p),
        }
        state.tidy();
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = properties::always();
        properties.extend(self.sights.iter().cloned());
        properties
    }
}
