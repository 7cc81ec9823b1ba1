//! Cached, coherent async service methods by writing one attribute.

// Used by the engine.
#[cfg_attr(not(test), allow(dead_code))]
mod codec;
mod error;
mod key;
mod pattern;

#[doc(hidden)]
pub use codec::CodecChoice;
pub use codec::CodecId;
#[cfg(fuzzing)]
#[doc(hidden)]
pub use codec::fuzzing as __fuzz;
pub use error::{Error, ErrorKind};
