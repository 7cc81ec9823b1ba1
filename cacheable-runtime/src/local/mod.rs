//! Level 1: decoded values in this process, valid as long as the server would
//! have told of a change.
//!
//! A value is read by a question to the server, and a change of it can be told
//! before the answer is, or after. So whoever asks takes a [`Ticket`] first;
//! whatever makes the answer out of date afterwards makes the ticket void, and
//! an entry is only as good as its ticket. Tickets are checked at each hit:
//!
//! - its *generation* is that of the connection, and of the time since the
//!   last loss of count, that the question went over;
//! - the *epoch* of its key's stripe has not changed. Each change that is told
//!   and each removal of this process adds one to the key's stripe. Two keys
//!   may share a stripe, which costs a miss;
//! - no pattern removal came between the question and the entry. Those walk
//!   over the entries, so an entry that is there needs no further check;
//! - the server has been heard of lately: a silent network tells nothing.

mod entry;
mod map;
mod marker;
#[cfg(all(test, cacheable_shuttle))]
mod shuttle_tests;
#[cfg(test)]
mod tests;
mod ticket;
mod watch;

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
#[cfg(any(feature = "redis", cacheable_shuttle))]
use std::time::Instant;

#[cfg(any(feature = "redis", cacheable_shuttle))]
use crate::bus::Listener;
use crate::observe::Tally;
use crate::pattern::Pattern;
use crate::sync::{AtomicU32, AtomicU64, RwLock};
use crate::time::{Clock, Moment};
use entry::Slot;
pub(crate) use entry::{Entry, Shared, Times};
use map::CallKey;
pub(crate) use map::Entries;
pub(crate) use marker::{Marker, Markers, Question};
pub(crate) use ticket::Ticket;
use ticket::{Generation, Mode, Validity};
use watch::Watch;

pub(crate) struct Local {
    /// `None`: there is no level 1.
    entries: Option<Entries>,
    stripes: Box<[AtomicU32]>,
    keys: RandomState,
    generation: AtomicU32,
    /// How many generations have begun.
    begun: AtomicU32,
    /// The generation that ended when the server was lost; 0 while it is there.
    lost: AtomicU32,
    /// Until when the present generation is trusted, on this process's clock.
    trusted_until: AtomicU64,
    /// How many pattern removals there have been.
    sweeps: AtomicU64,
    /// Held shared while an entry is put in, so that a removal finds it or it
    /// finds the removal.
    filling: RwLock<()>,
    pub(crate) markers: Markers,
    watch: Watch,
    clock: Clock,
    degraded_ttl: Duration,
}

/// What a key of the store is told from others by, mostly: never 0, and nothing
/// that anybody outside can foresee.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyHash(pub(crate) u64);

/// What level 1 has for a call.
pub(crate) enum Look {
    Nothing,
    /// What to answer with, and nothing is to be decided about it.
    Settled(Option<Shared>, Tally),
    /// An entry that is valid; whether it is fresh is for the caller.
    Aged(Arc<Entry>),
}

/// How level 1 is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalSettings {
    /// In bytes; 0 for none.
    pub(crate) capacity: u64,
    /// How long values are kept while the server is away; zero for not at all.
    pub(crate) degraded_ttl: Duration,
    /// There is no server that could change anything.
    pub(crate) alone: bool,
}

/// How long an answer of the server vouches for silence: it is asked every
/// second, and has one more to answer.
pub(crate) const TRUST: Duration = Duration::from_secs(2);

/// A stripe is named by 16 bits.
const MOST_STRIPES: usize = 1 << 16;

/// What an entry is taken to weigh when the tables are sized.
const TYPICAL_WEIGHT: u64 = 512;

impl Local {
    pub(crate) fn new(settings: LocalSettings, clock: Clock) -> Self {
        let items = usize::try_from(settings.capacity / TYPICAL_WEIGHT).unwrap_or(usize::MAX);
        let entries = (settings.capacity > 0).then(|| map::map(items, settings.capacity));
        let mode = if settings.alone {
            Mode::Followed
        } else {
            Mode::Degraded
        };
        // Many stripes, so that few removals hit a neighbour; but no more than
        // a core's own cache has room for, since each hit looks at one.
        let stripes = (2 * items).next_power_of_two().clamp(1 << 10, MOST_STRIPES);
        Self {
            entries,
            stripes: (0..stripes).map(|_| AtomicU32::new(0)).collect(),
            keys: RandomState::new(),
            generation: AtomicU32::new(Generation::new(1, mode).0),
            begun: AtomicU32::new(1),
            lost: AtomicU32::new(0),
            trusted_until: AtomicU64::new(if settings.alone { u64::MAX } else { 0 }),
            sweeps: AtomicU64::new(0),
            filling: RwLock::new(()),
            markers: Markers::default(),
            watch: Watch::default(),
            clock,
            degraded_ttl: settings.degraded_ttl,
        }
    }

