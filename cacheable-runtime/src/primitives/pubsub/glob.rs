//! Patterns as servers match them.

/// Whether a pattern matches a name, as `stringmatchlen` of Redis has it: `*`,
/// `?`, classes in brackets, and a backslash before what is meant as it is.
pub(super) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    // Where to go on after a `*`, with one more byte under it.
    let mut star: Option<(usize, usize)> = None;
    let (mut at, mut read) = (0, 0);
    loop {
        if at < pattern.len() && pattern[at] == b'*' {
            star = Some((at + 1, read));
            at += 1;
            continue;
        }
        if read == name.len() {
            // Only a `*` can match nothing.
            return at == pattern.len();
        }
        if let Some(length) = one(&pattern[at..], name[read]) {
            at += length;
            read += 1;
        } else if let Some((after, from)) = star {
            star = Some((after, from + 1));
            (at, read) = (after, from + 1);
        } else {
            return false;
        }
    }
}

/// How long the element at the start of the pattern is, if it matches a byte.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', class @ ..] => of_class(class, byte).map(|length| 1 + length),
        [b'\\', literal, ..] => (*literal == byte).then_some(2),
        [literal, ..] => (*literal == byte).then_some(1),
    }
}

/// The same for what follows a `[`. One that is not closed ends with the
/// pattern.
fn of_class(class: &[u8], byte: u8) -> Option<usize> {
    let negated = class.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        match class[at.min(class.len())..] {
            [] => break,
            [b'\\', literal, ..] => {
                found |= literal == byte;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            [from, b'-', to, ..] => {
                let range = from.min(to)..=from.max(to);
                found |= range.contains(&byte);
                at += 3;
            }
            [literal, ..] => {
                found |= literal == byte;
                at += 1;
            }
        }
    }
    (found != negated).then_some(at)
}

/// The text as a pattern that matches nothing else.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_as_on_a_server() {
        for (pattern, name, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a*", "a", true),
            ("a**b", "a-b-b", true),
            ("a*b", "a-b-c", false),
            ("*a*b*", "xxaxxbxx", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a[bc]d", "acd", true),
            ("a[^bc]d", "acd", false),
            ("a[^bc]d", "axd", true),
            ("a[b-d]", "ac", true),
            ("a[d-b]", "ac", true),
            ("a[b-d]", "ae", false),
            ("a[\\]x]", "a]", true),
            ("a[bc", "ac", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("a\\", "a\\", true),
            ("[]", "a", false),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = "a*".repeat(50);
        assert!(!matches(
            format!("{pattern}b").as_bytes(),
            "a".repeat(5000).as_bytes()
        ));
    }

    #[test]
    fn what_is_escaped_matches_itself_alone() {
        for text in ["a*b", "a?", "[x]", "\\", "plain:text"] {
            let pattern = escaped(text);
            assert!(matches(pattern.as_bytes(), text.as_bytes()), "{text}");
            assert!(!matches(pattern.as_bytes(), b"aXb") && !matches(pattern.as_bytes(), b"x"));
        }
    }
}
