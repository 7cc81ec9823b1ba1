//! Entries under keys: leases, tickets, pushes, lost links, sweeps, refreshes.
//!
//! An entry, a ticket and a flight are valid while an epoch has not moved. The
//! model does not count epochs: whatever moves one ends at once all that hangs
//! on it, which is the same for every observer and keeps the states few.

mod checks;
mod controls;
mod link;
mod properties;
mod reader;
mod server;
mod sights;
mod writer;

use stateright::{Model, Property};

use reader::{Reader, Stage};
use server::{Slot, Token, Wire};
use writer::Writer;

/// Of the database. A write makes the next one.
pub(crate) type Version = u8;

/// What a run consists of, and which rules hold in it.
#[derive(Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "any of them goes with any other"
)]
pub(crate) struct Keys {
    pub(crate) readers: Vec<Reads>,
    pub(crate) writers: Vec<Writes>,
    /// Whether the store has a value from the start.
    pub(crate) stored: bool,
    /// How often a link may be lost.
    pub(crate) losses: u8,
    /// Whether a value, too, may expire or be evicted at any moment.
    pub(crate) values_expire: bool,
    /// Whether bodies fail.
    pub(crate) failures: bool,
    /// Whether calls use up their budget, and go on without the store.
    pub(crate) budgets: bool,
    pub(crate) rules: Rules,
    /// What has to be reachable.
    pub(crate) sights: Vec<Property<Keys>>,
}

/// One read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reads {
    pub(crate) process: usize,
    pub(crate) key: usize,
    pub(crate) kind: Kind,
}

/// What a read does with a value that it finds in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Returns it.
    Plain,
    /// Returns it and loads a newer one behind the caller's back.
    Refresh,
    /// Loads a newer one under a lease and puts this one back if that fails.
    Shield,
}

/// One write and the removal that answers to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writes {
    pub(crate) process: usize,
    pub(crate) removes: Removes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removes {
    /// Key 0.
    Key,
    /// All keys, by a sweep.
    Pattern,
    /// Key 0 is not removed but replaced by what was written.
    Put,
}

/// The protocol. Each control breaks one rule.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "any of them goes with any other"
)]
pub(crate) struct Rules {
    /// FILL compares the lease.
    pub(crate) fill_compares: bool,
    /// REFILL compares the serial of the value that the refresh began from.
    pub(crate) refill_compares: bool,
    pub(crate) local: Local,
    pub(crate) landing: Landing,
    /// Those who joined share a value whose fill got no answer.
    pub(crate) shares_unknown: bool,
    /// A sweep removes leases, too.
    pub(crate) sweeps_leases: bool,
    /// The epoch moves when the reply of a removal has come, too.
    pub(crate) bumps_after: bool,
    /// Removals go over a connection of their own, so that the tracked one is
    /// told, too. Otherwise they go over the tracked one, which is not.
    pub(crate) own_connection: bool,
    pub(crate) reconnect: Reconnect,
    /// What could not be removed is removed before a new link is published, and
    /// trusted nowhere until then.
    pub(crate) repairs: bool,
    /// A put whose fill is refused removes the key.
    pub(crate) put_removes: bool,
}

/// What lets a reply into level 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Local {
    /// A ticket that was taken before the command was sent.
    Ticket,
    /// A mark that any look-up sets and any push clears.
    Mark,
    Nothing,
}

/// What those who joined a flight may share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Landing {
    /// What the ticket of the leader still vouches for when it lands.
    Vouched,
    /// Everything but a refused fill. Removals of this process disperse the
    /// flights that they cover before they are sent, and look-ups when the
    /// reply has come.
    Dispersed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reconnect {
    /// A new generation when the loss is noticed and before publication.
    NewGeneration,
    /// The link is published, then level 1 is cleared.
    PublishedFirst,
    SameGeneration,
}

impl Rules {
    /// As it is built.
    pub(crate) const BUILT: Self = Self {
        fill_compares: true,
        refill_compares: true,
        local: Local::Ticket,
        landing: Landing::Vouched,
        shares_unknown: false,
        sweeps_leases: true,
        bumps_after: true,
        own_connection: true,
        reconnect: Reconnect::NewGeneration,
        repairs: true,
        put_removes: true,
    };
}

