//! A list that grows while it is read, without a lock.

use once_cell::sync::OnceCell;

/// A place for each number, made with its neighbours when it is first asked
/// for. Nothing moves, so a place is a plain reference.
pub(crate) struct Chunks<T>([OnceCell<Box<[T]>>; CHUNKS]);

/// The first chunk has this many places, and each further one twice as many.
const FIRST: u64 = 64;

/// Room for every `u32`.
const CHUNKS: usize = 27;

impl<T: Default> Chunks<T> {
    /// The place of a number.
    #[inline]
    pub(crate) fn at(&self, number: u32) -> &T {
        let (chunk, offset) = split(number);
        let chunk = self.0[chunk].get_or_init(|| {
            let places = (0..FIRST << chunk).map(|_| T::default());
            places.collect()
        });
        &chunk[offset]
    }

    /// The place of a number, if it was asked for, or one of its neighbours.
    #[inline]
    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        let (chunk, offset) = split(number);
        Some(&self.0[chunk].get()?[offset])
    }
}

/// In which chunk a number is, and where in it.
#[inline]
fn split(number: u32) -> (usize, usize) {
    let shifted = u64::from(number) + FIRST;
    let chunk = (shifted / FIRST).ilog2();
    (chunk as usize, (shifted - (FIRST << chunk)) as usize)
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self([const { OnceCell::new() }; CHUNKS])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_place_of_its_own() {
        let mut expected = (0, 0);
        for number in 0..100_000 {
            assert_eq!(split(number), expected, "{number}");
            expected.1 += 1;
            if expected.1 == (FIRST as usize) << expected.0 {
                expected = (expected.0 + 1, 0);
            }
        }
        let (chunk, offset) = split(u32::MAX);
        assert!(chunk < CHUNKS && offset < (FIRST as usize) << chunk);
    }

    #[test]
    fn a_place_stays_where_it_is() {
        let chunks = Chunks::<OnceCell<u32>>::default();
        assert!(chunks.get(5).is_none());
        let first = chunks.at(5);
        first.set(7).unwrap();
        chunks.at(5_000).set(8).unwrap();
        assert!(std::ptr::eq(first, chunks.get(5).unwrap()));
        assert_eq!(chunks.get(5_000).and_then(OnceCell::get), Some(&8));
        assert_eq!(chunks.get(4_999).map(OnceCell::get), Some(None));
    }
}
