//! One value at level 1, and what makes it valid.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::marker::{Marker, Markers};
use super::{Generation, Mode, Ticket, Validity};
use crate::observe::Tally;
use crate::sync::AtomicU64;
use crate::time::Millis;

/// A decoded value, shared by everybody who gets it.
pub(crate) type Shared = Arc<dyn Any + Send + Sync>;

/// When an entry may be answered with, in the store's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) created: Millis,
    /// Until here it is fresh.
    pub(crate) soft: Millis,
    /// Until here it may be answered with while somebody refreshes it.
    pub(crate) revalidate: Millis,
    /// Until here it may stand in for a load that fails.
    pub(crate) hard: Millis,
    pub(crate) load_micros: u32,
}

pub(crate) struct Entry {
    /// `None`: it is known that the source has nothing.
    pub(crate) value: Option<Shared>,
    /// With the namespace.
    pub(crate) key: Arc<str>,
    pub(crate) times: Times,
    /// The end of its life here: `hard`, or earlier.
    pub(crate) until: Millis,
    /// Up to here a hit has nothing to decide; see [`Entry::settle`].
    pub(crate) settled: Millis,
    /// It stood in for a failed load when it was read.
    pub(crate) stale: bool,
    /// Which version of the entry in the store this is.
    pub(crate) serial: u64,
    /// What removals had happened before its load began.
    pub(crate) stamp: u64,
    pub(crate) markers: Arc<[Arc<Marker>]>,
    /// Where answers from here are counted.
    pub(crate) tally: Tally,
    /// What it takes of the capacity, in bytes.
    pub(super) weight: u32,
    /// No refresh is tried before: another process is at it.
    quiet_until: AtomicU64,
    ticket: Ticket,
}

/// What the map holds of an entry: all that a look-up needs, side by side, so
/// that a hit meets one place in memory beside the value.
///
/// A look-up gets a clone of it, which leaves out the entry itself where a hit
/// can do without: counting one more reference to it is a write to a place of
/// its own.
pub(crate) struct Slot {
    pub(super) value: Option<Shared>,
    pub(super) settled: Millis,
    stamp: u64,
    // Of the ticket, one by one: together they would end in a gap.
    generation: Generation,
    epoch: u32,
    pub(super) tally: Tally,
    stripe: u16,
    permit: Permit,
    /// There in the map; in a clone only if the permit asks for it.
    entry: Option<Arc<Entry>>,
}

/// How to tell whether a marker has overtaken an entry.
#[derive(Clone, Copy)]
enum Permit {
    /// It has no markers.
    Always,
    /// It has one, of this number.
    Of(u8),
    /// By the entry itself.
    Entry,
}

impl Slot {
    pub(super) fn new(entry: Entry) -> Self {
        let permit = match &*entry.markers {
            [] => Permit::Always,
            [marker] => marker.number().map_or(Permit::Entry, Permit::Of),
            _ => Permit::Entry,
        };
        let validity = entry.ticket.validity;
        Self {
            value: entry.value.clone(),
            settled: entry.settled,
            stamp: entry.stamp,
            generation: validity.generation,
            epoch: validity.epoch,
            tally: entry.tally,
            stripe: validity.stripe,
            permit,
            entry: Some(Arc::new(entry)),
        }
    }

    #[inline]
    pub(super) fn validity(&self) -> Validity {
        Validity {
            generation: self.generation,
            stripe: self.stripe,
            epoch: self.epoch,
        }
    }

    /// No marker is younger than what it was loaded from.
    #[inline]
    pub(super) fn is_permitted(&self, markers: &Markers) -> bool {
        match self.permit {
            Permit::Always => true,
            Permit::Of(number) => markers.numbered(number).permits(self.stamp),
            Permit::Entry => self.entry().is_permitted(),
        }
    }

    /// Not to be asked of a clone.
    pub(super) fn entry(&self) -> &Arc<Entry> {
        self.entry
            .as_ref()
            .expect("the map has it, and so have clones that need it")
    }
}

impl Clone for Slot {
    #[inline]
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            settled: self.settled,
            stamp: self.stamp,
            generation: self.generation,
            epoch: self.epoch,
            tally: self.tally,
            stripe: self.stripe,
            permit: self.permit,
            entry: match self.permit {
                Permit::Always | Permit::Of(_) => None,
                Permit::Entry => self.entry.clone(),
            },
        }
    }
}

/// What an entry takes beside its key and value: its own fields, the map's,
/// and the heap's headers.
pub(crate) const OVERHEAD: usize = 332;

impl Entry {
    #[allow(clippy::too_many_arguments, reason = "a plain record of what was read")]
    pub(crate) fn new(
        value: Option<Shared>,
        size: usize,
        key: Arc<str>,
        times: Times,
        until: Millis,
        ticket: Ticket,
        tally: Tally,
    ) -> Self {
        let weight = u32::try_from(size + key.len() + OVERHEAD).unwrap_or(u32::MAX);
        Self {
            value,
            key,
            times,
            until,
            settled: until.min(times.soft),
            stale: false,
            serial: 0,
            stamp: 0,
            markers: Arc::default(),
            tally,
            weight,
            quiet_until: AtomicU64::new(0),
            ticket,
        }
    }

    pub(super) fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    pub(super) fn mode(&self) -> Mode {
        self.ticket.validity.generation.mode()
    }

    /// No marker is younger than what it was loaded from.
    pub(super) fn is_permitted(&self) -> bool {
        let mut markers = self.markers.iter();
        markers.all(|marker| marker.permits(self.stamp))
    }

    /// The same, as far as it was known before the server was lost.
    pub(super) fn was_permitted(&self) -> bool {
        let mut markers = self.markers.iter();
        markers.all(|marker| marker.permitted(self.stamp))
    }

    /// Claims the right to try a refresh now; nobody else gets it for `pause`.
    pub(crate) fn claim_refresh(&self, now: Millis, pause: Millis) -> bool {
        let quiet = self.quiet_until.load(Ordering::Relaxed);
        let claimed = |quiet: &AtomicU64, seen| {
            quiet.compare_exchange(
                seen,
                now.saturating_add(pause),
                Ordering::Relaxed,
                Ordering::Relaxed,
            )
        };
        now >= quiet && claimed(&self.quiet_until, quiet).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With its key and the map's links these are 88 bytes, which lie in two
    /// lines of a processor's cache more often than in three.
    #[test]
    #[cfg(target_pointer_width = "64")]
    fn what_a_hit_looks_at_stays_small() {
        assert_eq!(size_of::<Slot>(), 56);
    }
}
