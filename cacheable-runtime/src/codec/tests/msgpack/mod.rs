//! Our decoder beside that of `rmp-serde`, from whose encoder the bytes are.

mod arbitrary;
mod differences;
mod told;
mod written;

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::net::IpAddr;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_bytes::ByteBuf;

use super::*;
use told::{ANY, Teller, Told};

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
        type_name::<T>()
    );
    ours.is_some()
}

fn named<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut serializer = rmp_serde::Serializer::new(&mut bytes)
        .with_struct_map()
        .with_human_readable();
    value.serialize(&mut serializer).unwrap();
    bytes
}

/// Ours refuses this, and theirs does not.
#[track_caller]
fn stricter<T: DeserializeOwned + Debug>(bytes: &[u8]) {
    assert!(theirs::<T>(bytes).is_some() && ours::<T>(bytes).is_none());
}

/// As named fields and as positions, which other programs write.
#[track_caller]
fn same<T: Serialize + DeserializeOwned + Debug>(value: T) {
    let bytes = named(&value);
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
