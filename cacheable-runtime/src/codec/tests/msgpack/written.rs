//! What `rmp-serde` writes.

use std::collections::HashMap;

use super::*;

#[test]
fn what_is_written_is_read_as_theirs_reads_it() {
    for number in [
        0,
        1,
        127,
        128,
        255,
        256,
        65_535,
        65_536,
        u64::from(u32::MAX),
        1 << 32,
        u64::MAX,
    ] {
        same(number);
        same(u128::from(number) << 64);
        same(number.cast_signed());
        same(i128::from(number).wrapping_neg());
        same((number as u8, number as u16, number as u32));
        same((
            number as i8,
            number as i16,
            number as i32,
            number.cast_signed(),
        ));
        same(f64::from_bits(number));
        same(f32::from_bits(number as u32));
        same(Untagged::Unsigned(number));
        same(Untagged::Signed(-1 - (number >> 1).cast_signed()));
    }
    same((true, false, (), Unit, PhantomData::<u8>));
    same(('a', 'ß', '€', '🦀'));
    for len in [0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536] {
        same("x".repeat(len));
        same(ByteBuf::from(vec![b'x'; len]));
        same(vec![true; len]);
        same((0..len).map(|n| (n, ())).collect::<BTreeMap<_, _>>());
        same(Extension((-3, ByteBuf::from(vec![0xC1; len]))));
    }
    for len in [1, 2, 4, 8, 16] {
        same(Newtype(Extension((7, ByteBuf::from(vec![3; len])))));
        same(Some(Extension((7, ByteBuf::from(vec![3; len])))));
    }
    same((f64::NAN, f32::NAN, f64::INFINITY, -0.0_f32, 0.1_f64));
    same((Some(1_u8), None::<u8>, Some(Some(2_u8)), None::<Option<u8>>));
    same(Newtype(Newtype(vec![
        Tuple(1, None),
        Tuple(2, Some("t".into())),
    ])));
    same(vec![Kind::Unit, kinds(), Kind::New(Box::new(kinds()))]);
    same((Ok::<u8, String>(1), Err::<u8, String>("e".into())));
    same((Open::Unit, Open::Other));
    same(zoo());
    same((
        Internal::Unit,
        Internal::New(BTreeMap::from([("a".into(), Untagged::Nothing(()))])),
    ));
    same(Internal::Struct {
        a: 1,
        b: "::1".parse().unwrap(),
    });
    same((
        Adjacent::Unit,
        Adjacent::New(u64::MAX),
        Adjacent::Tuple(1, "t".into()),
    ));
    same(Adjacent::Struct {
        b: uuid::Uuid::from_u128(9),
    });
    same(Flat {
        a: 1,
        inner: Inner {
            b: -2,
            c: vec![3, 255],
        },
        rest: BTreeMap::from([(
            "d".into(),
            serde_json::json!([1, -2, 2.5, null, {"e": "f"}]),
        )]),
    });
    same(vec![
        Untagged::Ratio(0.5),
        Untagged::Flag(true),
        Untagged::Addr(vec!["10.0.0.1".parse().unwrap(), "::1".parse().unwrap()]),
        Untagged::Struct { a: 1, b: Some('b') },
        Untagged::List(vec![Untagged::Nothing(())]),
    ]);
    same("10.0.0.1".parse::<IpAddr>().unwrap());
    same((
        uuid::Uuid::from_u128(7),
        url::Url::parse("https://a.example/b?c").unwrap(),
    ));
    same((
        rust_decimal::Decimal::new(12345, 2),
        std::time::Duration::new(1, 2),
    ));
    same((
        std::time::SystemTime::UNIX_EPOCH,
        std::num::NonZeroU8::MIN,
        1_u8..3,
    ));
    same(chrono::DateTime::from_timestamp(1_700_000_000, 123_456_789).unwrap());
    same(
        HashMap::from([("k", 1_u8)])
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v))
            .collect::<HashMap<_, _>>(),
    );
}
