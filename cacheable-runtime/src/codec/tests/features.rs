//! What serde can be told to do: each form comes back as it was, through the
//! codec that is chosen for it, or is refused.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::*;
use CodecId::{Bincode, MsgPack};

#[track_caller]
fn auto<T>(value: T, by: CodecId)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug + 'static,
{
    assert_eq!(carried(CodecChoice::Auto, &value), by);
    never_wrong(&value);
}

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone, Default)]
struct Inner {
    a: u32,
    b: String,
}

#[test]
fn plain_types_go_by_bincode() {
    auto(0_u8, Bincode);
    auto((i64::MIN, u64::MAX, i128::MIN, u128::MAX), Bincode);
    auto((f32::MIN_POSITIVE, 0.1_f64, -0.0_f64, 1.0e300), Bincode);
    auto(('ß', String::from("täst\0"), Box::<str>::from("")), Bincode);
    auto(vec![Some(1), None], Bincode);
    auto(std::borrow::Cow::Borrowed("x"), Bincode);
    auto([[1_u16; 3]; 2], Bincode);
    auto(
        BTreeMap::from([((1_u8, String::from("k")), vec![(); 0].len())]),
        Bincode,
    );
    auto(HashMap::from([(1_u8, Inner::default())]), Bincode);
    auto((), Bincode);
    auto(Result::<u8, String>::Err("no".into()), Bincode);
    auto((1_u8..3, Duration::new(1, 2)), Bincode);
    auto(
        SystemTime::UNIX_EPOCH + Duration::from_nanos(1_700_000_000_123_456_789),
        Bincode,
    );
    auto(serde_bytes::ByteBuf::from(vec![0, 255]), Bincode);
    auto(std::num::NonZeroU16::MIN, Bincode);
    auto(std::marker::PhantomData::<u8>, Bincode);
}

#[test]
fn infinity_and_nan_go_by_bincode() {
    auto((f64::INFINITY, f32::NEG_INFINITY), Bincode);
    let (codec, bytes) = written(CodecChoice::Auto, &f64::NAN).unwrap();
    assert!(decode::<f64>(codec, &bytes).unwrap().is_nan());
}

