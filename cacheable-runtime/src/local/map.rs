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

/// The keys are hashes already, or a number beside a secret. Their halves, under a
/// mask that nobody outside knows, are multiplied by each other. Of each thousand
/// secrets a few are as bad as a round number, and put ids in a row into a shard or
/// two; so what comes out is multiplied once more, by a number without a pattern.
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
        self.1 = folded_product(folded_product(low, high), GOLDEN);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.1
    }
}

/// 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Both halves of a product in one.
#[inline]
fn folded_product(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids in a row, and any other distance apart, of methods whose secrets are
    /// whatever they are.
    #[test]
    fn numbers_are_spread_over_shards_and_slots() {
        const NUMBERS: u64 = 1_000;
        let secrets = (0..64).map(|bit| 1 << bit).chain([3, 1 << 63 | 1 << 21]);
        for secret in secrets.chain((0..200).map(|_| random())) {
            let fold = Fold(random(), secret);
            for distance in [1, 2, 10, 64, 1_000, 1 << 22, 1 << 32] {
                let mut shards = [0; 8];
                let mut slots = [0; 1 << 10];
                for number in 0..NUMBERS {
                    let call = CallKey([number * distance, 0]);
                    let hash = fold.hash_one(call);
                    // As `quick_cache` and its table take them.
                    shards[(hash >> 32) as usize % shards.len()] += 1;
                    slots[hash as usize % slots.len()] += 1;
                }
                let fullest = (shards.iter().max(), slots.iter().max());
                let (Some(&shard), Some(&slot)) = fullest else {
                    unreachable!("there are some")
                };
                assert!(
                    shard < 400 && slot < 20,
                    "{secret:#x}, {distance} apart: {shard} in a shard, {slot} in a slot"
                );
            }
        }
    }
}
