//! Bytes that nobody wrote: each decoder answers with an error or with some
//! value of the type, in bounded time and memory, and never with a panic.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::*;

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
struct Zoo {
    id: u64,
    small: i8,
    name: String,
    flag: bool,
    letter: char,
    ratio: f64,
    list: Vec<Option<u32>>,
    map: BTreeMap<String, (u16, Kind)>,
    set: HashSet<u8>,
    bytes: serde_bytes::ByteBuf,
    next: Option<Box<Zoo>>,
    at: std::net::IpAddr,
    id128: uuid::Uuid,
}

#[derive(Serialize, Deserialize, Debug, PartialEq, Clone)]
enum Kind {
    Unit,
    New(Box<Kind>),
    Tuple(u8, String),
    Struct { a: Vec<Kind> },
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
enum Chain {
    End,
    Link(Box<Chain>),
}

#[derive(Serialize, Deserialize, Debug, PartialEq)]
#[serde(untagged)]
enum Loose {
    Number(u64),
    List(Vec<Loose>),
    Map(HashMap<String, Loose>),
    Text(String),
}

fn zoo() -> Zoo {
    let inner = Kind::Struct {
        a: vec![Kind::Unit, Kind::New(Box::new(Kind::Unit))],
    };
    let mut zoo = Zoo {
        id: 1 << 40,
        small: -3,
        name: "näme".into(),
        flag: true,
        letter: '€',
        ratio: 0.1,
        list: vec![Some(70_000), None],
        map: BTreeMap::from([
            ("k".into(), (300, Kind::Tuple(1, "t".into()))),
            ("l".into(), (1, inner)),
        ]),
        set: HashSet::from([7]),
        bytes: vec![0, 1, 255].into(),
        next: None,
        at: "::1".parse().unwrap(),
        id128: uuid::Uuid::from_u128(5),
    };
    zoo.next = Some(Box::new(zoo.clone()));
    zoo
}

fn codecs() -> Vec<CodecId> {
    let mut codecs: Vec<CodecId> = choices()
        .into_iter()
        .filter_map(|choice| Some(written(choice, &zoo()).ok()?.0))
        .collect();
    codecs.dedup();
    codecs
}

#[track_caller]
fn survives<T: DeserializeOwned>(codec: CodecId, bytes: &[u8]) -> Result<T, DecodeError> {
    let result = decode(codec, bytes);
    assert_ne!(
        result.as_ref().err(),
        Some(&DecodeError::Panicked),
        "{codec}: {bytes:02x?}"
    );
    result
}

fn survive_all(bytes: &[u8]) {
    for codec in codecs() {
        let _ = survives::<Zoo>(codec, bytes);
        let _ = survives::<Chain>(codec, bytes);
        let _ = survives::<Loose>(codec, bytes);
        let _ = survives::<Vec<(String, Vec<u64>)>>(codec, bytes);
    }
}

#[test]
fn noise_is_survived() {
    let mut noise = Noise(4);
    for _ in 0..4_000 {
        survive_all(&noise.bytes(120, 256));
        // Small bytes are what lengths, tags and variants are made of.
        survive_all(&noise.bytes(120, 8));
    }
}

#[test]
fn damaged_values_are_survived() {
    let mut noise = Noise(5);
    for choice in choices() {
        let (codec, whole) = written(choice, &zoo()).unwrap();
        for cut in 0..whole.len() {
            assert!(
                survives::<Zoo>(codec, &whole[..cut]).is_err(),
                "{codec} cut at {cut}"
            );
        }
        for _ in 0..5_000 {
            let mut damaged = whole.clone();
            for _ in 0..=noise.below(4) {
                damaged[noise.below(whole.len())] = noise.next() as u8;
            }
            let _ = survives::<Zoo>(codec, &damaged);
        }
    }
}

#[test]
fn a_value_and_more_is_not_a_value() {
    for choice in choices() {
        let (codec, mut bytes) = written(choice, &zoo()).unwrap();
        assert_eq!(survives(codec, &bytes), Ok(zoo()));
        bytes.push(b'1');
        assert_eq!(survives::<Zoo>(codec, &bytes), Err(DecodeError::Trailing));
    }
}

/// Without a bound each of these takes the process with it.
#[test]
fn bottomless_nesting_is_an_error() {
    let deep = 1 << 20;
    assert!(survives::<Chain>(CodecId::Bincode, &vec![1; deep]).is_err());
    assert!(survives::<Kind>(CodecId::Bincode, &vec![1; deep]).is_err());
    // {"Link": {"Link": …
    let link = [0x81, 0xA4, b'L', b'i', b'n', b'k'];
    assert!(survives::<Chain>(CodecId::MsgPack, &link.repeat(deep / 6)).is_err());
    assert!(survives::<Loose>(CodecId::MsgPack, &vec![0x91; deep]).is_err());
    assert!(survives::<serde_json::Value>(CodecId::MsgPack, &vec![0x91; deep]).is_err());
    assert!(survives::<serde::de::IgnoredAny>(CodecId::MsgPack, &vec![0x91; deep]).is_err());
    #[cfg(feature = "json")]
    {
        assert!(survives::<Chain>(CodecId::Json, &b"{\"Link\":".repeat(deep / 8)).is_err());
        assert!(survives::<Loose>(CodecId::Json, &vec![b'['; deep]).is_err());
    }
}

/// A length that the bytes do not hold is refused before memory is reserved
/// for it or elements are counted through.
#[test]
fn huge_lengths_are_errors_at_once() {
    let started = Instant::now();
    for length in [1 << 31, 1 << 40, (1 << 62) - 1, u64::MAX] {
        let mut bytes = vec![253];
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&[1, 2, 3]);
        assert!(survives::<String>(CodecId::Bincode, &bytes).is_err());
        assert!(survives::<serde_bytes::ByteBuf>(CodecId::Bincode, &bytes).is_err());
        assert!(survives::<Vec<u64>>(CodecId::Bincode, &bytes).is_err());
        assert!(survives::<Vec<()>>(CodecId::Bincode, &bytes).is_err());
        assert!(survives::<HashMap<String, [u64; 32]>>(CodecId::Bincode, &bytes).is_err());
        assert!(survives::<BTreeMap<(), ()>>(CodecId::Bincode, &bytes).is_err());
    }
    for head in [0xDD, 0xDF, 0xC6, 0xDB] {
        let bytes = [head, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3];
        survive_all(&bytes);
        assert!(survives::<String>(CodecId::MsgPack, &bytes).is_err());
        assert!(survives::<serde_bytes::ByteBuf>(CodecId::MsgPack, &bytes).is_err());
        assert!(survives::<Vec<u64>>(CodecId::MsgPack, &bytes).is_err());
        assert!(survives::<HashMap<u8, u8>>(CodecId::MsgPack, &bytes).is_err());
    }
    // Counting to 2^31 alone takes longer than that in a debug build.
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_panic_in_a_type_is_an_error() {
    #[derive(Deserialize, Debug, PartialEq)]
    #[serde(from = "u8")]
    struct Picky;
    impl From<u8> for Picky {
        fn from(value: u8) -> Self {
            assert_ne!(value, 9, "picky");
            Self
        }
    }
    assert_eq!(decode::<Picky>(CodecId::Bincode, &[8]), Ok(Picky));
    assert_eq!(
        decode::<Picky>(CodecId::Bincode, &[9]),
        Err(DecodeError::Panicked)
    );
}

/// Each head of an array claims all that is left. A type that makes up for an error
/// goes on behind it, at every level.
#[test]
fn a_type_that_swallows_errors_is_not_asked_for_ever() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    struct Lenient(#[expect(dead_code, reason = "it is only read")] Vec<Lenient>);
    impl<'de> Deserialize<'de> for Lenient {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            ASKED.fetch_add(1, Ordering::Relaxed);
            Ok(Self(Vec::deserialize(from).unwrap_or_default()))
        }
    }
    let len: usize = 10_000;
    let mut bytes = Vec::new();
    while bytes.len() < len {
        let left = len.saturating_sub(bytes.len() + 5) as u32;
        bytes.push(0xDD);
        bytes.extend_from_slice(&left.to_be_bytes());
    }
    drop(decode::<Lenient>(CodecId::MsgPack, &bytes));
    // Once for each byte at each level at most.
    let most = bytes.len() * usize::from(DECODE_DEPTH);
    let asked = ASKED.load(Ordering::Relaxed);
    assert!((1..=most).contains(&asked), "{asked}");
}
