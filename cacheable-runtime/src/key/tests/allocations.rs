use std::collections::BTreeMap;

use allocation_counter::measure;

use super::{Id, KeyWriter, Point, Shape};

/// Allocations made while `key` fills the hash sink, in the second of two runs.
fn allocations(key: impl Fn(&mut KeyWriter)) -> u64 {
    let run = || {
        let mut writer = KeyWriter::hash([1, 2]);
        key(&mut writer);
        writer.finish_hash().unwrap()
    };
    let first = run();
    let mut second = 0;
    let counted = measure(|| second = run()).count_total;
    assert_eq!(first, second);
    counted
}

#[test]
fn hashing_does_not_allocate() {
    let owned = String::from("owned");
    let long = "long".repeat(10_000);
    let map = BTreeMap::from([("b", 1), ("a", 2)]);
    let address: std::net::IpAddr = [127, 0, 0, 1].into();
    for (what, counted) in [
        (
            "u64",
            allocations(|key| {
                key.arg(&7_u64);
            }),
        ),
        (
            "i128",
            allocations(|key| {
                key.arg(&i128::MIN);
            }),
        ),
        (
            "&str",
            allocations(|key| {
                key.arg("text");
            }),
        ),
        (
            "String",
            allocations(|key| {
                key.arg(&owned);
            }),
        ),
        (
            "long",
            allocations(|key| {
                key.arg(&long);
            }),
        ),
        (
            "two",
            allocations(|key| {
                key.arg("text").arg(&7);
            }),
        ),
        (
            "tuple",
            allocations(|key| {
                key.arg(&("a", 1, 'c', 1.5, true, Some("d")));
            }),
        ),
        (
            "slice",
            allocations(|key| {
                key.arg([1, 2, 3].as_slice());
            }),
        ),
        (
            "newtype",
            allocations(|key| {
                key.arg(&Id(1));
            }),
        ),
        (
            "struct",
            allocations(|key| {
                key.arg(&Point { x: 1, y: 2 });
            }),
        ),
        (
            "enum",
            allocations(|key| {
                key.arg(&(Shape::Empty, Shape::Rect { w: 1, h: 2 }));
            }),
        ),
        (
            "map",
            allocations(|key| {
                key.arg(&map);
            }),
        ),
        (
            "displayed",
            allocations(|key| {
                key.arg(&address);
            }),
        ),
        (
            "template",
            allocations(|key| {
                key.literal("by:").value(&7);
            }),
        ),
        (
            "type",
            allocations(|key| {
                key.type_arg::<Vec<String>>();
            }),
        ),
    ] {
        assert_eq!(counted, 0, "{what}");
    }
}

#[test]
fn the_counter_counts() {
    let counted = measure(|| {
        let mut writer = KeyWriter::text("cache:p:m");
        writer.arg("text");
        assert!(writer.finish_text().is_ok());
    });
    assert_eq!(counted.count_total, 1);
}
