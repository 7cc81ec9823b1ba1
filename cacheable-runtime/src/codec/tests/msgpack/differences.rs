//! Where ours is another on purpose, and what its limits are.

use serde::de::{MapAccess, SeqAccess, Visitor};

use super::*;

/// Of bytes that are asked for as a sequence, theirs says which number each is
/// also to who asks whether it is there, wrapped or a variant. No visitor of
/// serde's takes that.
#[test]
fn an_octet_is_a_number_and_nothing_else() {
    stricter::<Vec<Told<11>>>(&[0xC4, 1, 5]);
    stricter::<Vec<Told<12>>>(&[0xC4, 1, 5]);
    stricter::<Vec<Told<20>>>(&[0xC4, 1, 5]);
    assert!(agree::<Vec<Told<2>>>(&[0xC4, 1, 5]));
}

/// Theirs leaves the rest of the extension to whoever reads next.
#[test]
fn an_extension_is_read_whole() {
    #[derive(Deserialize, Debug)]
    #[serde(rename = "_ExtStruct")]
    #[expect(dead_code, reason = "it is printed")]
    struct OnlyType((i8,));
    stricter::<OnlyType>(&[0xC7, 0, 5]);
    assert!(ours::<Extension>(&[0xC7, 0, 5]).is_some());
}

/// Theirs has read the head of what it gave to the type.
#[test]
fn what_a_type_does_not_read_is_trailing() {
    #[derive(Debug)]
    struct Nothing;
    impl<'de> Deserialize<'de> for Nothing {
        fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            Ok(Self)
        }
    }
    stricter::<Option<Nothing>>(&[1]);
    assert_eq!(
        decode::<Option<u8>>(CodecId::MsgPack, &[1, 1]),
        Err(DecodeError::Trailing)
    );
}

/// Every level counts, not those of arrays and maps alone, and what is passed
/// over has no more of them.
#[test]
fn the_depth_is_exact() {
    let arrays = |levels: usize| [vec![0x91; levels - 1], vec![0x90]].concat();
    let most = usize::from(DECODE_DEPTH);
    assert!(agree::<serde_json::Value>(&arrays(most)));
    assert!(agree::<IgnoredAny>(&arrays(most)));
    assert!(agree::<Told<8>>(&arrays(most)));
    assert!(agree::<Told<14>>(&arrays(most)));
    for levels in [most + 1, 2 * most] {
        stricter::<serde_json::Value>(&arrays(levels));
        stricter::<IgnoredAny>(&arrays(levels));
        stricter::<Told<8>>(&arrays(levels));
        stricter::<Told<14>>(&arrays(levels));
    }
}

/// Theirs gives it all parts of the value.
#[test]
fn who_ignores_a_value_is_told_nothing_of_it() {
    #[derive(Debug)]
    struct Ignoring(String);
    impl<'de> Deserialize<'de> for Ignoring {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            from.deserialize_ignored_any(Teller::<ANY>).map(Self)
        }
    }
    assert_eq!(theirs::<Ignoring>(&[5]).unwrap().0, "integer 5");
    assert_eq!(ours::<Ignoring>(&[5]).unwrap().0, "unit");
}

/// A type that goes on after an error finds the next value. Theirs is in the
/// midst of the one that was refused.
#[test]
fn a_refused_leaf_is_passed() {
    fn or_default<'de, D: Deserializer<'de>>(from: D) -> Result<u8, D::Error> {
        Ok(u8::deserialize(from).unwrap_or_default())
    }
    #[derive(Deserialize, Debug, PartialEq)]
    struct Lenient {
        #[serde(deserialize_with = "or_default")]
        a: u8,
        b: u8,
    }
    let bytes = [0x82, 0xA1, b'a', 0xA1, b'x', 0xA1, b'b', 7];
    assert_eq!(ours(&bytes), Some(Lenient { a: 0, b: 7 }));
    assert_eq!(theirs::<Lenient>(&bytes), None);
}

/// A number in a field's place is the field's position. Where serde reads from
/// a buffer, it takes one that is a `u8` or a `u64` and no other.
#[test]
fn a_number_is_a_field_by_its_width() {
    for (number, known) in [
        (&[0][..], true),
        (&[0xCC, 0], true),
        (&[0xCD, 0, 0], false),
        (&[0xCE, 0, 0, 0, 0], false),
        (&[0xCF, 0, 0, 0, 0, 0, 0, 0, 0], true),
        (&[0xD0, 0], false),
    ] {
        let bytes = [&[0x81], number, &[92]].concat();
        assert_eq!(agree::<Untagged>(&bytes), known, "{bytes:02x?}");
    }
}

/// Also where what follows would make up for what is left over.
#[test]
fn what_is_left_of_an_array_or_a_map_is_an_error() {
    assert!(!agree::<Vec<(u8, u8)>>(&[0x92, 0x93, 1, 2, 0x92, 3, 4]));
    assert!(agree::<Vec<(u8, u8)>>(&[0x92, 0x92, 1, 2, 0x92, 3, 4]));
    assert!(!agree::<Vec<Adjacent>>(&[
        0x91, 0xDE, 0, 3, 0xA4, b'k', b'i', b'n', b'd'
    ]));
}

/// Whoever asks for the length may reserve for it.
#[test]
fn a_length_is_no_more_than_there_are_bytes() {
    #[derive(Debug)]
    struct Hint(usize);
    impl<'de> Deserialize<'de> for Hint {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            struct Asks;
            impl<'de> Visitor<'de> for Asks {
                type Value = usize;
                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("parts")
                }
                fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<usize, A::Error> {
                    let hint = seq.size_hint();
                    while seq.next_element::<IgnoredAny>()?.is_some() {}
                    Ok(hint.unwrap())
                }
                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<usize, A::Error> {
                    let hint = map.size_hint();
                    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                    Ok(hint.unwrap())
                }
            }
            from.deserialize_seq(Asks).map(Self)
        }
    }
    for (bytes, hint) in [
        (&[0x93, 1, 2, 3][..], Some(3)),
        (&[0xDD, 0, 0, 0, 3, 1, 2, 3], Some(3)),
        (&[0xDD, 0, 0, 0, 4, 1, 2, 3], None),
        (&[0xC4, 2, 0, 0], Some(2)),
        (&[0xC4, 3, 0, 0], None),
        (&[0x81, 1, 2], Some(1)),
        (&[0xDF, 0, 0, 0, 2, 1, 2, 3], None),
    ] {
        assert_eq!(ours::<Hint>(bytes).map(|read| read.0), hint, "{bytes:02x?}");
    }
}
