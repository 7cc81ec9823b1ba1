//! The list of the largest keys.

use std::collections::HashMap;

use proptest::prelude::*;

use crate::monitor::big_keys::Largest;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_largest_are_kept_each_once_and_in_order(
        found in prop::collection::vec((0..30_u64, 0..12_u8), 0..60),
        top in 1..6_usize,
    ) {
        let mut largest = Largest::new(top);
        let mut sizes: HashMap<String, u64> = HashMap::new();
        for (bytes, key) in found {
            // A key that is found twice has one size here, as most have.
            let key = format!("k{key}");
            let bytes = *sizes.entry(key.clone()).or_insert(bytes);
            largest.add(bytes, key.as_bytes(), "node");
        }
        let mut expected: Vec<u64> = sizes.values().copied().collect();
        expected.sort_unstable_by(|a, b| b.cmp(a));
        expected.truncate(top);
        let keys = largest.into_keys();
        prop_assert_eq!(keys.iter().map(|key| key.bytes).collect::<Vec<_>>(), expected);
        for key in keys {
            prop_assert_eq!(sizes.remove(&key.key), Some(key.bytes));
        }
    }
}

#[test]
fn a_key_found_again_with_another_size_is_one_key() {
    let mut largest = Largest::new(2);
    for (bytes, key) in [(5, "a"), (3, "b"), (9, "b"), (4, "b"), (7, "\u{1F980}")] {
        largest.add(bytes, key.as_bytes(), "node");
    }
    largest.add(8, b"\xff", "node");
    let keys: Vec<_> = largest
        .into_keys()
        .into_iter()
        .map(|key| (key.bytes, key.key))
        .collect();
    assert_eq!(keys, [(9, "b".to_owned()), (8, "\u{FFFD}".to_owned())]);
}
