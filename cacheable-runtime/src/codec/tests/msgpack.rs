//! Our decoder beside that of `rmp-serde`, from whose encoder the bytes are.

use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::net::IpAddr;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde::de::{EnumAccess, IgnoredAny, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_bytes::ByteBuf;

use super::*;

fn theirs<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let mut deserializer = rmp_serde::Deserializer::new(bytes).with_human_readable();
    let value = T::deserialize(&mut deserializer).ok()?;
    deserializer.into_inner().is_empty().then_some(value)
}

fn ours<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    match decode(CodecId::MsgPack, bytes) {
        Ok(value) => Some(value),
        Err(DecodeError::Malformed | DecodeError::Trailing) => None,
        Err(error) => panic!("{error}: {bytes:02x?}"),
    }
}

/// By what they print, since a NaN is not itself.
#[track_caller]
fn agree<T: DeserializeOwned + Debug>(bytes: &[u8]) -> bool {
    let (theirs, ours) = (theirs::<T>(bytes), ours::<T>(bytes));
    assert_eq!(
        format!("{ours:?}"),
        format!("{theirs:?}"),
        "{} from {bytes:02x?}",
        std::any::type_name::<T>()
    );
    ours.is_some()
}

/// Ours refuses this, and theirs does not.
#[track_caller]
fn stricter<T: DeserializeOwned + Debug>(bytes: &[u8]) {
    assert!(theirs::<T>(bytes).is_some() && ours::<T>(bytes).is_none());
}

/// As named fields and as positions, which other programs write.
#[track_caller]
fn same<T: Serialize + DeserializeOwned + Debug>(value: T) {
    let mut bytes = Vec::new();
    let mut named = rmp_serde::Serializer::new(&mut bytes)
        .with_struct_map()
        .with_human_readable();
    value.serialize(&mut named).unwrap();
    assert!(agree::<T>(&bytes));
    assert_eq!(
        format!("{:?}", ours::<T>(&bytes).unwrap()),
        format!("{value:?}")
    );
    // Whatever else is asked of the same bytes.
    agree_on_all(&bytes);
    let mut bytes = Vec::new();
    let mut positions = rmp_serde::Serializer::new(&mut bytes).with_human_readable();
    value.serialize(&mut positions).unwrap();
    agree_on_all(&bytes);
    agree::<T>(&bytes);
}

#[derive(Serialize, Deserialize, Debug, Clone, Default)]
struct Unit;

#[derive(Serialize, Deserialize, Debug, Clone)]
struct Newtype<T>(T);

#[derive(Serialize, Deserialize, Debug, Clone)]
struct Tuple(u8, Option<String>);

#[derive(Serialize, Deserialize, Debug, Clone)]
#[serde(rename = "_ExtStruct")]
struct Extension((i8, ByteBuf));

#[derive(Serialize, Deserialize, Debug, Clone)]
enum Kind {
    Unit,
    New(Box<Kind>),
    Tuple(u8, String),
    Struct { a: Vec<Kind>, b: Option<u8> },
}

#[derive(Serialize, Deserialize, Debug, Clone)]
struct Zoo {
    a: u64,
    b: i8,
    #[serde(default)]
    c: Option<String>,
    #[serde(default)]
    d: Vec<(i16, f32)>,
    #[serde(default = "unit")]
    kind: Kind,
    #[serde(default)]
    unit: Unit,
    #[serde(default)]
    bytes: ByteBuf,
}

fn unit() -> Kind {
    Kind::Unit
}

#[derive(Serialize, Deserialize, Debug, Clone)]
#[serde(untagged)]
enum Untagged {
    Unsigned(u64),
    Signed(i64),
    Ratio(f64),
    Flag(bool),
    Text(String),
    Addr(Vec<IpAddr>),
    Struct { a: u8, b: Option<char> },
    List(Vec<Untagged>),
    Map(BTreeMap<String, Untagged>),
    Wide(i128),
    Nothing(()),
}

#[derive(Serialize, Deserialize, Debug, Clone)]
#[serde(tag = "kind")]
enum Internal {
    Unit,
    New(BTreeMap<String, Untagged>),
    Struct { a: u8, b: IpAddr },
}

