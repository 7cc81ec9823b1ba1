//! The engine: what happens between a call and the two levels.
//!
//! The way of a value: a [`call`] is made by a site or a handle, and looks at
//! level 1; it boards the [`flight`] of its key in [`read`]; its leader [`ask`]s
//! the store, and if nothing is there runs the body and fills both levels in
//! [`load`]. What is there but old is replaced behind it, by [`refresh`].
//! [`invalidate`] and [`put`] are the other two attributes, [`handle`] is the
//! same by hand. What does not reach the store is in [`repair`].

mod answer;
mod ask;
mod barren;
mod begin;
mod budget;
mod cached;
pub(crate) mod call;
mod course;
mod emptied;
mod examine;
mod fallback;
mod flight;
mod fresh;
pub(crate) mod handle;
pub(crate) mod invalidate;
mod load;
mod patience;
mod pulse;
pub(crate) mod put;
mod read;
mod refresh;
mod removal;
#[cfg_attr(
    not(feature = "redis"),
    allow(dead_code, reason = "for a store elsewhere")
)]
mod repair;
mod settle;
pub(crate) mod shape;
mod share;
pub(crate) mod site;
pub(crate) mod tags;
mod under_way;

use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use once_cell::sync::OnceCell;
use tokio::runtime::Handle;

use crate::codec::envelope::{Token, lease_bytes};
use crate::key::KeyWriter;
use crate::local::{Entry, Local, Look, Marker};
use crate::observe::{Counters, Observe};
use crate::pattern::Pattern;
use crate::policy::Rules;
use crate::remote::{Origin, RemoteStore};
use crate::sync::{Chunks, random};
use crate::time::Clock;
use barren::Barren;
use emptied::Emptied;
use flight::{Flights, Landing, Lease};
use repair::Repair;
use site::Site;
use under_way::UnderWay;

/// One cache: two levels, the flights above them and the counters beside.
/// Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

/// An engine that somebody else keeps.
pub(crate) struct WeakEngine(Weak<Inner>);

impl WeakEngine {
    pub(crate) fn upgrade(&self) -> Option<Engine> {
        self.0.upgrade().map(|inner| Engine { inner })
    }
}

struct Inner {
    local: Arc<Local>,
    remote: Arc<dyn RemoteStore>,
    flights: Arc<Flights>,
    repair: Repair,
    emptied: Emptied,
    barren: Barren,
    sweeps: removal::Sweeps,
    clock: Clock,
    observe: Observe,
    /// By the numbers of the sites.
    sites: Chunks<OnceCell<OfSite>>,
    settings: Settings,
    /// Of the hashes that level 1 knows entries by.
    seed: [u64; 2],
    /// Where the engine was built, for what outlives its caller.
    runtime: Option<Handle>,
    under_way: UnderWay,
    closing: AtomicBool,
}

/// What is the same for all calls of a site in one cache, looked up once.
pub(crate) struct OfSite {
    pub(crate) counters: Arc<Counters>,
    /// That of its prefix: the markers of an entry without tags.
    pub(crate) markers: Arc<[Arc<Marker>]>,
}

/// An engine at which something is under way: a shutdown waits for it.
pub(crate) struct Busy(Engine);

impl Deref for Busy {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.0
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.inner.under_way.end();
    }
}

/// What the builder decides for the engine.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Before every key, with its colon; empty without a namespace.
    pub(crate) namespace: String,
    /// The largest value that is stored, in encoded bytes.
    pub(crate) max_value: usize,
    /// How long a loader that is never heard of again holds up the others.
    pub(crate) lease: Duration,
    /// Whether leases end by themselves and have to be renewed. In the
    /// embedded store a loader cannot vanish without its lease.
    pub(crate) renews: bool,
    /// What a cached call may spend on the store; `None` for one that is
    /// always there.
    pub(crate) budget: Option<Duration>,
    /// Level 1 is there at all.
    pub(crate) keeps_here: bool,
}

impl Engine {
    pub(crate) fn new(
        local: Arc<Local>,
        remote: Arc<dyn RemoteStore>,
        clock: Clock,
        settings: Settings,
    ) -> Self {
        let store = Arc::clone(&remote);
        let abandon = move |key: &str, lease: &[u8]| store.abandon(key, lease, Origin::Load);
        let flights = Arc::new(Flights::new(settings.lease, abandon));
        Self {
            inner: Arc::new(Inner {
                local,
                remote,
                flights,
                repair: Repair::default(),
                emptied: Emptied::default(),
                barren: Barren::default(),
                sweeps: removal::Sweeps::default(),
                clock,
                seed: [random(), random()],
                observe: Observe::default(),
                sites: Chunks::default(),
                settings,
                runtime: Handle::try_current().ok(),
                under_way: UnderWay::default(),
                closing: AtomicBool::new(false),
            }),
        }
    }

