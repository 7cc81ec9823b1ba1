//! Names that users choose, as they stand in keys.

use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind};

/// A longer name is told by its hash.
const LONGEST: usize = 64;

/// The name in braces, which is what the slot of a cluster goes by: keys about
/// one name share it, and no name can choose another's.
///
/// A name that could not stand there as it is (it has braces or control
/// characters, or is long) is told by the first 128 bits of its SHA-256, behind
/// a `#`, as is every name that begins with one.
pub(super) fn tagged(name: &str) -> String {
    let plain = name.len() <= LONGEST
        && !name.starts_with('#')
        && !name.chars().any(|c| c.is_control() || c == '{' || c == '}');
    if plain && !name.is_empty() {
        format!("{{{name}}}")
    } else {
        let mut tagged = String::from("{#");
        append_digest(&mut tagged, name.as_bytes());
        tagged.push('}');
        tagged
    }
}

/// Appends the first 128 bits of the SHA-256, in hexadecimal.
pub(super) fn append_digest(text: &mut String, bytes: &[u8]) {
    append_hex(text, &Sha256::digest(bytes)[..16]);
}

/// Appends bytes in hexadecimal.
pub(super) fn append_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// Refuses a name that says nothing. `what`: `lock` and the like.
pub(super) fn check(what: &str, name: &str) -> Result<(), Error> {
    if name.is_empty() {
        return Err(Error::new(
            ErrorKind::Argument,
            format!(
                "the name of a {what} is empty: write what it is for, such as `import:job:123`"
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_name_stands_as_it_is_and_any_other_by_its_hash() {
        assert_eq!(tagged("import:job 1"), "{import:job 1}");
        for name in ["", "a{b", "a}b", "a\0b", "#a", &"x".repeat(65)] {
            let tagged = tagged(name);
            assert!(tagged.starts_with("{#") && tagged.len() == 35, "{tagged}");
            // What looks like a hash is not taken for one.
            let inside = &tagged[1..34];
            assert_ne!(super::tagged(inside), tagged);
        }
    }
}
