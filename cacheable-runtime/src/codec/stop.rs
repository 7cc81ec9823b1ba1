//! The error of the deserializers that are ours.

use std::error::Error;
use std::fmt::{self, Display};

use serde::de;

/// Why a type's `Deserialize` ends early, which is for whoever began it to know:
/// what it says itself may hold a value. It is one type for all, since each
/// would have the methods of every visitor compiled anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stop;

impl de::Error for Stop {
    fn custom<M: Display>(_message: M) -> Self {
        Self
    }
}

impl Error for Stop {}

impl Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the type was not read to its end")
    }
}
