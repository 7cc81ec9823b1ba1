//! `MessagePack` with field names, written through `rmp-serde`.
//!
//! What `bincode` cannot carry goes here. Both sides call themselves human
//! readable: inside untagged, tagged and flattened types serde buffers values
//! and reads them back as if the format were, so an address written in its
//! binary form would never be read again.
//!
//! It is read by a decoder of our own, which takes what that of `rmp-serde`
//! takes. Theirs is compiled anew for every visitor, and a struct has two: it
//! was a quarter of all code of a program with many types. Ours reads the next token
//! in [`read`], which is compiled once, and keeps the limits that untrusted bytes
//! call for by itself, so nothing has to be wrapped around it. Where the
//! two differ is in `tests/msgpack/differences.rs`.

mod de;
mod parts;
mod read;

use rmp_serde::Serializer;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::checked::Checked;
use super::place::Rules;
use super::sink::Sink;
use super::{DECODE_DEPTH, DecodeError};
use de::Decoder;
use read::Reader;

/// `false`: the cause is in `rules` or `out`, or the value's own.
pub(super) fn encode<T: Serialize>(value: &T, rules: &Rules<'_>, out: &mut Sink<'_>) -> bool {
    let mut serializer = Serializer::new(out).with_struct_map().with_human_readable();
    Checked::new(value, rules)
        .serialize(&mut serializer)
        .is_ok()
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut reader = Reader::new(bytes);
    match T::deserialize(Decoder::new(&mut reader, DECODE_DEPTH)) {
        Ok(value) if reader.is_at_end() => Ok(value),
        Ok(_) => Err(DecodeError::Trailing),
        Err(_) => Err(DecodeError::Malformed),
    }
}
