//! A process that reads one entry as the engine does, and what makes it old.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use shuttle::rand::RngCore;
use shuttle::sync::mpsc::{Receiver, channel};
use shuttle::thread::{self, JoinHandle};

use super::super::*;
use super::server::{Answer, KEY, MARKER, Server, Slot, Told};
use super::{Removal, Without};
use crate::observe::Counters;
use crate::sync::{Mutex, lock, unique};
use crate::time::ManualClock;

const CALL: u128 = 1;

pub(super) struct World {
    pub(super) local: Local,
    without: Without,
    tagged: bool,
    /// What a body reads.
    source: AtomicU64,
    server: Mutex<Server>,
    /// What every reader that begins now has to get, or something newer.
    floor: AtomicU64,
    /// See [`Without::Tickets`].
    awaited: AtomicBool,
}

/// How often a reader was answered by level 1, over all runs.
pub(super) static HITS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

impl World {
    /// With version 1 in the source, and under the key or not yet.
    pub(super) fn new(without: Without, tagged: bool) -> Arc<Self> {
        let settings = LocalSettings {
            capacity: 1 << 16,
            degraded_ttl: Duration::from_secs(1),
            // What the server does not vouch for in time is none of this.
            alone: true,
        };
        // The last bit: the scheduler draws the same numbers, and goes by others.
        let filled = shuttle::rand::thread_rng().next_u64() & 1 == 0;
        let local = Local::new(settings, Clock::Manual(ManualClock::new()));
        local.markers.saw(1);
        Arc::new(Self {
            local,
            without,
            tagged,
            source: AtomicU64::new(1),
            server: Mutex::new(Server {
                slot: if filled {
                    Slot::Value {
                        version: 1,
                        stamp: 1,
                    }
                } else {
                    Slot::Empty
                },
                counter: 1,
                marker: 1,
                removed: 1,
                tells_key: false,
                tells_marker: false,
                wire: None,
            }),
            floor: AtomicU64::new(1),
            awaited: AtomicBool::new(false),
        })
    }

    /// A connection, and the task that reads it.
    pub(super) fn connect(self: &Arc<Self>) -> JoinHandle<()> {
        let (wire, told) = channel();
        if self.without != Without::Generations {
            self.local.connected(true);
        }
        let removed = {
            let mut server = lock(&self.server);
            server.wire = Some(wire);
            server.removed
        };
        // Nothing from before it is known here.
        self.floor.fetch_max(removed, Ordering::SeqCst);
        let world = Arc::clone(self);
        thread::spawn(move || world.read_wire(&told))
    }

    /// Ends the connection. What was told before is heard yet.
    pub(super) fn cut(&self) {
        let mut server = lock(&self.server);
        server.wire = None;
        server.tells_key = false;
        server.tells_marker = false;
    }

    fn read_wire(&self, told: &Receiver<Told>) {
        while let Ok(told) = told.recv() {
            let version = match told {
                Told::Answer(to, answer) => {
                    to.send(answer).expect("whoever asked waits");
                    continue;
                }
                Told::Changed(key, version) => {
                    self.awaited.store(false, Ordering::SeqCst);
                    Listener::changed(&self.local, key.as_bytes());
                    version
                }
                Told::AllChanged(version) => {
                    self.local.all_changed();
                    version
                }
            };
            self.floor.fetch_max(version, Ordering::SeqCst);
        }
    }

    /// Asks over the connection, and waits until the answer has come through.
    fn ask(&self, what: impl FnOnce(&mut Server)) -> Option<Answer> {
        let (to, answer) = channel();
        {
            let mut server = lock(&self.server);
            server.wire.as_ref()?;
            what(&mut server);
            server.tells_key = true;
            server.tells_marker = self.tagged;
            let answer = Answer {
                slot: server.slot,
                counter: server.counter,
                marker: server.marker,
            };
            server.tell(Told::Answer(to, answer));
        }
        answer.recv().ok()
    }

    /// The version that level 1 answers with.
    fn look(&self) -> Option<u64> {
        match self.local.look(CALL, self.local.clock.moment()) {
            Look::Settled(value, _) => {
                let value = value.and_then(|value| value.downcast_ref().copied());
                Some(value.expect("every value here is a version"))
            }
            Look::Aged(_) => unreachable!("no entry here has an end"),
            Look::Nothing => None,
        }
    }

    /// One call, as the engine makes it, without those who wait for it.
    fn call(&self) -> u64 {
        if let Some(version) = self.look() {
            HITS.fetch_add(1, Ordering::Relaxed);
            return version;
        }
        self.awaited.store(true, Ordering::SeqCst);
        let ticket = self.local.ticket(self.local.hash(KEY.as_bytes()));
        let markers: Vec<_> = self
            .tagged
            .then(|| self.local.markers.of(MARKER))
            .into_iter()
            .collect();
        let Some(slot) = self.read(&markers, |_| {}) else {
            return self.load(None, &markers);
        };
        let lease = unique();
        match slot {
            Slot::Value { version, stamp } => {
                // Markers that are not known by now are asked for.
                let known = self.read_unknown(&markers);
                if known && markers.iter().all(|marker| marker.permits(stamp)) {
                    self.keep(version, stamp, ticket, &markers);
                    return version;
                }
                let acquired = self.ask(|server| {
                    if server.slot == slot {
                        server.slot = Slot::Lease(lease);
                    }
                });
                self.load(acquired.map(|_| lease), &markers)
            }
            Slot::Empty => {
                let acquired = self.ask(|server| {
                    if server.slot == Slot::Empty {
                        server.slot = Slot::Lease(lease);
                    }
                });
                self.load(acquired.map(|_| lease), &markers)
            }
            Slot::Lease(_) => self.source.load(Ordering::SeqCst),
        }
    }