    /// What there is for a call at this moment.
    #[inline]
    pub(crate) fn look(&self, call: u128, moment: Moment) -> Look {
        let mut found = match &self.entries {
            Some(entries) => entries.get(&CallKey::from(call)),
            None => None,
        };
        // By reference: moved, it would be read in larger pieces than it was just
        // written in, which a processor waits for.
        let Some(slot) = &mut found else {
            return Look::Nothing;
        };
        if !self.is_valid_at(&slot.validity(), moment) || !slot.is_permitted(&self.markers) {
            Look::Nothing
        } else if moment.now < slot.settled {
            Look::Settled(slot.value.take(), slot.tally)
        } else {
            self.get(call).map_or(Look::Nothing, Look::Aged)
        }
    }

    /// The entry, if it is valid now; whether it is fresh is for the caller.
    pub(crate) fn get(&self, call: u128) -> Option<Arc<Entry>> {
        let entry = self.entry(call)?;
        self.vouches_for(&entry).then_some(entry)
    }

    /// The entry itself, valid or not.
    fn entry(&self, call: u128) -> Option<Arc<Entry>> {
        let mut entry = None;
        self.entries
            .as_ref()?
            .remove_if(&CallKey::from(call), |slot| {
                entry = Some(Arc::clone(slot.entry()));
                // This is only a way to look at it where it is.
                false
            });
        entry
    }

    /// What was valid when the server was lost, while it is: unless it was
    /// removed, here or as far as was told, until then, or here since.
    pub(crate) fn get_for_want_of_better(&self, call: u128) -> Option<Arc<Entry>> {
        let entry = self.entry(call)?;
        let generation = entry.ticket().validity.generation;
        let of_now = generation == self.generation(Ordering::Acquire);
        let of_before = generation.0 == self.lost.load(Ordering::Acquire);
        let stands = (of_now || of_before)
            && self.is_away()
            && self.is_unchanged(&entry.ticket().validity)
            && entry.was_permitted();
        stands.then_some(entry)
    }

    fn is_away(&self) -> bool {
        self.generation(Ordering::Acquire).mode() == Mode::Degraded
    }

    /// Whether the entry is valid now.
    pub(crate) fn vouches_for(&self, entry: &Entry) -> bool {
        self.is_valid(entry.ticket()) && entry.is_permitted()
    }

    /// Whether what was asked for under this ticket may be answered with.
    fn is_valid(&self, ticket: &Ticket) -> bool {
        self.is_valid_at(&ticket.validity, self.clock.moment())
    }

    #[inline]
    fn is_valid_at(&self, validity: &Validity, moment: Moment) -> bool {
        let generation = self.generation(Ordering::Acquire);
        validity.generation == generation
            && self.trusts(generation, moment)
            && self.is_unchanged(validity)
    }

    /// Whether nothing was told, or done here, that makes what was asked for
    /// under this ticket out of date. Without a server that tells of changes
    /// that is less than [`is_valid`](Self::is_valid).
    pub(crate) fn stands(&self, ticket: &Ticket) -> bool {
        ticket.validity.generation == self.generation(Ordering::SeqCst)
            && self.is_unchanged(&ticket.validity)
    }

    #[inline]
    fn is_unchanged(&self, validity: &Validity) -> bool {
        self.stripes[usize::from(validity.stripe)].load(Ordering::Acquire) == validity.epoch
    }

    fn trusts(&self, generation: Generation, moment: Moment) -> bool {
        match generation.mode() {
            Mode::Blind => false,
            Mode::Followed => moment.monotonic < self.trusted_until.load(Ordering::Acquire),
            Mode::Degraded => true,
        }
    }

    fn generation(&self, order: Ordering) -> Generation {
        Generation(self.generation.load(order))
    }

    /// To be taken before the question whose answer is to be kept.
    pub(crate) fn ticket(&self, key: KeyHash) -> Ticket {
        let stripe = self.stripe(key);
        Ticket {
            validity: Validity {
                generation: self.generation(Ordering::SeqCst),
                stripe,
                epoch: self.stripes[usize::from(stripe)].load(Ordering::SeqCst),
            },
            sweeps: self.sweeps.load(Ordering::SeqCst),
        }
    }

    /// Whether the server was away when the ticket was taken.
    pub(crate) fn is_degraded(ticket: &Ticket) -> bool {
        ticket.validity.generation.mode() == Mode::Degraded
    }

    /// Puts the entry in, if its ticket is still good.
    pub(crate) fn fill(&self, call: u128, mut entry: Entry) {
        let Some(entries) = &self.entries else {
            return;
        };
        let Moment { now, .. } = self.clock.moment();
        match entry.mode() {
            Mode::Blind => return,
            Mode::Followed => {}
            Mode::Degraded => {
                let life = u64::try_from(self.degraded_ttl.as_millis()).unwrap_or(u64::MAX);
                entry.until = entry.until.min(now.saturating_add(life));
                entry.settled = entry.settled.min(entry.until);
                // The markers are out of reach; see `distrust`.
                entry.markers = Arc::default();
            }
        }
        if entry.until <= now {
            return;
        }
        let _fills = self.filling.read().unwrap_or_else(PoisonError::into_inner);
        let sweeps = self.sweeps.load(Ordering::SeqCst);
        if entry.ticket().sweeps == sweeps && self.vouches_for(&entry) {
            entries.insert(call.into(), Slot::new(entry));
        }
    }

