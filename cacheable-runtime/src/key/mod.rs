//! Keys: what an entry is called in the store.
//!
//! A [`Key`] is a name that somebody chose; [`KeyWriter`] makes the name of a
//! call out of its arguments, or only the hash of that name.

mod containers;
mod serializer;
mod sink;
#[cfg(test)]
mod tests;
mod writer;

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::error::{Error, ErrorKind};

pub use writer::KeyWriter;

/// The longest key, in bytes, without the namespace.
pub(crate) const MAX_KEY: usize = 1024;

/// The name of an entry: what `redis-cli` shows, without the namespace.
///
/// Cloning copies a pointer. A key is not empty, has at most 1 024 bytes and
/// no control characters; anything else is allowed.
///
/// ```
/// use cacheable_runtime::Key;
///
/// let key = Key::new("api:users:123")?;
/// assert_eq!(key.as_str(), "api:users:123");
/// assert_eq!(key.to_string(), "api:users:123");
/// assert!(Key::new("").unwrap_err().to_string().contains("empty"));
/// # Ok::<(), cacheable_runtime::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// Checks `text` and makes it a key.
    ///
    /// ```
    /// use cacheable_runtime::{ErrorKind, Key};
    ///
    /// assert!(Key::new("report:2026").is_ok());
    /// assert_eq!(Key::new("two\nlines").unwrap_err().kind(), ErrorKind::Key);
    /// ```
    pub fn new(text: impl AsRef<str>) -> Result<Self, Error> {
        let text = text.as_ref();
        let problem = if text.is_empty() {
            "a key is empty: give the entry a name".to_owned()
        } else if text.len() > MAX_KEY {
            format!(
                "a key of {} bytes is over the limit of {MAX_KEY}: put a digest of the long part into it",
                text.len()
            )
        } else if let Some(control) = text.chars().find(|c| c.is_control()) {
            format!("a key holds the control character {control:?}: encode it")
        } else {
            return Ok(Self(text.into()));
        };
        Err(Error::new(ErrorKind::Key, problem))
    }

    /// The key as text.
    ///
    /// ```
    /// # use cacheable_runtime::Key;
    /// assert_eq!(Key::new("a:b")?.as_str(), "a:b");
    /// # Ok::<(), cacheable_runtime::Error>(())
    /// ```
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl AsRef<str> for Key {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// What can stand where a [`Key`] is asked for: text, or a key.
///
/// ```
/// use cacheable_runtime::{IntoKey, Key};
///
/// fn name(key: impl IntoKey) -> Result<String, cacheable_runtime::Error> {
///     Ok(key.into_key()?.to_string())
/// }
/// assert_eq!(name("a:1")?, "a:1");
/// assert_eq!(name(format!("a:{}", 2))?, "a:2");
/// assert_eq!(name(&Key::new("a:3")?)?, "a:3");
/// # Ok::<(), cacheable_runtime::Error>(())
/// ```
pub trait IntoKey {
    /// Makes the key, or says why this cannot be one.
    ///
    /// ```
    /// use cacheable_runtime::IntoKey;
    /// assert_eq!("a:1".into_key()?.as_str(), "a:1");
    /// # Ok::<(), cacheable_runtime::Error>(())
    /// ```
    fn into_key(self) -> Result<Key, Error>;
}

impl IntoKey for &str {
    fn into_key(self) -> Result<Key, Error> {
        Key::new(self)
    }
}

impl IntoKey for String {
    fn into_key(self) -> Result<Key, Error> {
        Key::new(self)
    }
}

impl IntoKey for &String {
    fn into_key(self) -> Result<Key, Error> {
        Key::new(self)
    }
}

impl IntoKey for Key {
    fn into_key(self) -> Result<Key, Error> {
        Ok(self)
    }
}

impl IntoKey for &Key {
    fn into_key(self) -> Result<Key, Error> {
        Ok(self.clone())
    }
}