    /// Reads what is under the key, and the markers that are not known.
    fn read(&self, markers: &[Arc<Marker>], what: impl FnOnce(&mut Server)) -> Option<Slot> {
        let questions: Vec<_> = markers
            .iter()
            .filter_map(|marker| marker.question(true))
            .collect();
        let asks = !questions.is_empty();
        let answer = self.ask(what)?;
        let questions = if self.without == Without::QuestionBefore {
            markers
                .iter()
                .filter_map(|marker| marker.question(true))
                .collect()
        } else {
            questions
        };
        if asks {
            self.local.markers.saw(answer.counter);
            for question in questions {
                self.local.markers.saw(answer.marker);
                question.answered(answer.marker);
            }
        }
        Some(answer.slot)
    }

    fn read_unknown(&self, markers: &[Arc<Marker>]) -> bool {
        let unknown = markers.iter().any(|marker| marker.question(true).is_some());
        !unknown || self.read(markers, |_| {}).is_some()
    }

    /// Runs the body, and stores what it brings if the lease is still there.
    fn load(&self, lease: Option<u64>, markers: &[Arc<Marker>]) -> u64 {
        let before = self.local.ticket(self.local.hash(KEY.as_bytes()));
        let mut stamp = self.local.markers.counter();
        let version = self.source.load(Ordering::SeqCst);
        if self.without == Without::StampBefore {
            stamp = self.local.markers.counter();
        }
        let Some(lease) = lease else {
            if Local::is_degraded(&before) {
                self.keep(version, stamp, before, &[]);
            }
            return version;
        };
        let ticket = self.local.ticket(self.local.hash(KEY.as_bytes()));
        let value = Slot::Value { version, stamp };
        let mut filled = false;
        let answer = self.ask(|server| {
            filled = server.slot == Slot::Lease(lease);
            if filled {
                server.slot = value;
            }
        });
        if answer.is_some() && filled {
            self.keep(version, stamp, ticket, markers);
        }
        version
    }

    fn keep(&self, version: u64, stamp: u64, mut ticket: Ticket, markers: &[Arc<Marker>]) {
        match self.without {
            Without::TicketBefore => ticket = self.local.ticket(self.local.hash(KEY.as_bytes())),
            Without::Tickets => {
                // Between this and the look at the flag nothing can hide.
                ticket = self.local.ticket(self.local.hash(KEY.as_bytes()));
                if !self.awaited.load(Ordering::SeqCst) {
                    return;
                }
            }
            Without::Sweeps => {
                ticket.sweeps = self.local.ticket(self.local.hash(KEY.as_bytes())).sweeps
            }
            _ => {}
        }
        let value: Shared = Arc::new(version);
        let tally = Counters::new("test", 0).tally(false);
        let times = Times {
            soft: u64::MAX,
            hard: u64::MAX,
            ..Times::default()
        };
        let mut entry = Entry::new(
            Some(value),
            8,
            Arc::from(KEY),
            times,
            u64::MAX,
            ticket,
            tally,
        );
        entry.stamp = stamp;
        entry.markers = markers.into();
        self.local.fill(CALL, entry);
    }

    /// Writes the version to the source and removes what it makes old.
    pub(super) fn write(&self, version: u64, removal: Removal) {
        // So many steps later: those who read have more to do.
        for _ in 0..shuttle::rand::thread_rng().next_u64() % 32 {
            self.source.load(Ordering::SeqCst);
        }
        self.source.store(version, Ordering::SeqCst);
        let local = &self.local;
        let twice = self.without != Without::ForgetAfter;
        match removal {
            Removal::Key => {
                self.awaited.store(false, Ordering::SeqCst);
                local.forget(KEY.as_bytes());
                lock(&self.server).remove(version);
                if twice {
                    self.awaited.store(false, Ordering::SeqCst);
                    local.forget(KEY.as_bytes());
                }
            }
            Removal::Pattern => {
                local.forget_matching(patterns());
                lock(&self.server).remove(version);
                if twice {
                    local.forget_matching(patterns());
                }
            }
            Removal::Marker => {
                let number = lock(&self.server).raise(version);
                local.markers.saw(number);
                local.markers.of(MARKER).raise(number);
                local.markers.removed();
            }
            Removal::ForeignKey => return lock(&self.server).remove(version),
            Removal::ForeignMarker => {
                lock(&self.server).raise(version);
                return;
            }
            Removal::Flush => return lock(&self.server).flush(version),
        }
        self.floor.fetch_max(version, Ordering::SeqCst);
    }

    /// Begins a call, which must not get what was old by then.
    pub(super) fn check(&self) {
        let floor = self.floor.load(Ordering::SeqCst);
        let got = self.call();
        assert!(
            got >= floor,
            "a version that was old before the call began: {got} after {floor}"
        );
    }

    /// What is left when all is said must be the newest.
    pub(super) fn check_the_rest(&self) {
        let newest = self.source.load(Ordering::SeqCst);
        if let Some(left) = self.look() {
            assert_eq!(left, newest, "an old version that is left for good");
        }
    }
}

fn patterns() -> &'static [Pattern] {
    static PATTERNS: OnceLock<Vec<Pattern>> = OnceLock::new();
    PATTERNS.get_or_init(|| vec![Pattern::new("cache:p:*").expect("it is a pattern")])
}
