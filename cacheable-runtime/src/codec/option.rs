//! `None` where only the running program knows that the type is an `Option`.
//!
//! In generic code, and behind a handle, a value's type is a parameter, and
//! nothing says that it can be absent. Its name and its first byte do: bincode
//! writes an option's tag before all else.

use std::any::type_name;

use ::bincode::config;
use ::bincode::enc::write::Writer;
use ::bincode::error::EncodeError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::CodecId;

const NONE: u8 = 0;

fn is_option<T>() -> bool {
    type_name::<T>().starts_with("core::option::Option<")
}

/// Whether `value` is an `Option`, and `None`.
pub(crate) fn is_none<T: Serialize>(value: &T) -> bool {
    if !is_option::<T>() {
        return false;
    }
    let mut first = FirstByte(None);
    // Everything behind the first byte is an error, and is not wanted.
    drop(::bincode::serde::encode_into_writer(
        value,
        &mut first,
        config::standard(),
    ));
    first.0 == Some(NONE)
}

/// `None`, if `T` is an `Option`.
pub(crate) fn none<T: DeserializeOwned>() -> Option<T> {
    is_option::<T>().then(|| super::decode(CodecId::Bincode, &[NONE]).ok())?
}

struct FirstByte(Option<u8>);

impl Writer for FirstByte {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0 = self.0.or(bytes.first().copied());
        Err(EncodeError::UnexpectedEnd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_none_is_one() {
        assert!(is_none(&None::<String>));
        assert!(is_none(&None::<Option<u8>>));
        assert!(!is_none(&Some(String::new())));
        assert!(!is_none(&Some(0_u8)));
        assert!(!is_none(&Some(None::<u8>)));
        assert!(!is_none(&Some(())));
        assert!(!is_none(&0_u8));
        assert!(!is_none(&()));
    }

    #[test]
    fn only_an_option_has_a_none() {
        assert_eq!(none::<Option<String>>(), Some(None));
        assert_eq!(none::<Option<serde_json::Value>>(), Some(None));
        assert_eq!(none::<u8>(), None);
        assert_eq!(none::<()>(), None);
    }
}
