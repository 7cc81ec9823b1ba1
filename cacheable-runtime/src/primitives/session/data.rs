//! The data of a session, as bytes: `MessagePack` with the names of fields, so
//! that programs of two versions can share a session.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::merge::merged;
use crate::codec::{self, CodecChoice, CodecId, EncodeError};
use crate::error::{Error, ErrorKind};

/// What can be kept in a session: data that can be written and read again,
/// with owned fields.
///
/// Every such type has this trait.
pub trait SessionData: Serialize + DeserializeOwned + 'static {}

impl<D: Serialize + DeserializeOwned + 'static> SessionData for D {}

pub(super) fn encode<D: SessionData>(data: &D, most: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let schema = codec::schema::<D>(CodecChoice::MsgPack, 0);
    match codec::encode(&schema, data, most, &mut bytes) {
        Ok(_) => Ok(bytes),
        Err(EncodeError::TooLarge { limit }) => Err(too_large(limit)),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn decode<D: SessionData>(bytes: &[u8]) -> Result<D, Error> {
    codec::decode(CodecId::MsgPack, bytes).map_err(|error| {
        Error::new(
            ErrorKind::Codec,
            format!(
                "the data of the session cannot be read: {error}; was it written as another type?"
            ),
        )
    })
}

/// The bytes of `data`, with what `stored` has that the type of `data` does
/// not know.
pub(super) fn encode_over<D: SessionData>(
    data: &D,
    stored: &[u8],
    most: usize,
) -> Result<Vec<u8>, Error> {
    let new = encode(data, most)?;
    if new == stored {
        return Ok(new);
    }
    // What the type makes of what is stored: all that it knows.
    let known = decode::<D>(stored).and_then(|data| encode(&data, usize::MAX));
    let Ok(known) = known else {
        return Ok(new);
    };
    if known == stored {
        return Ok(new);
    }
    match merged(stored, &known, &new) {
        // A field of two names (`serde(alias)`) must not be there twice.
        Some(merged) if decode::<D>(&merged).is_ok() => {
            if merged.len() > most {
                return Err(too_large(most));
            }
            Ok(merged)
        }
        _ => Ok(new),
    }
}

fn too_large(most: usize) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!(
            "the data of the session takes more than {most} bytes: keep less in it, or write a \
             larger `max_size`"
        ),
    )
}
