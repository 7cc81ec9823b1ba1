//! Cached, coherent async service methods by writing one attribute.

mod codec;
mod error;
mod key;
mod pattern;

pub use error::{Error, ErrorKind};
#[doc(hidden)]
pub use key::KeyWriter;
pub use key::{IntoKey, Key};
pub use pattern::{IntoPattern, Pattern};
