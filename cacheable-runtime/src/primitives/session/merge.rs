//! What an older program does not know of, carried over when it writes.
//!
//! `MessagePack` names its fields, so a field that a type did not read is one
//! that its newer form has put there. Values are copied as they are written.

use std::collections::HashMap;

/// A `new` value, with what `stored` has beyond `known`, which is `stored` as
/// the writer's type writes it again; in maps within maps, too. `None`: these
/// are no such values.
pub(super) fn merged(stored: &[u8], known: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(new.len() + stored.len().saturating_sub(known.len()));
    merge(stored, known, new, &mut out)?;
    Some(out)
}

/// As deep as the writer's type is, which is limited where it is encoded.
fn merge(stored: &[u8], known: &[u8], new: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (Some(stored), Some(known), Some(fields)) = (map(stored), map(known), map(new)) else {
        out.extend_from_slice(new);
        return Some(());
    };
    let in_stored: HashMap<_, _> = stored.iter().copied().collect();
    let in_known: HashMap<_, _> = known.into_iter().collect();
    let in_new: HashMap<_, _> = fields.iter().copied().collect();
    let unknown = stored
        .iter()
        .filter(|(name, _)| !in_known.contains_key(name) && !in_new.contains_key(name));
    let unknown: Vec<&Field<'_>> = unknown.collect();
    let count = u32::try_from(fields.len() + unknown.len()).ok()?;
    out.push(0xdf);
    out.extend_from_slice(&count.to_be_bytes());
    for (name, value) in &fields {
        out.extend_from_slice(name);
        match (in_stored.get(name), in_known.get(name)) {
            (Some(stored), Some(known)) => merge(stored, known, value, out)?,
            _ => out.extend_from_slice(value),
        }
    }
    for (name, value) in unknown {
        out.extend_from_slice(name);
        out.extend_from_slice(value);
    }
    Some(())
}

/// A name and a value, as they are written.
type Field<'a> = (&'a [u8], &'a [u8]);

/// The fields of a map that is all of `bytes`.
fn map(bytes: &[u8]) -> Option<Vec<Field<'_>>> {
    let (&marker, behind) = bytes.split_first()?;
    let (count, mut rest) = match marker {
        0x80..=0x8f => (usize::from(marker & 0x0f), behind),
        0xde => number(behind, 2)?,
        0xdf => number(behind, 4)?,
        _ => return None,
    };
    let mut fields = Vec::with_capacity(count.min(rest.len()));
    for _ in 0..count {
        let (name, behind) = rest.split_at_checked(length(rest)?)?;
        let (value, behind) = behind.split_at_checked(length(behind)?)?;
        fields.push((name, value));
        rest = behind;
    }
    rest.is_empty().then_some(fields)
}

/// How many bytes the first value takes.
fn length(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    // Values that are still to come; each takes a byte at least.
    let mut values = 1_usize;
    while values > 0 {
        let (&marker, behind) = rest.split_first()?;
        let (inside, size, behind) = match marker {
            0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => (0, 0, behind),
            0x80..=0x8f => (2 * usize::from(marker & 0x0f), 0, behind),
            0x90..=0x9f => (usize::from(marker & 0x0f), 0, behind),
            0xa0..=0xbf => (0, usize::from(marker & 0x1f), behind),
            0xc4 | 0xd9 => sized(number(behind, 1)?, 0),
            0xc5 | 0xda => sized(number(behind, 2)?, 0),
            0xc6 | 0xdb => sized(number(behind, 4)?, 0),
            // The type of an extension is one byte more.
            0xc7 => sized(number(behind, 1)?, 1),
            0xc8 => sized(number(behind, 2)?, 1),
            0xc9 => sized(number(behind, 4)?, 1),
            0xcc | 0xd0 => (0, 1, behind),
            0xcd | 0xd1 => (0, 2, behind),
            0xca | 0xce | 0xd2 => (0, 4, behind),
            0xcb | 0xcf | 0xd3 => (0, 8, behind),
            0xd4..=0xd8 => (0, 1 + (1 << (marker - 0xd4)), behind),
            0xdc => several(number(behind, 2)?, 1),
            0xdd => several(number(behind, 4)?, 1),
            0xde => several(number(behind, 2)?, 2),
            0xdf => several(number(behind, 4)?, 2),
            0xc1 => return None,
        };
        rest = behind.get(size..)?;
        values = (values - 1).checked_add(inside)?;
    }
    Some(bytes.len() - rest.len())
}

