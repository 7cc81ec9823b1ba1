//! `bincode` 2.0.1, standard configuration: compact, by position.
//!
//! Bytes say nothing about their type here, so they are written only when the
//! value proved to have the traced shape, and read only under a fingerprint
//! that matches.

use std::marker::PhantomData;

use ::bincode::config::{self, Configuration, Limit, LittleEndian, Varint};
use ::bincode::enc::write::Writer;
use ::bincode::error::EncodeError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::checked::Checked;
use super::guarded::{Guarded, Limits};
use super::place::Rules;
use super::sink::Sink;
use super::{DECODE_DEPTH, DecodeError};

/// The longest string that Redis holds. Without a limit `bincode` reserves what
/// the bytes claim, and the process ends there.
const LIMIT: usize = 512 << 20;

fn config() -> Configuration<LittleEndian, Varint, Limit<LIMIT>> {
    config::standard().with_limit::<LIMIT>()
}

/// `false`: the cause is in `rules` or `out`, or the value's own.
pub(super) fn encode<T: Serialize>(value: &T, rules: &Rules<'_>, out: &mut Sink<'_>) -> bool {
    ::bincode::serde::encode_into_writer(Checked::new(value, rules), out, config()).is_ok()
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let seed = Guarded::new(PhantomData::<T>, Limits::new(DECODE_DEPTH, bytes));
    match ::bincode::serde::seed_decode_from_slice(seed, bytes, config()) {
        Ok((value, used)) if used == bytes.len() => Ok(value),
        Ok(_) => Err(DecodeError::Trailing),
        Err(_) => Err(DecodeError::Malformed),
    }
}

impl Writer for Sink<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        if self.push(bytes) {
            Ok(())
        } else {
            Err(EncodeError::UnexpectedEnd)
        }
    }
}
