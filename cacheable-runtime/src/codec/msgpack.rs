//! `MessagePack` with field names, through `rmp-serde`.
//!
//! What `bincode` cannot carry goes here. Both sides call themselves human
//! readable: inside untagged, tagged and flattened types serde buffers values
//! and reads them back as if the format were, so an address written in its
//! binary form would never be read again.

use rmp_serde::{Deserializer, Serializer};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::checked::Checked;
use super::guarded::{Guarded, Limits};
use super::place::Rules;
use super::sink::Sink;
use super::{DECODE_DEPTH, DecodeError};

/// `false`: the cause is in `rules` or `out`, or the value's own.
pub(super) fn encode<T: Serialize>(value: &T, rules: &Rules<'_>, out: &mut Sink<'_>) -> bool {
    let mut serializer = Serializer::new(out).with_struct_map().with_human_readable();
    Checked::new(value, rules)
        .serialize(&mut serializer)
        .is_ok()
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut deserializer = Deserializer::new(bytes).with_human_readable();
    deserializer.set_max_depth(usize::from(DECODE_DEPTH));
    let limits = Limits::new(DECODE_DEPTH, bytes);
    let value = T::deserialize(Guarded::new(&mut deserializer, limits))
        .map_err(|_| DecodeError::Malformed)?;
    if deserializer.into_inner().is_empty() {
        Ok(value)
    } else {
        Err(DecodeError::Trailing)
    }
}
