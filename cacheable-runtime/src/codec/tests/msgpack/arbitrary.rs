//! What nobody wrote: where both take it, it is the same value.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

/// What the types above read names, and text, from.
const NAMES: &[&str] = &[
    "", "a", "b", "c", "d", "kind", "unit", "bytes", "Unit", "New", "Tuple", "Struct", "Other",
    "Ok", "Err", "secs", "nanos", "start", "end", "::1", "1.5", "i",
];

/// A value as any program may write it, in every form that there is for it.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let len = |head: u8, len: usize, width: usize| {
        let mut bytes = vec![head];
        bytes.extend_from_slice(&(len as u64).to_be_bytes()[8 - width..]);
        bytes
    };
    // By the first of the heads with one, two and four bytes of length; a
    // negative width is the short form.
    let text = (select(NAMES).prop_map(str::as_bytes), 0..4_usize).prop_map(move |(text, form)| {
        let head = match form {
            0 => vec![0xA0 | text.len() as u8],
            1 => len(0xD9, text.len(), 1),
            2 => len(0xDA, text.len(), 2),
            _ => len(0xDB, text.len(), 4),
        };
        [head, text.to_vec()].concat()
    });
    let data = (vec(any::<u8>(), 17), select(vec![0, 1, 2, 3, 15, 16, 17]))
        .prop_map(|(bytes, len)| bytes[..len].to_vec());
    let bytes = (data.clone(), 0..4_usize, any::<u8>()).prop_map(move |(data, form, kind)| {
        let head = match form {
            0 => len(0xC4, data.len(), 1),
            1 => len(0xC5, data.len(), 2),
            2 => len(0xC6, data.len(), 4),
            _ => [len(0xC7, data.len(), 1), vec![kind]].concat(),
        };
        [head, data].concat()
    });
    let fixed = (0..5_u8, vec(any::<u8>(), 17))
        .prop_map(|(power, data)| [&[0xD4 + power], &data[..=1 << power]].concat());
    let number =
        (0xCA..=0xD3_u8, vec(prop_oneof![Just(0), any::<u8>()], 8)).prop_map(|(head, data)| {
            let width = match head {
                0xCC | 0xD0 => 1,
                0xCD | 0xD1 => 2,
                0xCA | 0xCE | 0xD2 => 4,
                _ => 8,
            };
            [&[head], &data[..width]].concat()
        });
    let leaf = prop_oneof![
        2 => (0x00..0x80_u8).prop_map(|byte| vec![byte]),
        2 => select(vec![0xC0, 0xC2, 0xC3, 0xE0, 0xFF]).prop_map(|byte: u8| vec![byte]),
        4 => text.clone(),
        2 => bytes,
        1 => fixed,
        3 => number,
    ];
    let key = prop_oneof![3 => text, 1 => leaf.clone()];
    leaf.prop_recursive(4, 32, 6, move |value| {
        let elements = vec(value.clone(), 0..5);
        let entries = vec((key.clone(), value), 0..5);
        let array = (elements, 0..3_usize).prop_map(move |(values, form)| {
            let head = match form {
                0 => vec![0x90 | values.len() as u8],
                1 => len(0xDC, values.len(), 2),
                _ => len(0xDD, values.len(), 4),
            };
            [head, values.concat()].concat()
        });
        let map = (entries, 0..3_usize).prop_map(move |(values, form)| {
            let head = match form {
                0 => vec![0x80 | values.len() as u8],
                1 => len(0xDE, values.len(), 2),
                _ => len(0xDF, values.len(), 4),
            };
            values
                .into_iter()
                .fold(head, |bytes, (key, value)| [bytes, key, value].concat())
        });
        prop_oneof![array, map.clone(), map]
    })
}

/// One that is also what a type expects, more often than by chance.
fn likely() -> impl Strategy<Value = Vec<u8>> {
    select(vec![
        named(&zoo()),
        named(&kinds()),
        named(&vec![Tuple(1, None), Tuple(2, Some("t".into()))]),
        named(&Extension((7, vec![1, 2, 3].into()))),
        named(&Internal::Struct {
            a: 1,
            b: "::1".parse().unwrap(),
        }),
        named(&Adjacent::Tuple(1, "t".into())),
        named(&(i128::MIN, u128::MAX, 'c', Unit, Some(1.5_f32))),
    ])
}

fn damaged(bytes: &mut Vec<u8>, at: Index, by: u8, how: u8) {
    let at = at.index(bytes.len() + 1);
    match how {
        0 => bytes.insert(at, by),
        1 => bytes.truncate(at),
        _ if at == bytes.len() => bytes.push(by),
        2 => drop(bytes.remove(at)),
        // To what is like it: the length of a string, or another head.
        3 => bytes[at] ^= 1 << (by % 8),
        _ => bytes[at] = by,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn any_message_is_read_as_theirs_reads_it(bytes in message()) {
        agree_on_all(&bytes);
    }

    #[test]
    fn damage_is_read_as_theirs_reads_it(
        mut bytes in prop_oneof![likely(), message()],
        damages in vec((any::<Index>(), any::<u8>(), 0..5_u8), 1..4),
    ) {
        for (at, by, how) in damages {
            damaged(&mut bytes, at, by, how);
        }
        agree_on_all(&bytes);
    }

    #[test]
    fn noise_is_read_as_theirs_reads_it(bytes in vec(any::<u8>(), 0..40)) {
        agree_on_all(&bytes);
    }
}
