//! A source, a store with one entry, and callers of one key who share their
//! flights, as the engine makes them do.

use std::pin::Pin;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Waker};

use shuttle::future::block_on;
use shuttle::rand::RngCore;

use super::super::*;

/// The protection that a control does without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Without {
    Nothing,
    /// Look-ups that begin while the store removes are left alone.
    DisperseAfter,
    /// So are refreshes that offer what was removed.
    Offers,
    /// Whether there is a flight is asked before the lock that opens one.
    OneLock,
    /// A load that a removal by tag overtook is shared.
    TagsOfLoads,
}

/// How what is in the store becomes old.
#[derive(Clone, Copy, Debug)]
pub(super) enum Removal {
    Key,
    Tag,
}

#[derive(Clone, PartialEq)]
enum Slot {
    Empty,
    Lease(Lease),
    Value { version: u64, stamp: u64 },
}

pub(super) struct Sky {
    pub(super) flights: Arc<Flights>,
    pub(super) key: Arc<str>,
    without: Without,
    /// Whether what is in the store is refreshed when it is read.
    refreshes: bool,
    /// What a body reads.
    source: AtomicU64,
    store: Arc<Mutex<Slot>>,
    /// The number of the last removal by tag, and how many there were here.
    marker: AtomicU64,
    /// What every caller that begins now has to get, or something newer.
    floor: AtomicU64,
    /// How many lead whose flight can be joined.
    leaders: AtomicUsize,
    pub(super) bodies: AtomicUsize,
}

impl Sky {
    /// With version 1 in the source, and in the store if it is `stored`.
    pub(super) fn new(without: Without, stored: bool, refreshes: bool) -> Arc<Self> {
        let slot = if stored {
            Slot::Value {
                version: 1,
                stamp: 0,
            }
        } else {
            Slot::Empty
        };
        let store = Arc::new(Mutex::new(slot));
        let abandon = {
            let store = Arc::clone(&store);
            move |_: &str, lease: &[u8]| {
                let mut slot = lock(&store);
                if matches!(&*slot, Slot::Lease(present) if **present == *lease) {
                    *slot = Slot::Empty;
                }
            }
        };
        Arc::new(Self {
            flights: Arc::new(Flights::new(Duration::from_secs(10), abandon)),
            key: Arc::from("k"),
            without,
            refreshes,
            source: AtomicU64::new(1),
            store,
            marker: AtomicU64::new(0),
            floor: AtomicU64::new(1),
            leaders: AtomicUsize::new(0),
            bodies: AtomicUsize::new(0),
        })
    }

    async fn board(&self) -> Boarded {
        if self.without == Without::OneLock {
            let key = FlightKey::new(1, &self.key, SAME);
            if !self.flights.table.lock(SAME).contains_key(&key) {
                let mut by_key = self.flights.table.lock(SAME);
                return Boarded::Lead(self.flights.open(&mut by_key, key, true));
            }
        }
        self.flights.board(1, &self.key, SAME, true, 0, || {}).await
    }

    /// A call that begins now, which must not get what was old by then.
    pub(super) fn check(&self) {
        let floor = self.floor.load(Ordering::SeqCst);
        let got = self.call();
        assert!(
            got >= floor,
            "a version that was old before the call began: {got} after {floor}"
        );
    }

    fn call(&self) -> u64 {
        loop {
            match block_on(self.board()) {
                Boarded::Lead(leader) => return self.lead(leader),
                Boarded::Landed(landing) | Boarded::Offered(landing, _) => {
                    return version(&landing);
                }
                Boarded::Dispersed => {}
                Boarded::RunThrough => unreachable!("nobody waits for himself"),
            }
        }
    }

    /// A caller that goes away: while it waits, or while it leads.
    pub(super) fn call_and_go(&self) {
        let mut boarding = Box::pin(self.board());
        let mut context = Context::from_waker(Waker::noop());
        let polled = Pin::new(&mut boarding).poll(&mut context);
        if let std::task::Poll::Ready(Boarded::Lead(mut leader)) = polled {
            let _one = One::leads(self);
            if chance() {
                self.acquire(&mut leader);
                if chance() {
                    leader.loading();
                }
            }
        }
    }

    /// Looks into the store, and runs the body if that has nothing.
    fn lead(&self, mut leader: Leader) -> u64 {
        let one = One::leads(self);
        let present = lock(&self.store).clone();
        match present {
            Slot::Value { version, stamp } if stamp >= self.marker.load(Ordering::SeqCst) => {
                if self.refreshes {
                    self.refresh(leader, one, version, &present);
                } else {
                    drop(one);
                    leader.close();
                    if leader.is_doubted() {
                        leader.disperse();
                    } else {
                        leader.land(landing(version));
                    }
                }
                return version;
            }
            // Left behind by the leader before this one.
            Slot::Lease(lease) if leader.lease.as_ref() == Some(&lease) => {}
            _ => self.acquire(&mut leader),
        }
        let (version, stamp) = self.run(&leader);
        let lease = leader.lease.clone().expect("it loads under a lease");
        if leader.is_dispersed() {
            return version;
        }
        let filled = self.replace(&Slot::Lease(lease), version, stamp);
        leader.lease = None;
        self.share(leader, one, version, stamp, filled);
        version
    }

