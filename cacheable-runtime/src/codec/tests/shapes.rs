//! The trace on all sorts of types: what is complete, what asks for anything,
//! and that different types are told apart.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::marker::PhantomData;
use std::ops::Range;

use serde::{Deserialize, Deserializer};

use super::super::probe::run;
use super::super::tracer::{Traced, Tracer};
use super::*;

fn trace<T: DeserializeOwned>() -> Traced {
    Tracer::trace(false, run::<T>)
}

#[track_caller]
fn complete<T: DeserializeOwned>() {
    for readable in [false, true] {
        let traced = Tracer::trace(readable, run::<T>);
        assert!(
            traced.complete && !traced.any,
            "readable {readable}: {:?}",
            traced.shape
        );
    }
}

#[track_caller]
fn asks_for_anything<T: DeserializeOwned + 'static>() {
    assert!(trace::<T>().any);
    assert_eq!(schema::<T>(CodecChoice::Auto, 0).codec, CodecId::MsgPack);
}

#[track_caller]
fn incomplete<T: DeserializeOwned + 'static>() {
    assert!(!trace::<T>().complete);
    let schema = schema::<T>(CodecChoice::Auto, 0);
    assert_eq!(schema.codec, CodecId::MsgPack);
    assert_ne!(schema.fingerprint, schema.of_version("1.0.1").fingerprint);
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "only its form matters")]
struct G<T> {
    value: T,
    list: Vec<T>,
}