pub(crate) const KEYS: usize = 2;
pub(crate) const PROCESSES: usize = 2;
const READERS: usize = 4;
const WRITERS: usize = 2;

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    database: Version,
    slots: [Slot; KEYS],
    processes: [Process; PROCESSES],
    readers: [Reader; READERS],
    writers: [Writer; WRITERS],
    losses: u8,
    /// A read returned what it must not.
    wrong: Option<Wrong>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Wrong {
    /// Older than an invalidation that had returned in its process.
    OlderThanOwn,
    /// Older than an invalidation that its process had been told of.
    OlderThanTold,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Process {
    /// What level 1 would serve.
    local: [Option<Version>; KEYS],
    /// For `Local::Mark` alone.
    marks: [bool; KEYS],
    flights: [Option<u8>; KEYS],
    link: Link,
    /// Whether the server still has the data connection.
    connected: bool,
    /// The keys whose next change the server will tell this process of.
    tracked: [bool; KEYS],
    /// What the data connection carries to this process, in wire order.
    wire: Vec<Wire>,
    /// No read that begins now may return anything older than these.
    own: [Version; KEYS],
    told: [Version; KEYS],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Link {
    #[default]
    Published,
    Away,
    /// Only for `Reconnect::PublishedFirst`.
    PublishedUncleared,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A call begins: level 1, the flight of its key, or the ticket and GET.
    Read(u8),
    /// The server carries out the command of a reader.
    Serve(u8),
    /// A reader's task wakes up and goes on with its answer.
    Continue(u8),
    /// The body reads the database.
    Load(u8),
    /// The body fails.
    Fail(u8),
    /// What was loaded is sent to the store.
    Store(u8),
    /// A push or the timer: look again.
    Wake(u8),
    /// The call's budget is used up: go on without the store.
    GiveUp(u8),
    /// A command that nobody waits for any more reaches the server.
    ServeLate(u8),
    /// The data connection hands over the next push or reply.
    Deliver(usize),
    /// A lease, or a value where that is allowed, is gone.
    Expire(usize),
    Seize(u8),
    Write(u8),
    Effect(u8),
    Visit(u8, usize),
    Return(u8),
    /// The server, or the network, ends the data connection.
    Lose(usize),
    Notice(usize),
    Repair(u8),
    Publish(usize),
    Clear(usize),
}

impl Model for Keys {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let process = Process {
            connected: true,
            ..Process::default()
        };
        vec![State {
            database: 0,
            slots: if self.stored {
                [self.value(0, Token::MAX); KEYS]
            } else {
                [Slot::Nothing; KEYS]
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
        if state.wrong.is_none() {
            self.reader_actions(state, actions);
            self.server_actions(state, actions);
            self.writer_actions(state, actions);
            self.link_actions(state, actions);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Read(r) => self.read(&mut state, r.into()),
            Action::Serve(r) => self.serve(&mut state, r.into()),
            Action::Continue(r) => self.go_on(&mut state, r.into()),
            Action::Load(r) => state.load(r.into()),
            Action::Fail(r) => self.fail(&mut state, r.into()),
            Action::Store(r) => self.store(&mut state, r.into()),
            Action::Wake(r) => self.ask_again(&mut state, r.into()),
            Action::GiveUp(r) => self.give_up(&mut state, r.into()),
            Action::ServeLate(r) => self.serve_late(&mut state, r.into()),
            Action::Deliver(p) => self.deliver(&mut state, p),
            Action::Expire(k) => state.modify(self, k, Slot::Nothing),
            Action::Seize(w) => self.seize(&mut state, w.into()),
            Action::Write(w) => self.write(&mut state, w.into()),
            Action::Effect(w) => self.take_effect(&mut state, w.into()),
            Action::Visit(w, k) => self.visit(&mut state, w.into(), k),
            Action::Return(w) => self.return_from(&mut state, w.into()),
            Action::Lose(p) => state.lose(p),
            Action::Notice(p) => self.notice(&mut state, p),
            Action::Repair(w) => self.repair(&mut state, w.into()),
            Action::Publish(p) => self.publish(&mut state, p),
            Action::Clear(p) => self.clear(&mut state, p),
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

impl State {
    /// An epoch moves: what this process knows of `key` vouches for nothing
    /// any more.
    fn bump(&mut self, model: &Keys, process: usize, key: usize) {
        self.processes[process].local[key] = None;
        self.processes[process].marks[key] = false;
        for r in model.readers_of(process, key) {
            self.readers[r].distrust(model.rules.landing);
        }
    }

    /// The last version that a removal of `key` has taken effect for.
    fn effected(&self, model: &Keys, key: usize) -> Version {
        let writers = model.writers.iter().zip(&self.writers);
        writers
            .filter(|(writes, _)| writes.covers(key))
            .filter_map(|(_, &writer)| writer.effected())
            .max()
            .unwrap_or(0)
    }

    /// Forgets what no rule and no property looks at, so that states that
    /// differ in nothing else are one.
    fn tidy(&mut self) {
        for reader in &mut self.readers {
            if matches!(reader.stage, Stage::Idle | Stage::Ended) {
                (reader.vouched, reader.own, reader.told) = (false, 0, 0);
            }
            forget_weaker(reader.own, &mut reader.told);
        }
        for process in &mut self.processes {
            for (&own, told) in process.own.iter().zip(&mut process.told) {
                forget_weaker(own, told);
            }
            for wire in &mut process.wire {
                if let Wire::Push(push) = wire {
                    forget_weaker(process.own[usize::from(push.key)], &mut push.told);
                }
            }
        }
    }
}

/// What a process was told of says nothing beside a later removal of its own.
fn forget_weaker(own: Version, told: &mut Version) {
    if *told <= own {
        *told = 0;
    }
}

impl Keys {
    fn readers_of(&self, process: usize, key: usize) -> impl Iterator<Item = usize> {
        let readers = self.readers.iter().enumerate();
        readers
            .filter(move |(_, reads)| reads.process == process && reads.key == key)
            .map(|(r, _)| r)
    }
}

impl Writes {
    pub(crate) fn covers(&self, key: usize) -> bool {
        key == 0 || self.removes == Removes::Pattern
    }
}