    /// Others get what is there meanwhile.
    fn refresh(&self, leader: Leader, one: One<'_>, old: u64, present: &Slot) {
        leader.offer(Offer::for_ever(landing(old)));
        let (version, stamp) = self.run(&leader);
        if leader.is_dispersed() {
            return;
        }
        let filled = self.replace(present, version, stamp);
        self.share(leader, one, version, stamp, filled);
    }

    fn acquire(&self, leader: &mut Leader) {
        let lease = Lease::from(distinct().to_le_bytes());
        leader.lease = Some(Lease::clone(&lease));
        *lock(&self.store) = Slot::Lease(lease);
    }

    /// The body, with what was known of removals before it.
    fn run(&self, leader: &Leader) -> (u64, u64) {
        leader.loading();
        let stamp = self.marker.load(Ordering::SeqCst);
        self.bodies.fetch_add(1, Ordering::SeqCst);
        (self.source.load(Ordering::SeqCst), stamp)
    }

    fn replace(&self, present: &Slot, version: u64, stamp: u64) -> bool {
        let mut slot = lock(&self.store);
        let same = *slot == *present;
        if same {
            *slot = Slot::Value { version, stamp };
        }
        same
    }

    fn share(&self, mut leader: Leader, one: One<'_>, version: u64, stamp: u64, filled: bool) {
        drop(one);
        if !filled {
            return leader.disperse();
        }
        leader.close();
        let Err(leader) = leader.land_alone() else {
            return;
        };
        let overtaken = self.marker.load(Ordering::SeqCst) > stamp;
        if overtaken && self.without != Without::TagsOfLoads {
            return leader.disperse();
        }
        leader.land(landing(version));
    }

    /// Writes version 2 to the source and removes what it makes old.
    pub(super) fn write(&self, removal: Removal) {
        self.pause();
        self.source.store(2, Ordering::SeqCst);
        match removal {
            Removal::Key => {
                self.flights.disperse(Among::All, |_| true);
                *lock(&self.store) = Slot::Empty;
                match self.without {
                    Without::DisperseAfter => {}
                    Without::Offers => self.flights.disperse_if(Among::All, |flight| {
                        !matches!(lock(&flight.state).phase, Phase::Loading)
                    }),
                    _ => self.flights.doubt_lookups(Among::All, |_| true),
                }
            }
            Removal::Tag => {
                self.marker.store(1, Ordering::SeqCst);
                self.flights.disperse_tagged_lookups();
            }
        }
        self.floor.store(2, Ordering::SeqCst);
    }

    /// So many steps: the others have more to do.
    pub(super) fn pause(&self) {
        for _ in 0..shuttle::rand::thread_rng().next_u64() % 32 {
            self.source.load(Ordering::SeqCst);
        }
    }

    /// A caller whose patience with the leader is at its end.
    pub(super) fn lose_patience(&self) {
        let flight = self.flights.table.lock(SAME).values().next().cloned();
        if let Some(flight) = flight {
            self.flights.give_up(&flight);
        }
    }

    /// When all have gone, nothing of them is left.
    pub(super) fn check_the_rest(&self) {
        assert!(self.flights.table.is_empty(), "a flight without callers");
        let left = matches!(&*lock(&self.store), Slot::Lease(_));
        assert!(!left, "a lease that nobody fills");
    }
}

/// Somebody who leads, until it is dropped.
struct One<'a>(&'a Sky);

impl<'a> One<'a> {
    fn leads(sky: &'a Sky) -> Self {
        let others = sky.leaders.fetch_add(1, Ordering::SeqCst);
        // After a dispersal the old leader goes on beside the new one.
        let alone = sky.source.load(Ordering::SeqCst) == 1;
        assert!(others == 0 || !alone, "two lead at once");
        Self(sky)
    }
}

impl Drop for One<'_> {
    fn drop(&mut self) {
        self.0.leaders.fetch_sub(1, Ordering::SeqCst);
    }
}

fn chance() -> bool {
    shuttle::rand::thread_rng().next_u64() & 1 == 0
}

#[allow(clippy::unnecessary_wraps, reason = "it is what a flight brings")]
fn landing(version: u64) -> Landing {
    Some(Arc::new(version))
}

fn version(landing: &Landing) -> u64 {
    let value = landing.as_ref().and_then(|value| value.downcast_ref());
    *value.expect("every value here is a version")
}