#[test]
fn plain_types_are_complete() {
    complete::<(u8, i8, u16, i16, u32, i32, u64, i64, u128, i128)>();
    complete::<(bool, char, f32, f64, String, (), PhantomData<u8>)>();
    complete::<(Box<str>, Box<[u8]>, Cow<'static, str>)>();
    complete::<(
        HashMap<String, u8>,
        BTreeMap<u8, BTreeSet<u16>>,
        [u8; 32],
        Range<u8>,
    )>();
    complete::<Result<Vec<u8>, Option<String>>>();
    complete::<(
        std::net::IpAddr,
        std::net::SocketAddrV6,
        std::time::Duration,
    )>();
    complete::<(
        std::num::NonZeroU8,
        std::num::NonZeroI128,
        std::path::PathBuf,
    )>();
    complete::<(
        std::time::SystemTime,
        std::ffi::CString,
        std::ops::Bound<u8>,
    )>();
    complete::<(uuid::Uuid, url::Url)>();
    complete::<chrono::DateTime<chrono::Utc>>();
    complete::<(chrono::NaiveDate, chrono::NaiveDateTime, chrono::NaiveTime)>();
    complete::<G<u32>>();
}

#[test]
fn generics_and_namesakes_are_told_apart() {
    assert_ne!(fingerprint::<G<u32>>(), fingerprint::<G<String>>());
    assert_ne!(fingerprint::<G<G<u32>>>(), fingerprint::<G<u32>>());
    assert_ne!(
        fingerprint::<(G<u32>, G<String>)>(),
        fingerprint::<(G<u32>, G<u32>)>()
    );
    assert_ne!(
        fingerprint::<(G<u32>, G<String>)>(),
        fingerprint::<(G<String>, G<u32>)>()
    );
}

/// `type_name` gives both the same name, and their fields have the same names
/// too: taken for one type they contradict each other, which is noticed.
#[test]
fn namesakes_in_one_function_are_never_mixed_up() {
    fn first() -> impl Serialize + DeserializeOwned + PartialEq + Debug + 'static {
        #[derive(Serialize, Deserialize, Debug, PartialEq)]
        struct Outer<T> {
            next: Option<T>,
        }
        let inner = {
            #[derive(Serialize, Deserialize, Debug, PartialEq)]
            struct Same {
                value: u32,
            }
            Same { value: 3 }
        };
        let outer = {
            #[derive(Serialize, Deserialize, Debug, PartialEq)]
            struct Same<T> {
                value: T,
            }
            Same {
                value: Outer { next: Some(inner) },
            }
        };
        {
            #[derive(Serialize, Deserialize, Debug, PartialEq)]
            struct Same {
                value: String,
            }
            (outer, Same { value: "s".into() }, 7_u8)
        }
    }
    never_wrong(&first());
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct List {
    value: u32,
    next: Option<Box<List>>,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Tree {
    children: Vec<Tree>,
    names: BTreeMap<String, Tree>,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum LeafLast {
    Add(Box<LeafLast>, Box<LeafLast>),
    Not(Box<LeafLast>),
    All(Vec<LeafLast>),
    If {
        cond: Box<LeafLast>,
        then: Box<LeafLast>,
    },
    Lit(i64),
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum LeafFirst {
    Lit(i64),
    Not(Box<LeafFirst>),
    Pair(Box<(LeafFirst, LeafFirst)>),
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum Ping {
    Pong(Box<Pong>),
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum Pong {
    Ping(Box<Ping>),
    Both(Box<Ping>, Box<Pong>),
    End(u8),
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Newtype(Option<Box<Newtype>>);

#[test]
fn recursive_types_are_complete_and_go_by_bincode() {
    complete::<List>();
    complete::<Tree>();
    complete::<LeafLast>();
    complete::<LeafFirst>();
    complete::<Ping>();
    complete::<Pong>();
    complete::<Newtype>();
    complete::<HashMap<String, (List, Vec<LeafLast>, Option<Ping>)>>();

    let list = List {
        value: 1,
        next: Some(Box::new(List {
            value: 2,
            next: None,
        })),
    };
    assert_eq!(carried(CodecChoice::Auto, &list), CodecId::Bincode);
    let leaf = || Box::new(LeafLast::Lit(3));
    let expr = LeafLast::All(vec![LeafLast::Add(leaf(), leaf()), LeafLast::Not(leaf())]);
    assert_eq!(carried(CodecChoice::Auto, &expr), CodecId::Bincode);
    let ping = Ping::Pong(Box::new(Pong::Ping(Box::new(Ping::Pong(Box::new(
        Pong::End(1),
    ))))));
    assert_eq!(carried(CodecChoice::Auto, &ping), CodecId::Bincode);
}

#[test]
fn a_change_deep_in_a_recursive_type_is_seen() {
    mod other {
        #[derive(serde::Deserialize)]
        #[expect(dead_code, reason = "only its form matters")]
        pub(super) enum LeafLast {
            Add(Box<LeafLast>, Box<LeafLast>),
            Not(Box<LeafLast>),
            All(Vec<LeafLast>),
            If {
                cond: Box<LeafLast>,
                then: Box<LeafLast>,
            },
            Lit(u64),
        }
    }
    assert_ne!(fingerprint::<LeafLast>(), fingerprint::<other::LeafLast>());
}

macro_rules! wide {
    ($name:ident: $($variant:ident $of:ty),*) => {
        #[derive(Serialize, Deserialize, Debug, PartialEq)]
        enum $name { $($variant($of)),* }
    };
}

wide!(Small: A u8, B u16, C u32, D u64);
wide!(Wide: A Small, B (Small, Small), C Vec<Small>, D Option<Small>, E String,
    F Vec<Wide>, G i8, H i16, I i32, J BTreeMap<String, Small>);

#[test]
fn enums_of_enums_in_many_places() {
    type Places = (
        Wide,
        Option<Wide>,
        Vec<Wide>,
        BTreeMap<u8, Wide>,
        Result<Wide, Small>,
    );
    complete::<Wide>();
    complete::<Places>();
    assert_ne!(
        fingerprint::<(Wide, Wide)>(),
        fingerprint::<(Wide, Small)>()
    );
    assert_eq!(
        carried(
            CodecChoice::Auto,
            &vec![Wide::C(vec![Small::D(1)]), Wide::F(vec![])]
        ),
        CodecId::Bincode
    );
}

#[test]
fn open_types_ask_for_anything() {
    #[derive(Deserialize)]
    #[serde(untagged)]
    #[expect(dead_code, reason = "only its form matters")]
    enum Scalar {
        Number(f64),
        Text(String),
    }
    asks_for_anything::<serde_json::Value>();
    asks_for_anything::<Scalar>();
    asks_for_anything::<rust_decimal::Decimal>();
    asks_for_anything::<serde::de::IgnoredAny>();
    asks_for_anything::<(u8, Vec<Option<serde_json::Value>>)>();
    assert!(trace::<serde_json::Value>().complete);
    assert!(trace::<Scalar>().complete);
    assert!(trace::<rust_decimal::Decimal>().complete);
}

#[test]
fn open_types_among_others_leave_the_others_visible() {
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its form matters")]
    struct Before {
        meta: serde_json::Value,
        qty: u32,
    }
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its form matters")]
    struct After {
        meta: serde_json::Value,
        qty: i32,
    }
    assert!(trace::<Before>().complete);
    assert_ne!(fingerprint::<Before>(), fingerprint::<After>());
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
#[expect(dead_code, reason = "only its form matters")]
struct Iban(String);

impl TryFrom<String> for Iban {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.len() == 22 && text.starts_with("DE") {
            Ok(Self(text))
        } else {
            Err("no IBAN")
        }
    }
}

struct Versioned;

impl<'de> Deserialize<'de> for Versioned {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            203 => Ok(Self),
            _ => Err(serde::de::Error::custom("another version")),
        }
    }
}

#[test]
fn hard_rules_are_incomplete_but_the_rest_is_seen() {
    incomplete::<(u8, Iban, u32)>();
    incomplete::<(Option<(Versioned, u8)>, u32)>();
    incomplete::<Vec<Result<Versioned, u8>>>();
    assert_ne!(
        fingerprint::<(Option<Iban>, u32)>(),
        fingerprint::<(Option<Iban>, i32)>()
    );
    let traced = trace::<(Vec<(Iban, u8)>, List, Option<(Versioned, u8)>, Small)>();
    let text = format!("{:?}", traced.shape);
    assert!(
        !traced.complete && text.contains("\"next\"") && text.contains("U64"),
        "{text}"
    );
}

/// A type that reads one string has shown all of its form, whatever it makes of
/// the string.
#[test]
fn a_rejected_leaf_hides_nothing() {
    complete::<Iban>();
    complete::<Versioned>();
    complete::<(Option<Iban>, Vec<Versioned>, u32)>();
    assert_ne!(fingerprint::<Iban>(), fingerprint::<Versioned>());
}

#[test]
fn rules_that_samples_satisfy_are_complete() {
    #[derive(Deserialize)]
    #[serde(try_from = "Vec<u8>")]
    struct Sixteen;
    impl TryFrom<Vec<u8>> for Sixteen {
        type Error = &'static str;
        fn try_from(bytes: Vec<u8>) -> Result<Self, Self::Error> {
            if bytes.len() == 16 {
                Ok(Self)
            } else {
                Err("not 16")
            }
        }
    }
    #[derive(Deserialize)]
    #[serde(try_from = "(u32, u32)")]
    struct Ordered;
    impl TryFrom<(u32, u32)> for Ordered {
        type Error = &'static str;
        fn try_from((from, to): (u32, u32)) -> Result<Self, Self::Error> {
            if from < to { Ok(Self) } else { Err("empty") }
        }
    }
    #[derive(Deserialize)]
    #[serde(try_from = "Vec<List>")]
    struct NotEmpty;
    impl TryFrom<Vec<List>> for NotEmpty {
        type Error = &'static str;
        fn try_from(lists: Vec<List>) -> Result<Self, Self::Error> {
            if lists.is_empty() {
                Err("empty")
            } else {
                Ok(Self)
            }
        }
    }
    complete::<Sixteen>();
    complete::<(Ordered, u8)>();
    complete::<(NotEmpty, NotEmpty, Option<NotEmpty>)>();
}

/// Reads a number, and then one thing or another.
struct TwoFaced;

impl<'de> Deserialize<'de> for TwoFaced {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = TwoFaced;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a pair")
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> Result<TwoFaced, A::Error> {
                match seq.next_element::<Small>()? {
                    Some(Small::A(_)) => drop(seq.next_element::<u8>()?),
                    _ => drop(seq.next_element::<String>()?),
                }
                Ok(TwoFaced)
            }
        }
        deserializer.deserialize_tuple(2, Visitor)
    }
}

#[test]
fn a_form_that_depends_on_data_is_not_trusted() {
    incomplete::<TwoFaced>();
    incomplete::<Vec<TwoFaced>>();
}

/// A field whose error is swallowed hides what it would have read.
#[test]
fn a_swallowed_error_is_not_trusted() {
    fn or_default<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
        Ok(<(Versioned, u8)>::deserialize(deserializer).map_or(0, |(_, value)| value))
    }
    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its form matters")]
    struct Lenient {
        #[serde(deserialize_with = "or_default")]
        a: u8,
        b: u16,
    }
    incomplete::<Lenient>();
}

#[test]
fn types_without_a_value_end_the_trace() {
    #[derive(Deserialize, Debug)]
    enum Never {}
    #[derive(Deserialize, Debug)]
    #[expect(dead_code, reason = "only its form matters")]
    struct Endless {
        again: Box<Endless>,
    }
    #[derive(Deserialize, Debug)]
    #[expect(dead_code, reason = "only its form matters")]
    struct EndlessNewtype(Box<EndlessNewtype>);
    #[derive(Deserialize, Debug)]
    #[expect(dead_code, reason = "only its form matters")]
    enum EndlessEnum {
        Again(Box<EndlessEnum>),
        AndAgain(Box<EndlessEnum>, u8),
    }
    incomplete::<Never>();
    incomplete::<Option<Never>>();
    incomplete::<Endless>();
    incomplete::<EndlessNewtype>();
    incomplete::<EndlessEnum>();
    incomplete::<Vec<EndlessEnum>>();
}

#[test]
fn a_type_that_panics_is_incomplete() {
    #[derive(Deserialize)]
    #[serde(from = "u8")]
    struct Panics;
    impl From<u8> for Panics {
        fn from(value: u8) -> Self {
            assert_eq!(value, 203, "dummy data");
            Self
        }
    }
    incomplete::<(Panics, u8)>();
    complete::<(Option<Panics>, u8)>();
}

#[test]
fn elements_without_weight_do_not_go_by_bincode() {
    assert_eq!(
        schema::<Vec<()>>(CodecChoice::Auto, 0).codec,
        CodecId::MsgPack
    );
    assert_eq!(
        schema::<Vec<[PhantomData<u8>; 3]>>(CodecChoice::Auto, 0).codec,
        CodecId::MsgPack
    );
    assert_eq!(
        schema::<BTreeMap<(), ()>>(CodecChoice::Auto, 0).codec,
        CodecId::MsgPack
    );
    assert_eq!(
        schema::<BTreeMap<u8, ()>>(CodecChoice::Auto, 0).codec,
        CodecId::Bincode
    );
    assert_eq!(
        carried(CodecChoice::Auto, &vec![(); 1000]),
        CodecId::MsgPack
    );
    assert_eq!(carried(CodecChoice::Auto, &[(); 9]), CodecId::Bincode);
}
