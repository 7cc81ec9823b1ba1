//! The map of level 1: how its keys are hashed, and what its entries weigh.

use std::hash::{BuildHasher, Hash, Hasher};

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

use super::entry::Slot;
use crate::sync::random;

pub(crate) type Entries = Cache<CallKey, Slot, ByWeight, Fold, DefaultLifecycle<CallKey, Slot>>;

/// The 128 bits that level 1 knows a call by, in halves: a number of that size
/// would have to be aligned to it, at eight bytes more for each entry.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct CallKey([u64; 2]);

impl From<u128> for CallKey {
    #[inline]
    fn from(call: u128) -> Self {
        Self([call as u64, (call >> 64) as u64])
    }
}

impl Hash for CallKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [low, high] = self.0;
        state.write_u128(u128::from(high) << 64 | u128::from(low));
    }
}

/// A map for as many entries as can be expected, and for entries of so many
/// bytes.
pub(super) fn map(items: usize, bytes: u64) -> Entries {
    let options = OptionsBuilder::new()
        .estimated_items_capacity(items)
        .weight_capacity(bytes)
        .build()
        .expect("the capacity and the estimate are both set");
    Cache::with_options(options, ByWeight, Fold::new(), DefaultLifecycle::default())
}

#[derive(Clone)]
pub(crate) struct ByWeight;

impl Weighter<CallKey, Slot> for ByWeight {
    fn weight(&self, _: &CallKey, slot: &Slot) -> u64 {
        u64::from(slot.entry().weight)
    }
}

/// The keys are hashes already, or a number beside a secret: one multiplication
/// by what nobody outside knows spreads both.
#[derive(Clone, Copy)]
pub(crate) struct Fold(u64, u64);

impl Fold {
    fn new() -> Self {
        Self(random(), random())
    }
}

impl BuildHasher for Fold {
    type Hasher = Folded;

    #[inline]
    fn build_hasher(&self) -> Folded {
        Folded(*self, 0)
    }
}

pub(crate) struct Folded(Fold, u64);

impl Hasher for Folded {
    fn write(&mut self, _: &[u8]) {
        unreachable!("only 128-bit numbers are hashed");
    }

    #[inline]
    fn write_u128(&mut self, number: u128) {
        let Fold(first, second) = self.0;
        let (low, high) = (number as u64 ^ first, (number >> 64) as u64 ^ second);
        let product = u128::from(low) * u128::from(high);
        self.1 = product as u64 ^ (product >> 64) as u64;
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.1
    }
}