#[derive(Serialize, Deserialize, Debug, Clone)]
#[serde(tag = "kind", content = "a")]
enum Adjacent {
    Unit,
    New(u64),
    Tuple(u8, String),
    Struct { b: uuid::Uuid },
}

#[derive(Serialize, Deserialize, Debug, Clone)]
struct Flat {
    a: u64,
    #[serde(flatten)]
    inner: Inner,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
struct Inner {
    b: i32,
    #[serde(default)]
    c: Vec<u8>,
}

/// The last variant swallows all names that are unknown.
#[derive(Serialize, Deserialize, Debug, Clone)]
enum Open {
    Unit,
    #[serde(other)]
    Other,
}

/// A map whose order is not that of the process.
type Sorted<V> = BTreeMap<String, V>;

fn agree_on_all(bytes: &[u8]) {
    macro_rules! each {
        ($($ty:ty,)*) => { $( agree::<$ty>(bytes); )* };
    }
    each! {
        (), bool, char, u8, u16, u32, u64, u128, i8, i16, i32, i64, i128, f32, f64, String,
        Unit, PhantomData<u8>, Newtype<u8>, Newtype<Newtype<Vec<Tuple>>>, Tuple,
        Extension, Newtype<Extension>, Option<Extension>, Vec<Extension>, (i8, ByteBuf), (i8, Vec<u8>),
        Option<u8>, Option<Option<Unit>>, Option<()>, Vec<Option<u8>>, Vec<Newtype<u8>>, Vec<Kind>,
        Vec<u8>, Vec<u64>, Vec<u128>, Vec<Vec<u8>>, [u8; 2], [u8; 16], (u8, u8), (), ByteBuf, Vec<ByteBuf>,
        Box<str>, Vec<f64>, Vec<bool>, Vec<char>, Vec<()>, Vec<Unit>, Vec<String>,
        Sorted<u8>, Sorted<Kind>, BTreeMap<u8, i64>, BTreeMap<Option<u8>, ByteBuf>, BTreeMap<(), Unit>,
        Kind, Option<Kind>, Open, Vec<Open>, Zoo, Vec<Zoo>, Option<Box<Zoo>>,
        Untagged, Vec<Untagged>, Internal, Adjacent, Flat, serde_json::Value, Sorted<serde_json::Value>,
        IgnoredAny, Vec<IgnoredAny>, Sorted<IgnoredAny>, (u8, IgnoredAny),
        IpAddr, uuid::Uuid, url::Url, rust_decimal::Decimal, std::time::Duration, std::time::SystemTime,
        std::ops::Range<u8>, std::ops::Bound<u8>, Result<u8, String>, std::num::NonZeroU8,
        chrono::DateTime<chrono::Utc>, std::path::PathBuf, std::ffi::CString,
        Told<0>, Told<1>, Told<2>, Told<3>, Told<4>, Told<5>, Told<6>, Told<7>, Told<8>, Told<9>,
        Told<10>, Told<11>, Told<12>, Told<13>, Told<14>, Told<15>, Told<16>, Told<17>, Told<18>,
        Told<19>, Told<20>, Told<21>,
    }
}

/// What its visitor is told when it is asked for in one of several ways.
/// Integers are told apart by their value, not by their width.
struct Told<const WAY: u8>(String);

/// As it is: with quotes around each level it would grow with every one.
impl<const WAY: u8> Debug for Told<WAY> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0)
    }
}

const ANY: u8 = 0;
const WAYS: u8 = 22;

impl<'de, const WAY: u8> Deserialize<'de> for Told<WAY> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let visitor = Teller::<WAY>;
        let told = match WAY {
            ANY => from.deserialize_any(visitor),
            1 => from.deserialize_bool(visitor),
            2 => from.deserialize_u64(visitor),
            3 => from.deserialize_f32(visitor),
            4 => from.deserialize_i128(visitor),
            5 => from.deserialize_u128(visitor),
            6 => from.deserialize_char(visitor),
            7 => from.deserialize_string(visitor),
            8 => from.deserialize_byte_buf(visitor),
            9 => from.deserialize_unit(visitor),
            10 => from.deserialize_unit_struct("Told", visitor),
            11 => from.deserialize_option(visitor),
            12 => from.deserialize_newtype_struct("Told", visitor),
            13 => from.deserialize_newtype_struct("_ExtStruct", visitor),
            14 => from.deserialize_seq(visitor),
            15 => from.deserialize_tuple(2, visitor),
            16 => from.deserialize_tuple_struct("Told", 2, visitor),
            17 => from.deserialize_map(visitor),
            18 => from.deserialize_struct("Told", &["a", "b"], visitor),
            19 => from.deserialize_identifier(visitor),
            // The visitor goes on in another way in each.
            20..WAYS => from.deserialize_enum("Told", &["Unit", "New"], visitor),
            _ => unreachable!("there are no more ways"),
        };
        told.map(Self)
    }
}