fn sized((size, behind): (usize, &[u8]), more: usize) -> (usize, usize, &[u8]) {
    (0, size + more, behind)
}

fn several((count, behind): (usize, &[u8]), each: usize) -> (usize, usize, &[u8]) {
    (count.saturating_mul(each), 0, behind)
}

fn number(bytes: &[u8], size: usize) -> Option<(usize, &[u8])> {
    let (digits, behind) = bytes.split_at_checked(size)?;
    let join = |all, &digit| all << 8 | usize::from(digit);
    Some((digits.iter().fold(0, join), behind))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    fn pack(value: &Value) -> Vec<u8> {
        rmp_serde::to_vec_named(value).unwrap()
    }

    fn check(stored: &Value, known: &Value, new: &Value, expected: &Value) {
        let merged = super::merged(&pack(stored), &pack(known), &pack(new)).unwrap();
        let merged: Value = rmp_serde::from_slice(&merged).unwrap();
        assert_eq!(merged, *expected);
    }

    #[test]
    fn what_is_not_known_is_kept_and_what_is_known_is_replaced_or_removed() {
        check(
            &json!({"a": 1, "b": {"c": 2, "d": [3]}, "e": "x", "f": {"g": null}}),
            &json!({"a": 1, "b": {"c": 2}, "e": "x"}),
            &json!({"a": 9, "b": {"c": 8}}),
            &json!({"a": 9, "b": {"c": 8, "d": [3]}, "f": {"g": null}}),
        );
        check(
            &json!({"a": 1}),
            &json!({}),
            &json!({"a": 2}),
            &json!({"a": 2}),
        );
        check(&json!([1]), &json!([1]), &json!([2]), &json!([2]));
        check(
            &json!({"A": {"x": 1, "y": 2}}),
            &json!({"A": {"x": 1}}),
            &json!({"B": {"x": 1}}),
            &json!({"B": {"x": 1}}),
        );
    }

    #[test]
    fn values_of_every_size_are_as_long_as_they_are() {
        let long = "x".repeat(70_000);
        let many: Vec<u32> = (0..70_000).collect();
        let map: serde_json::Map<_, _> = (0..70_000).map(|n| (n.to_string(), json!(n))).collect();
        for value in [
            json!(null),
            json!(true),
            json!(7),
            json!(-7),
            json!(200),
            json!(-200),
            json!(70_000),
            json!(-70_000),
            json!(u64::MAX),
            json!(i64::MIN),
            json!(1.5),
            json!("x"),
            json!(&long[..40]),
            json!(&long[..300]),
            json!(long),
            json!(many[..3]),
            json!(many[..20]),
            json!(many),
            json!({"a": [{"b": {}}]}),
            Value::Object(map),
        ] {
            let bytes = pack(&value);
            assert_eq!(super::length(&bytes), Some(bytes.len()));
            assert_eq!(super::length(&bytes[..bytes.len() - 1]), None);
        }
        // Binary values and extensions, which JSON has not.
        for bytes in [
            &[0xc4, 2, 0, 0][..],
            &[0xc5, 0, 1, 0],
            &[0xc6, 0, 0, 0, 1, 0],
            &[0xc7, 1, 5, 0],
            &[0xc8, 0, 1, 5, 0],
            &[0xc9, 0, 0, 0, 1, 5, 0],
            &[0xd4, 5, 0],
            &[0xd5, 5, 0, 0],
            &[0xca, 0, 0, 0, 0],
        ] {
            assert_eq!(super::length(bytes), Some(bytes.len()), "{bytes:x?}");
        }
    }

    #[test]
    fn hostile_bytes_end_in_nothing() {
        for bytes in [
            &[][..],
            &[0xc1],
            &[0xdd, 255, 255, 255, 255],
            &[0xdf, 255, 255, 255, 255, 1],
        ] {
            assert_eq!(super::length(bytes), None);
            assert!(super::map(bytes).is_none());
        }
        assert!(super::map(&[0x80, 0]).is_none());
    }
}