    pub(crate) fn local(&self) -> &Local {
        &self.inner.local
    }

    pub(crate) fn repair(&self) -> &Repair {
        &self.inner.repair
    }

    fn emptied(&self) -> &Emptied {
        &self.inner.emptied
    }

    fn barren(&self) -> &Barren {
        &self.inner.barren
    }

    fn sweeps(&self) -> &removal::Sweeps {
        &self.inner.sweeps
    }

    pub(crate) fn downgrade(&self) -> WeakEngine {
        WeakEngine(Arc::downgrade(&self.inner))
    }

    /// What level 1 knows the entry of a call by. `None`: it does not keep it,
    /// or an argument cannot be part of a key.
    #[inline]
    pub(crate) fn local_key(
        &self,
        rules: &Rules,
        identity: u64,
        key: &dyn Fn(&mut KeyWriter),
    ) -> Option<u128> {
        if !rules.local || !self.settings().keeps_here {
            return None;
        }
        let [first, second] = self.inner.seed;
        let mut writer = KeyWriter::hash([first ^ identity, second]);
        key(&mut writer);
        writer.finish_hash().ok()
    }

    /// What level 1 answers a call with; else the entry, if there is one that
    /// something is to be decided about.
    #[inline]
    pub(crate) fn look(&self, local_key: Option<u128>) -> Result<Landing, Option<Arc<Entry>>> {
        let look = local_key.map(|local_key| {
            let moment = self.clock().moment();
            self.local().look(local_key, moment)
        });
        match look {
            Some(Look::Settled(value, tally)) => {
                self.observe().hit(tally);
                Ok(value)
            }
            Some(Look::Aged(entry)) => Err(Some(entry)),
            Some(Look::Nothing) | None => Err(None),
        }
    }

    pub(crate) fn remote(&self) -> &dyn RemoteStore {
        &*self.inner.remote
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    pub(crate) fn observe(&self) -> &Observe {
        &self.inner.observe
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    pub(crate) fn counters(&self, label: &str) -> Arc<Counters> {
        self.inner.observe.method(label)
    }

    #[inline]
    pub(crate) fn of_site(&self, site: &'static Site) -> &OfSite {
        let known = self.inner.sites.at(site.number());
        known.get_or_init(|| OfSite {
            counters: self.counters(site.label()),
            markers: self.markers_of(&self.full(format!("{}:", site.start())), &[]),
        })
    }

    fn flights(&self) -> &Arc<Flights> {
        &self.inner.flights
    }

    pub(crate) fn runtime(&self) -> Option<&Handle> {
        self.inner.runtime.as_ref()
    }

    /// Says that something is under way until the guard is dropped.
    pub(crate) fn busy(&self) -> Busy {
        self.inner.under_way.begin();
        Busy(self.clone())
    }

    /// Whether new calls have to do without the cache.
    pub(crate) fn is_closing(&self) -> bool {
        self.inner.closing.load(Ordering::Relaxed)
    }

    /// Takes no new calls, and waits until nothing is under way, all removals
    /// are delivered, and nobody elsewhere waits for what was given up here.
    #[cfg(feature = "redis")]
    pub(crate) async fn close(&self) {
        self.inner.closing.store(true, Ordering::Relaxed);
        self.idle().await;
        self.repair().delivered().await;
        // By then those that could not be removed have ended by themselves.
        let longest = self.settings().lease;
        drop(tokio::time::timeout(longest, self.remote().settled()).await);
    }

    /// Waits until nothing is under way.
    pub(crate) async fn idle(&self) {
        self.inner.under_way.none().await;
    }

    /// The key as the store knows it.
    pub(crate) fn full(&self, key: impl Into<String>) -> String {
        let mut key = key.into();
        key.insert_str(0, &self.inner.settings.namespace);
        key
    }

    /// The pattern as the store knows it.
    pub(crate) fn full_pattern(&self, pattern: &Pattern) -> Pattern {
        pattern.in_namespace(&self.inner.settings.namespace)
    }

    /// The bytes of a lease that no other has.
    fn new_lease() -> Lease {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&random().to_le_bytes());
        bytes[8..].copy_from_slice(&random().to_le_bytes());
        Arc::new(lease_bytes(&Token(bytes)))
    }

    /// How long a lease is placed for.
    fn lease_life(&self) -> Duration {
        const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
        if self.settings().renews {
            self.settings().lease
        } else {
            FOR_EVER
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}