struct Teller<const WAY: u8>;

macro_rules! tell {
    ($($name:ident: $ty:ty => $kind:literal,)*) => {$(
        fn $name<E>(self, value: $ty) -> Result<String, E> {
            Ok(format!(concat!($kind, " {:?}"), value))
        }
    )*};
}

impl<'de, const WAY: u8> Visitor<'de> for Teller<WAY> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    tell! {
        visit_bool: bool => "bool",
        visit_i8: i8 => "integer",
        visit_i16: i16 => "integer",
        visit_i32: i32 => "integer",
        visit_i64: i64 => "integer",
        visit_i128: i128 => "wide integer",
        visit_u8: u8 => "integer",
        visit_u16: u16 => "integer",
        visit_u32: u32 => "integer",
        visit_u64: u64 => "integer",
        visit_u128: u128 => "wide integer",
        visit_f32: f32 => "f32",
        visit_f64: f64 => "f64",
        visit_str: &str => "str",
        visit_bytes: &[u8] => "bytes",
    }

    fn visit_none<E>(self) -> Result<String, E> {
        Ok("none".into())
    }

    fn visit_unit<E>(self) -> Result<String, E> {
        Ok("unit".into())
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<String, D::Error> {
        Ok(format!("some {:?}", Told::<ANY>::deserialize(from)?))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<String, D::Error> {
        Ok(format!("newtype {:?}", Told::<ANY>::deserialize(from)?))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<String, A::Error> {
        let mut told = String::from("seq");
        while let Some(element) = seq.next_element::<Told<WAY>>()? {
            told += &format!(" {element:?}");
        }
        Ok(told)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<String, A::Error> {
        let mut told = String::from("map");
        while let Some(entry) = map.next_entry::<Told<ANY>, Told<WAY>>()? {
            told += &format!(" {entry:?}");
        }
        Ok(told)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<String, A::Error> {
        let (name, content) = access.variant::<Told<19>>()?;
        let content = match WAY {
            20 => content.unit_variant().map(|()| String::new())?,
            _ => match format!("{name:?}").len() % 3 {
                0 => content.newtype_variant::<Told<WAY>>()?.0,
                1 => content.tuple_variant(2, Teller::<ANY>)?,
                _ => content.struct_variant(&["a"], Teller::<ANY>)?,
            },
        };
        Ok(format!("variant {name:?} {content}"))
    }
}

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
        same((number as i8, number as i16, number as i32, number as i64));
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

fn kinds() -> Kind {
    Kind::Struct {
        a: vec![
            Kind::Unit,
            Kind::Tuple(1, "t".into()),
            Kind::New(Box::new(Kind::Unit)),
        ],
        b: Some(2),
    }
}

fn zoo() -> Zoo {
    Zoo {
        a: 1 << 40,
        b: -3,
        c: Some("näme".into()),
        d: vec![(300, 0.5), (-300, 1.5)],
        kind: kinds(),
        unit: Unit,
        bytes: vec![0, 1, 255].into(),
    }
}

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
    let named = |value: &dyn erased::Write| value.named();
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

mod erased {
    pub(super) trait Write {
        fn named(&self) -> Vec<u8>;
    }

    impl<T: serde::Serialize> Write for T {
        fn named(&self) -> Vec<u8> {
            let mut bytes = Vec::new();
            let mut serializer = rmp_serde::Serializer::new(&mut bytes)
                .with_struct_map()
                .with_human_readable();
            self.serialize(&mut serializer).unwrap();
            bytes
        }
    }
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
        assert!(agree::<Untagged>(&bytes));
        let is_struct = matches!(ours(&bytes), Some(Untagged::Struct { a: 92, .. }));
        assert_eq!(is_struct, known, "{bytes:02x?}");
    }
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