#[test]
fn types_of_other_crates() {
    auto(uuid::Uuid::from_u128(7), Bincode);
    auto(url::Url::parse("https://a.example/b?c").unwrap(), Bincode);
    auto(
        chrono::DateTime::from_timestamp(1_700_000_000, 123_456_789).unwrap(),
        Bincode,
    );
    auto(
        chrono::NaiveDate::from_ymd_opt(2024, 2, 29).unwrap(),
        Bincode,
    );
    auto("10.0.0.1".parse::<IpAddr>().unwrap(), Bincode);
    auto("[::1]:443".parse::<SocketAddr>().unwrap(), Bincode);
    auto(rust_decimal::Decimal::new(12345, 2), MsgPack);
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
    Struct { x: u8, y: Option<u8> },
    Addr(Vec<IpAddr>),
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
#[serde(tag = "kind")]
enum Internal {
    Unit,
    Struct { x: u8, at: IpAddr },
    Newtype(Inner),
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
#[serde(tag = "kind", content = "data")]
enum Adjacent {
    Unit,
    Newtype(u64),
    Tuple(u8, String),
    Struct { id: uuid::Uuid },
}

#[test]
fn tagged_and_untagged_enums_go_by_name() {
    auto(Untagged::Number(-3), MsgPack);
    auto(Untagged::Text("3".into()), MsgPack);
    auto(Untagged::Struct { x: 1, y: None }, MsgPack);
    auto(Untagged::Addr(vec!["::1".parse().unwrap()]), MsgPack);
    auto(Internal::Unit, MsgPack);
    auto(
        Internal::Struct {
            x: 3,
            at: "10.0.0.1".parse().unwrap(),
        },
        MsgPack,
    );
    auto(
        Internal::Newtype(Inner {
            a: 1,
            b: "b".into(),
        }),
        MsgPack,
    );
    for value in [
        Adjacent::Unit,
        Adjacent::Newtype(u64::MAX),
        Adjacent::Tuple(1, "t".into()),
        Adjacent::Struct {
            id: uuid::Uuid::from_u128(9),
        },
    ] {
        auto(value, MsgPack);
    }
    auto(vec![(1_u8, Internal::Unit)], MsgPack);
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct FlatStruct {
    id: u64,
    #[serde(flatten)]
    inner: Inner,
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct FlatMap {
    id: u64,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

#[test]
fn flattened_structs_go_by_name() {
    auto(
        FlatStruct {
            id: 1,
            inner: Inner {
                a: 2,
                b: "b".into(),
            },
        },
        MsgPack,
    );
    let rest = BTreeMap::from([("x".to_owned(), serde_json::json!([1, 2.5, "s", true]))]);
    auto(FlatMap { id: 1, rest }, MsgPack);
}

#[test]
fn json_values_go_by_name() {
    auto(
        serde_json::json!({"a": [1, -2, 1.5, null, {"b": "c"}], "d": u64::MAX}),
        MsgPack,
    );
    auto(vec![serde_json::Value::Null], MsgPack);
}

fn is_zero(value: &u8) -> bool {
    *value == 0
}

#[derive(Serialize, Deserialize, Debug, PartialEq, Default)]
#[serde(default)]
struct Skipping {
    #[serde(skip_serializing_if = "is_zero")]
    a: u8,
    b: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    c: Option<String>,
}

/// By position this reads back as `({a: 5, b: 1}, None)`, without an error.
#[test]
fn skip_serializing_if_goes_by_name() {
    auto(
        (
            Skipping {
                a: 0,
                b: 5,
                c: None,
            },
            Some(0_u8),
        ),
        MsgPack,
    );
}

#[test]
fn a_skipped_field_is_remembered_for_the_type() {
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Own(Skipping);
    let full = Own(Skipping {
        a: 1,
        b: 2,
        c: Some("c".into()),
    });
    assert_eq!(schema::<Own>(CodecChoice::Auto, 0).codec, Bincode);
    assert_eq!(carried(CodecChoice::Auto, &full), Bincode);
    assert_eq!(
        carried(CodecChoice::Auto, &Own(Skipping::default())),
        MsgPack
    );
    assert_eq!(schema::<Own>(CodecChoice::Auto, 0).codec, MsgPack);
    assert_eq!(carried(CodecChoice::Auto, &full), MsgPack);
    // Asked for by name, it is used where it is right and refused elsewhere.
    assert_eq!(carried(CodecChoice::Bincode, &full), Bincode);
    let refused = written(CodecChoice::Bincode, &Own(Skipping::default()));
    assert!(
        matches!(refused, Err(EncodeError::Unsupported(_))),
        "{refused:?}"
    );
}

#[test]
fn nested_options_go_by_bincode_or_not_at_all() {
    auto(Some(Option::<u8>::None), Bincode);
    auto(Some(Some(Some(3_u8))), Bincode);
    auto(Some(()), Bincode);
    auto(vec![Some(None), None, Some(Some(1_u8))], Bincode);
    for (wrong, right) in [(Some(None::<u8>), Some(Some(1))), (Some(None), None)] {
        let refused = written(CodecChoice::MsgPack, &wrong);
        assert!(
            matches!(refused, Err(EncodeError::Unsupported(_))),
            "{refused:?}"
        );
        assert_eq!(carried(CodecChoice::MsgPack, &right), MsgPack);
    }
}

/// Neither codec has room for this value: by position the field is missing, by
/// name the inner `None` is lost.
#[test]
fn what_no_codec_carries_is_refused() {
    #[derive(Serialize, Deserialize, Debug, PartialEq, Default)]
    struct Both {
        #[serde(default, skip_serializing_if = "is_zero")]
        a: u8,
        b: Option<Option<u8>>,
    }
    let refused = written(
        CodecChoice::Auto,
        &Both {
            a: 0,
            b: Some(None),
        },
    );
    assert!(
        matches!(refused, Err(EncodeError::Unsupported(_))),
        "{refused:?}"
    );
    // The same type's other values are stored.
    assert_eq!(
        carried(
            CodecChoice::Auto,
            &Both {
                a: 0,
                b: Some(Some(1))
            }
        ),
        MsgPack
    );
    assert_eq!(
        carried(
            CodecChoice::Auto,
            &Both {
                a: 1,
                b: Some(None)
            }
        ),
        Bincode
    );

    let null_inside = Some(serde_json::Value::Null);
    let refused = written(CodecChoice::Auto, &null_inside);
    assert!(
        matches!(refused, Err(EncodeError::Unsupported(_))),
        "{refused:?}"
    );
    never_wrong(&null_inside);
}

/// Written under names that nothing reads: an error at once, not a miss for ever.
#[test]
fn a_type_that_cannot_read_itself_is_refused() {
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Torn {
        #[serde(rename(serialize = "one", deserialize = "other"))]
        a: u8,
    }
    assert_eq!(
        written(CodecChoice::MsgPack, &Torn { a: 1 }).unwrap_err(),
        EncodeError::Unreadable
    );
    never_wrong(&Torn { a: 1 });
}

#[test]
fn two_naming_conventions_are_the_same_fields() {
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    #[serde(rename_all(serialize = "camelCase", deserialize = "snake_case"))]
    struct Upstream {
        user_id: u64,
        display_name: String,
    }
    auto(
        Upstream {
            user_id: 7,
            display_name: "x".into(),
        },
        Bincode,
    );
}

/// One field is only written, another only read: by position one would be taken
/// for the other.
#[test]
fn a_written_and_a_read_field_are_not_confused() {
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Crossed {
        #[serde(skip_serializing, default)]
        secret: u32,
        #[serde(skip_deserializing)]
        computed: u32,
    }
    let (codec, bytes) = written(
        CodecChoice::Auto,
        &Crossed {
            secret: 0,
            computed: 9,
        },
    )
    .unwrap();
    assert_eq!(codec, MsgPack);
    assert_eq!(
        decode::<Crossed>(codec, &bytes).unwrap(),
        Crossed {
            secret: 0,
            computed: 0
        }
    );
}

/// `Serialize` counts a skipped variant, `Deserialize` does not: by position
/// `B` is read as `C`.
#[test]
fn a_skipped_variant_does_not_shift_the_others() {
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    enum Shifted {
        #[serde(skip)]
        #[allow(dead_code, reason = "it is there to be skipped")]
        A,
        B,
        C,
    }
    auto(Shifted::B, MsgPack);
    auto(Shifted::C, MsgPack);
}

#[test]
fn asymmetric_functions_do_not_shift_fields() {
    fn as_text<S: serde::Serializer>(value: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }
    fn lenient<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Symmetric {
        #[serde(serialize_with = "as_text", deserialize_with = "lenient")]
        n: u32,
        m: u8,
    }
    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Asymmetric {
        #[serde(serialize_with = "as_text")]
        n: u32,
        m: u8,
    }
    auto(Symmetric { n: 12, m: 1 }, Bincode);
    never_wrong(&Asymmetric { n: 12, m: 1 });
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Attributed {
    #[serde(rename = "r")]
    renamed: u8,
    #[serde(alias = "old", alias = "older")]
    aliased: u8,
    #[serde(skip)]
    skipped: u8,
    #[serde(default)]
    defaulted: Option<u8>,
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
}

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
#[serde(try_from = "String", into = "String")]
struct Email(String);

impl TryFrom<String> for Email {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.contains('@') {
            Ok(Self(text))
        } else {
            Err("no @")
        }
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum Other {
    Known,
    #[serde(other)]
    Unknown,
}

#[test]
fn attributes() {
    let value = Attributed {
        renamed: 1,
        aliased: 2,
        skipped: 0,
        defaulted: None,
        bytes: vec![1, 2],
    };
    auto(value, Bincode);
    auto(vec![Email("a@b.c".into())], Bincode);
    auto(Other::Unknown, Bincode);
    auto(Other::Known, Bincode);
}

#[cfg(feature = "json")]
#[test]
fn json_refuses_what_it_cannot_say() {
    use CodecChoice::Json;
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let refused = written(Json, &vec![Some(number)]);
        assert!(
            matches!(refused, Err(EncodeError::Unsupported(_))),
            "{refused:?}"
        );
    }
    assert!(matches!(
        written(Json, &f32::NAN),
        Err(EncodeError::Unsupported(_))
    ));
    assert!(written(Json, &HashMap::from([((1_u8, 2_u8), 3_u8)])).is_err());
    assert!(matches!(
        written(Json, &Some(Some(()))),
        Err(EncodeError::Unsupported(_))
    ));
    assert_eq!(
        carried(Json, &(0.1_f64 + 0.2, f32::MAX, -0.0_f64)),
        CodecId::Json
    );
    let (_, bytes) = written(
        Json,
        &Inner {
            a: 1,
            b: "b".into(),
        },
    )
    .unwrap();
    assert_eq!(bytes, br#"{"a":1,"b":"b"}"#);
}
