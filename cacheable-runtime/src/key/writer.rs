//! The identity of one call, as text or as a hash.

use std::any::type_name;
use std::fmt;

use serde::Serialize;

use super::MAX_KEY;
use super::serializer::{Failure, ValueSerializer};
use super::sink::{self, Hashing, Sink};
use crate::error::{Error, ErrorKind};

/// One value's text is cut to a digest beyond this many bytes.
const MAX_VALUE: usize = 200;

/// `:#` and 32 hexadecimal digits: what takes the place of a tail that is too long.
const DIGEST_ROOM: usize = 34;

/// Collects what tells one call from another.
///
/// The same code fills two sinks. The text sink makes the name of the entry,
/// the hash sink 128 bits that differ whenever the text does; a hit on the
/// local level needs only those, and gets them without building a string.
///
/// Two values have the same text exactly if they are the same value of serde's
/// data model, where
/// - integers of any width are one type, floats of both widths are another,
///   and a `char` is a string of one character;
/// - a newtype struct is its content, a tuple or tuple struct a sequence, a
///   struct the map of its fields, and the order within a map is nothing;
/// - a tuple variant of one field is a newtype variant, and all NaN are one.
///
/// No value's text holds `:`, white space, a control character or anything
/// that a pattern gives a meaning to. So a placeholder in a pattern stands for
/// one value only, and `:` between two values keeps them apart.
#[doc(hidden)]
pub struct KeyWriter {
    sink: Sink,
    /// Where the text may be cut when it grows too long: always between values.
    cut: usize,
    failure: Option<String>,
}

impl KeyWriter {
    /// Builds text that starts with `start`, such as `cache:project:get_project`.
    pub(crate) fn text(start: &str) -> Self {
        let mut text = String::with_capacity(start.len() + 64);
        text.push_str(start);
        Self {
            cut: text.len(),
            sink: Sink::Text(text),
            failure: None,
        }
    }

    /// Builds a hash; `seed` should be secret, so that nobody can aim for collisions.
    #[inline]
    pub(crate) fn hash(seed: [u64; 2]) -> Self {
        Self {
            sink: Sink::Hash(Hashing::new(seed)),
            cut: 0,
            failure: None,
        }
    }

    /// Adds an argument: `:` and its value.
    #[inline]
    pub fn arg<T: KeyPart + ?Sized>(&mut self, value: &T) -> &mut Self {
        if let Sink::Text(_) = self.sink {
            self.literal(":");
        }
        self.serialize(value);
        self
    }

    /// Adds a value alone: a placeholder of a key template or a pattern.
    pub fn value<T: KeyPart + ?Sized>(&mut self, value: &T) -> &mut Self {
        self.boundary();
        self.serialize(value);
        self
    }

    /// Adds text of a key template or pattern as it is.
    ///
    /// The same site always adds the same literals, so a hash has no need of them.
    pub fn literal(&mut self, literal: &str) -> &mut Self {
        self.boundary();
        if let Sink::Text(text) = &mut self.sink {
            text.push_str(literal);
        }
        self
    }

    /// Adds a generic parameter of the function: `:<name of the type>`.
    pub fn type_arg<T: ?Sized>(&mut self) -> &mut Self {
        self.boundary();
        match &mut self.sink {
            Sink::Text(text) => {
                text.push_str(":<");
                let start = text.len();
                sink::escape(text, type_name::<T>());
                shorten(text, start);
                text.push('>');
            }
            Sink::Hash(hash) => hash.type_name(type_name::<T>()),
        }
        self
    }

    /// The name of the entry, at most 1 024 bytes.
    ///
    /// What goes beyond is replaced by a digest of the whole text, from the
    /// last place between two values on: keys stay different, and a pattern
    /// that names the values before that place still matches. One that names
    /// later values does not.
    pub(crate) fn finish_text(self) -> Result<String, Error> {
        let cut = self.cut;
        let mut text = self.finish_pattern()?;
        if text.len() > MAX_KEY {
            if cut + DIGEST_ROOM > MAX_KEY {
                return Err(Error::new(
                    ErrorKind::Key,
                    "the prefix and method of a key leave no room for its arguments: shorten `key_prefix`",
                ));
            }
            let digest = sink::digest(&text);
            text.truncate(cut);
            if !text.ends_with(':') {
                text.push(':');
            }
            text.push_str(&digest);
        }
        Ok(text)
    }

    /// The text of a pattern: as long as it is, since a digest would match nothing.
    pub(crate) fn finish_pattern(self) -> Result<String, Error> {
        match (self.failure, self.sink) {
            (Some(failure), _) => Err(unserializable(&failure)),
            (None, Sink::Text(text)) => Ok(text),
            (None, Sink::Hash(_)) => unreachable!("`finish_hash` belongs to this writer"),
        }
    }

    /// 128 bits that are equal for the same arguments, and for no others that anybody will meet.
    #[inline]
    pub(crate) fn finish_hash(&self) -> Result<u128, Error> {
        match (&self.failure, &self.sink) {
            (Some(failure), _) => Err(unserializable(failure)),
            (None, Sink::Hash(hash)) => Ok(hash.finish()),
            (None, Sink::Text(_)) => unreachable!("`finish_text` belongs to this writer"),
        }
    }

    fn boundary(&mut self) {
        if let Sink::Text(text) = &self.sink
            && text.len() + DIGEST_ROOM <= MAX_KEY
        {
            self.cut = text.len();
        }
    }

    #[inline]
    fn serialize<T: Serialize + ?Sized>(&mut self, value: &T) {
        let start = match &self.sink {
            Sink::Text(text) => text.len(),
            Sink::Hash(_) => 0,
        };
        if let Err(failure) = value.serialize(ValueSerializer(&mut self.sink)) {
            self.fail(failure);
        }
        if let Sink::Text(text) = &mut self.sink {
            shorten(text, start);
        }
    }

    #[cold]
    fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure.0);
    }
}

/// What can be part of a key: whatever serializes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be part of a key",
    label = "this is part of the key, and is not `Serialize`",
    note = "leave it out with `skip(..)` if the result does not depend on it, or write what of it matters as `key = \"{{argument.id}}\"`",
    note = "write `#[derive(serde::Serialize)]` on its type to have all of it in the key"
)]
pub trait KeyPart: Serialize {}
#[diagnostic::do_not_recommend]
impl<T: Serialize + ?Sized> KeyPart for T {}

impl fmt::Debug for KeyWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("KeyWriter");
        if let Sink::Text(text) = &self.sink {
            debug.field("text", text);
        }
        debug
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

fn shorten(text: &mut String, start: usize) {
    if text.len() - start > MAX_VALUE {
        let digest = sink::digest(&text[start..]);
        text.truncate(start);
        text.push_str(&digest);
    }
}

fn unserializable(failure: &str) -> Error {
    Error::new(
        ErrorKind::Key,
        format!("an argument cannot be part of a key: {failure}"),
    )
}
