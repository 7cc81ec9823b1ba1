//! What the targets in `fuzz/` call; built by `cargo fuzz` alone.
#![allow(missing_docs, reason = "not part of the interface")]

use std::collections::BTreeMap;

use serde::Deserialize;

use super::envelope::{Opened, lease_bytes, open, reseal, seal};
use super::*;

const KEY: &[u8] = b"cache:project:get_project:7";
const LIMIT: usize = 1 << 24;

pub fn envelope(data: &[u8]) {
    check_open(data);
    // Most changes end at the checksum; past it is more to see.
    if data.len() >= 16 {
        let mut forged = data.to_vec();
        forged[..4].copy_from_slice(&[0xC1, b'c', b'v', 1]);
        reseal(KEY, &mut forged);
        check_open(&forged);
    }
}

fn check_open(bytes: &[u8]) {
    match open(KEY, bytes) {
        Ok(Opened::Value(header, payload)) => {
            assert_eq!(seal(KEY, &header, payload).as_deref(), Ok(bytes));
        }
        Ok(Opened::Lease(token)) => assert_eq!(lease_bytes(&token), bytes),
        Err(_) => {}
    }
}

pub fn bincode(data: &[u8]) {
    check_all(CodecId::Bincode, data);
}

pub fn msgpack(data: &[u8]) {
    check_all(CodecId::MsgPack, data);
}

pub fn json(data: &[u8]) {
    check_all(CodecId::Json, data);
}

fn check_all(codec: CodecId, data: &[u8]) {
    check::<Zoo>(codec, data);
    check::<Kind>(codec, data);
    check::<Loose>(codec, data);
    check::<Vec<(String, Vec<u64>)>>(codec, data);
    check::<(Option<Option<i32>>, BTreeMap<u8, char>, [f64; 2])>(codec, data);
}

fn check<T>(codec: CodecId, data: &[u8])
where
    T: Serialize + DeserializeOwned + fmt::Debug + 'static,
{
    let Ok(value) = decode::<T>(codec, data) else {
        return;
    };
    let choices = [
        CodecChoice::Auto,
        CodecChoice::Bincode,
        CodecChoice::MsgPack,
        CodecChoice::Json,
    ];
    for choice in choices {
        let mut out = Vec::new();
        // A value that was read may be refused; it may not come back changed.
        let Ok(codec) = encode(&schema::<T>(choice, 0), &value, LIMIT, &mut out) else {
            continue;
        };
        let back = decode::<T>(codec, &out).expect("what was written can be read");
        // Not by `==`, for which a NaN is not itself.
        assert_eq!(format!("{back:?}"), format!("{value:?}"), "{choice:?}");
    }
}

#[derive(Serialize, Deserialize, Debug)]
struct Zoo {
    id: u64,
    small: i8,
    wide: i128,
    name: String,
    flag: bool,
    letter: char,
    ratio: f64,
    single: f32,
    list: Vec<Option<u32>>,
    map: BTreeMap<String, (u16, Kind)>,
    next: Option<Box<Zoo>>,
    at: Option<std::net::IpAddr>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    unit: Option<()>,
}

#[derive(Serialize, Deserialize, Debug)]
enum Kind {
    Unit,
    New(Box<Kind>),
    Tuple(u8, String),
    Struct { a: Vec<Kind>, b: Option<Option<u8>> },
}

#[derive(Serialize, Deserialize, Debug)]
#[serde(untagged)]
enum Loose {
    Unsigned(u64),
    Signed(i64),
    Ratio(f64),
    Flag(bool),
    List(Vec<Loose>),
    Map(BTreeMap<String, Loose>),
    Text(String),
}