    /// What is known of the key is out of date.
    pub(crate) fn forget(&self, key: &[u8]) {
        self.forget_hashed(self.hash(key));
    }

    pub(crate) fn forget_hashed(&self, key: KeyHash) {
        let stripe = self.stripe(key);
        self.stripes[usize::from(stripe)].fetch_add(1, Ordering::SeqCst);
        self.watch.wake(stripe);
    }

    /// What is known of any key that matches is out of date, and so is every
    /// answer that is on its way.
    pub(crate) fn forget_matching(&self, patterns: &[Pattern]) {
        if patterns.is_empty() {
            return;
        }
        {
            let _none_fills = self.filling.write().unwrap_or_else(PoisonError::into_inner);
            self.sweeps.fetch_add(1, Ordering::SeqCst);
        }
        if let Some(entries) = &self.entries {
            entries.retain(|_, slot| {
                let key = slot.entry().key.as_bytes();
                !patterns.iter().any(|pattern| pattern.matches(key))
            });
        }
    }

    /// Drops everything that was kept while the server is away.
    pub(crate) fn distrust(&self) {
        loop {
            let seen = self.generation(Ordering::SeqCst);
            if seen.mode() != Mode::Degraded || self.begin(Mode::Degraded, Some(seen)) {
                return;
            }
        }
    }

    /// Waits until the key of the ticket has changed since it was taken.
    pub(crate) async fn changed(&self, ticket: &Ticket) {
        self.watch
            .wait(ticket.validity.stripe, || !self.stands(ticket))
            .await;
    }

    /// Whether changes are told, so that [`changed`](Self::changed) comes.
    pub(crate) fn follows(&self) -> bool {
        self.generation(Ordering::Relaxed).mode() == Mode::Followed
    }

    /// Whether what is known of markers would be told to be out of date.
    pub(crate) fn is_told(&self) -> bool {
        self.generation(Ordering::Acquire).mode() != Mode::Blind
    }

    /// Entries, and what they weigh.
    pub(crate) fn size(&self) -> (usize, u64) {
        let entries = self.entries.as_ref();
        entries.map_or((0, 0), |entries| (entries.len(), entries.weight()))
    }

    /// Begins a generation. `seen`: only if that one is not over, since what
    /// ended it may know better about the mode.
    fn begin(&self, mode: Mode, seen: Option<Generation>) -> bool {
        const ORDER: Ordering = Ordering::SeqCst;
        let number = self.begun.fetch_add(1, ORDER).wrapping_add(1);
        let next = Generation::new(number, mode).0;
        let before = match seen {
            None => self.generation.swap(next, ORDER),
            Some(seen) => {
                let exchanged = self.generation.compare_exchange(seen.0, next, ORDER, ORDER);
                match exchanged {
                    Ok(before) => before,
                    Err(_) => return false,
                }
            }
        };
        match (Generation(before).mode(), mode) {
            (Mode::Followed, Mode::Degraded) => self.lost.store(before, ORDER),
            (Mode::Degraded, Mode::Degraded) => {}
            _ => self.lost.store(0, ORDER),
        }
        self.markers.lose_all();
        self.watch.wake_all();
        true
    }

    pub(crate) fn hash(&self, key: &[u8]) -> KeyHash {
        let mut hasher = self.keys.build_hasher();
        hasher.write(key);
        KeyHash(hasher.finish().max(1))
    }

    fn stripe(&self, key: KeyHash) -> u16 {
        // As many stripes as a power of two.
        (key.0 as usize & (self.stripes.len() - 1)) as u16
    }
}

#[cfg(any(feature = "redis", cacheable_shuttle))]
impl Listener for Local {
    fn connected(&self, follows: bool) {
        let mode = if follows { Mode::Followed } else { Mode::Blind };
        self.begin(mode, None);
    }

    fn heard(&self, asked: Instant) {
        let until = self.clock.monotonic_at(asked + TRUST);
        self.trusted_until.fetch_max(until, Ordering::SeqCst);
    }

    fn changed(&self, key: &[u8]) {
        // Also for a marker: its key is nobody else's.
        self.forget(key);
        self.markers.forget(key);
    }

    fn all_changed(&self) {
        loop {
            let seen = self.generation(Ordering::SeqCst);
            if self.begin(seen.mode(), Some(seen)) {
                return;
            }
        }
    }

    fn numbered(&self, number: u64) {
        self.markers.saw(number);
    }

    fn told_time(&self, millis: u64, round_trip: Duration) {
        self.clock.follow(millis, round_trip);
    }

    fn lost(&self) {
        self.begin(Mode::Degraded, None);
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local")
            .field("size", &self.size())
            .field("mode", &self.generation(Ordering::Relaxed).mode())
            .finish_non_exhaustive()
    }
}
