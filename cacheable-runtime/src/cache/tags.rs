//! Names that many entries can be removed by at once, and what the store calls
//! their markers.

use std::fmt;

use crate::error::{Error, ErrorKind};
use crate::key::KeyWriter;
use crate::pattern::Pattern;
use crate::remote::{PREFIX_MARKER, TAG_MARKER};

/// The longest tag, in bytes.
const MAX_TAG: usize = 512;

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
        match tag(text) {
            Ok(name) => add(&mut self.names, name),
            Err(error) => self.refused = self.refused.take().or(Some(error)),
        }
        self
    }

    /// These tags with the ones of the arguments before them, or why one of
    /// them cannot be one.
    pub(crate) fn finish(self, arguments: &[String]) -> Result<Vec<String>, Error> {
        if let Some(refused) = self.refused {
            return Err(refused);
        }
        let mut all = arguments.to_vec();
        for name in self.names {
            add(&mut all, name);
        }
        Ok(all)
    }
}

/// Adds a name unless it is there.
pub(crate) fn add(names: &mut Vec<String>, name: String) {
    if !names.contains(&name) {
        names.push(name);
    }
}

/// The tag that `text` writes.
pub(crate) fn tag(text: impl FnOnce(&mut KeyWriter)) -> Result<String, Error> {
    let mut writer = KeyWriter::text("");
    text(&mut writer);
    let name = writer.finish_text()?;
    check(&name)?;
    Ok(name)
}

/// Checks a tag that is given as text.
pub(crate) fn check(name: &str) -> Result<(), Error> {
    let why = if name.is_empty() {
        "it is empty"
    } else if name.len() > MAX_TAG {
        "it is longer than 512 bytes"
    } else if name.chars().any(char::is_control) {
        "it holds a control character"
    } else {
        return Ok(());
    };
    Err(Error::new(
        ErrorKind::Key,
        format!("a tag cannot be used: {why}; write one such as `team:7`"),
    ))
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.names).finish()
    }
}

/// What the store calls the marker of a tag. All markers of a namespace are in
/// one slot of a cluster.
pub(crate) fn marker_of_tag(namespace: &str, tag: &str) -> String {
    format!("{namespace}tag:{{{namespace}{TAG_MARKER}{tag}")
}

/// What the store calls the marker of all keys `cache:<prefix>:…`.
pub(crate) fn marker_of_prefix(namespace: &str, prefix: &str) -> String {
    format!("{namespace}tag:{{{namespace}{PREFIX_MARKER}{prefix}")
}

/// `project` of `cache:project:get_project:7`, without the namespace.
pub(crate) fn prefix_of(key: &str) -> Option<&str> {
    let (prefix, _) = key.strip_prefix("cache:")?.split_once(':')?;
    Some(prefix)
}

/// `project` of the pattern `cache:project:*`, which covers exactly the keys of
/// that prefix.
pub(crate) fn whole_prefix(pattern: &Pattern) -> Option<&str> {
    let prefix = pattern
        .as_str()
        .strip_prefix("cache:")?
        .strip_suffix(":*")?;
    let plain = !prefix.is_empty() && !prefix.contains(['*', '?', '[', ']', '\\', ':']);
    plain.then_some(prefix)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_prefix_is_told_from_other_patterns() {
        let of = |text: &str| whole_prefix(&Pattern::new(text).unwrap()).map(str::to_owned);
        assert_eq!(of("cache:project:*").as_deref(), Some("project"));
        for other in [
            "cache:project:get:*",
            "cache:pro*:*",
            "cache:*",
            "cache::*",
            "cache:project*",
            "cache:project:?",
            "other:project:*",
            r"cache:pro\:*",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn a_prefix_covers_what_its_pattern_covers() {
        for key in [
            "cache:project:get:7",
            "cache:project:",
            "cache:project",
            "cache:projects:get:7",
            "api:project:get",
        ] {
            let covered = Pattern::new("cache:project:*")
                .unwrap()
                .matches(key.as_bytes());
            assert_eq!(prefix_of(key) == Some("project"), covered, "{key}");
        }
    }

    #[test]
    fn markers_tell_tags_from_prefixes_and_namespaces() {
        assert_eq!(marker_of_tag("", "team:7"), "tag:{tag}:t:team:7");
        assert_eq!(marker_of_prefix("shop:", "p"), "shop:tag:{shop:tag}:p:p");
        assert!(crate::remote::marker_ends(&marker_of_tag("shop:", "a")));
        assert!(!crate::remote::marker_ends(&marker_of_prefix("shop:", "a")));
    }
}
