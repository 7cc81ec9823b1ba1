//! `None` and `Err` where only the running program knows of them.
//!
//! In generic code, and behind a handle, a value's type is a parameter, and
//! nothing says that it can be absent or an error. Its name and its first byte
//! do: bincode writes which variant it is before all else.

use std::any::type_name;

use serde::de::DeserializeOwned;

use super::place::Rules;
use super::sink::Sink;
use super::{CodecId, Encodable, catch_panic};

/// What a value turns out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hidden {
    Value,
    None,
    Err,
}

const NONE: u8 = 0;
const ERR: u8 = 1;

/// Whether `value` is a `None` or an `Err`.
pub(crate) fn hidden(value: &dyn Encodable) -> Hidden {
    let name = value.type_name();
    if is_option(name) && first_byte(value) == Some(NONE) {
        Hidden::None
    } else if is_result(name) && first_byte(value) == Some(ERR) {
        Hidden::Err
    } else {
        Hidden::Value
    }
}

/// `None`, if `T` is an `Option`.
pub(crate) fn none<T: DeserializeOwned>() -> Option<T> {
    if is_option(type_name::<T>()) {
        super::decode(CodecId::Bincode, &[NONE]).ok()
    } else {
        None
    }
}

fn is_option(name: &str) -> bool {
    name.starts_with("core::option::Option<")
}

fn is_result(name: &str) -> bool {
    name.starts_with("core::result::Result<")
}

fn first_byte(value: &dyn Encodable) -> Option<u8> {
    // Everything behind the first byte is an error, and is not wanted. The
    // encoder is the one that entries are written with, so that nothing is
    // compiled for this alone.
    let mut first = Vec::new();
    catch_panic(&mut || {
        let mut sink = Sink::new(&mut first, 1);
        value.encode(CodecId::Bincode, &Rules::none(), &mut sink);
    });
    first.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_none_is_one() {
        assert_eq!(hidden(&None::<String>), Hidden::None);
        assert_eq!(hidden(&None::<Option<u8>>), Hidden::None);
        assert_eq!(hidden(&Some(String::new())), Hidden::Value);
        assert_eq!(hidden(&Some(0_u8)), Hidden::Value);
        assert_eq!(hidden(&Some(None::<u8>)), Hidden::Value);
        assert_eq!(hidden(&Some(())), Hidden::Value);
        assert_eq!(hidden(&0_u8), Hidden::Value);
        assert_eq!(hidden(&()), Hidden::Value);
    }

    #[test]
    fn a_value_that_panics_is_a_value() {
        struct Panics;
        impl serde::Serialize for Panics {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                panic!("not now")
            }
        }
        assert_eq!(hidden(&Some(Panics)), Hidden::Value);
        assert_eq!(hidden(&Ok::<_, ()>(Panics)), Hidden::Value);
    }

    #[test]
    fn only_an_err_is_one() {
        assert_eq!(hidden(&Err::<u8, _>(1_u8)), Hidden::Err);
        assert_eq!(hidden(&Ok::<_, u8>(1_u8)), Hidden::Value);
        assert_eq!(hidden(&1_u8), Hidden::Value);
    }

    #[test]
    fn only_an_option_has_a_none() {
        assert_eq!(none::<Option<String>>(), Some(None));
        assert_eq!(none::<Option<serde_json::Value>>(), Some(None));
        assert_eq!(none::<u8>(), None);
        assert_eq!(none::<()>(), None);
    }
}
