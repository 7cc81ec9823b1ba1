//! JSON, for entries that programs in other languages read.
//!
//! JSON has no infinity and no NaN; `serde_json` would write `null` and read
//! back something else, so such a value is refused when it is encoded.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::checked::Checked;
use super::guarded::{Guarded, Limits};
use super::place::Rules;
use super::sink::Sink;
use super::{DECODE_DEPTH, DecodeError};

/// `false`: the cause is in `rules` or `out`, or the value's own.
pub(super) fn encode<T: Serialize>(value: &T, rules: &Rules<'_>, out: &mut Sink<'_>) -> bool {
    let mut serializer = serde_json::Serializer::new(out);
    Checked::new(value, rules)
        .serialize(&mut serializer)
        .is_ok()
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let limits = Limits::new(DECODE_DEPTH, bytes);
    let value = T::deserialize(Guarded::new(&mut deserializer, limits))
        .map_err(|_| DecodeError::Malformed)?;
    deserializer.end().map_err(|_| DecodeError::Trailing)?;
    Ok(value)
}
