//! Names that many entries can be removed by at once.

use std::fmt;

use crate::error::Error;
use crate::key::KeyWriter;

/// Collects the tags of one entry.
#[derive(Default)]
pub struct Tags {
    names: Vec<String>,
    /// The first that could not be made.
    refused: Option<Error>,
}

impl Tags {
    /// Adds a tag.
    pub fn tag(&mut self, text: impl FnOnce(&mut KeyWriter)) -> &mut Self {
        let mut writer = KeyWriter::text("");
        text(&mut writer);
        match writer.finish_text() {
            Ok(name) if !self.names.contains(&name) => self.names.push(name),
            Ok(_) => {}
            Err(error) => self.refused = self.refused.take().or(Some(error)),
        }
        self
    }

    /// The names, or why one of them cannot be one.
    pub(crate) fn finish(self) -> Result<Vec<String>, Error> {
        self.refused.map_or(Ok(self.names), Err)
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.names).finish()
    }
}

/// For a method without `unless`.
pub fn keep_all<T: ?Sized>(_: &T) -> bool {
    false
}

/// For a method without tags that come from the value.
pub fn no_tags<T: ?Sized>(_: &T, _: &mut Tags) {}

/// For a method without `load_timeout`.
pub fn never_late<R>() -> R {
    unreachable!("only a method with `load_timeout` can be late")
}
