//! Patterns: which keys an invalidation covers.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, ErrorKind};

/// The longest pattern, in bytes: as long as the longest key.
const MAX_PATTERN: usize = 1024;

/// Which keys are meant, in the language of Redis's `SCAN MATCH`.
///
/// `*` is any run of bytes, `?` one byte, `[abc]` one of these, `[a-z]` a
/// range, `[^a]` any byte but these, and `\` takes the meaning from the next
/// character. A pattern covers whole keys, not parts of them.
///
/// ```
/// use cacheable_runtime::Pattern;
///
/// let pattern = Pattern::new("cache:project:*")?;
/// assert!(pattern.matches(b"cache:project:get:7"));
/// assert!(!pattern.matches(b"cache:projects:get:7"));
/// # Ok::<(), cacheable_runtime::Error>(())
/// ```
#[derive(Clone)]
pub struct Pattern(Arc<Parsed>);

struct Parsed {
    text: Box<str>,
    /// No two stars in a row.
    tokens: Box<[Token]>,
    literal_prefix: Box<str>,
}

impl Pattern {
    /// Checks `text` and makes it a pattern.
    ///
    /// Redis takes any text for a pattern and gives the malformed ones a
    /// meaning that nobody intends, so these are errors here: nothing at all,
    /// a `[` without its `]`, a `\` with nothing behind it, a character
    /// outside ASCII between brackets (Redis would compare its bytes one by
    /// one), and more than 1 024 bytes.
    ///
    /// ```
    /// use cacheable_runtime::{ErrorKind, Pattern};
    ///
    /// assert!(Pattern::new("cache:user:[0-9]*").is_ok());
    /// assert_eq!(Pattern::new("cache:user:[0-9").unwrap_err().kind(), ErrorKind::Pattern);
    /// ```
    pub fn new(text: impl AsRef<str>) -> Result<Self, Error> {
        let text = text.as_ref();
        if text.is_empty() {
            return Err(malformed(
                "a pattern is empty: write which keys it covers, such as `cache:project:*`",
            ));
        }
        if text.len() > MAX_PATTERN {
            return Err(malformed(format!(
                "a pattern of {} bytes is over the limit of {MAX_PATTERN}: end it earlier with `*`",
                text.len()
            )));
        }
        Self::parsed(text)
    }

    /// The same under a namespace, which holds nothing that a pattern gives a
    /// meaning to and does not count towards the length.
    pub(crate) fn in_namespace(&self, namespace: &str) -> Self {
        Self::parsed(&format!("{namespace}{}", self.as_str()))
            .expect("the pattern was checked, and a namespace is literal")
    }

    /// Covers every key that begins with this text.
    pub(crate) fn beginning_with(literal: &str) -> Self {
        let mut text = String::with_capacity(literal.len() + 1);
        for c in literal.chars() {
            if "*?[]\\".contains(c) {
                text.push('\\');
            }
            text.push(c);
        }
        text.push('*');
        Self::parsed(&text).expect("everything with a meaning is escaped")
    }

    fn parsed(text: &str) -> Result<Self, Error> {
        let tokens = parse(text)?;
        let literal: Vec<u8> = tokens.iter().map_while(Token::literal).collect();
        Ok(Self(Arc::new(Parsed {
            literal_prefix: String::from_utf8_lossy(&literal).into(),
            tokens: tokens.into(),
            text: text.into(),
        })))
    }

    /// The pattern as it was written.
    ///
    /// ```
    /// # use cacheable_runtime::Pattern;
    /// assert_eq!(Pattern::new("a:*")?.as_str(), "a:*");
    /// # Ok::<(), cacheable_runtime::Error>(())
    /// ```
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Does the pattern cover `key`? Exactly when `SCAN MATCH` would return it.
    ///
    /// ```
    /// # use cacheable_runtime::Pattern;
    /// assert!(Pattern::new("user:?")?.matches(b"user:1"));
    /// assert!(!Pattern::new("user:?")?.matches(b"user:10"));
    /// assert!(Pattern::new(r"user:\?")?.matches(b"user:?"));
    /// # Ok::<(), cacheable_runtime::Error>(())
    /// ```
    pub fn matches(&self, key: &[u8]) -> bool {
        self.matches_counted(key, || ())
    }

    /// The text, freed of escapes, that every matching key starts with.
    pub(crate) fn literal_prefix(&self) -> &str {
        &self.0.literal_prefix
    }

    /// May a key that starts with `prefix` match? Never wrongly `false`.
    pub(crate) fn could_match_prefix(&self, prefix: &str) -> bool {
        let tokens = &self.0.tokens;
        // Every place in the pattern that the bytes so far can have led to.
        let mut places = vec![false; tokens.len() + 1];
        places[0] = true;
        for &byte in prefix.as_bytes() {
            let mut next = vec![false; tokens.len() + 1];
            for at in 0..tokens.len() {
                if !places[at] {
                    continue;
                }
                match &tokens[at] {
                    Token::Star => {
                        next[at] = true;
                        // A star may be nothing: the next token sees this byte too.
                        places[at + 1] = true;
                    }
                    token if token.accepts(byte) => next[at + 1] = true,
                    _ => {}
                }
            }
            places = next;
        }
        places.contains(&true)
    }

    /// `matches`, telling of each step it takes.
    ///
    /// A star first stands for nothing and is widened byte by byte when what
    /// follows does not fit. Only the last star met is ever widened: if the
    /// text between two stars fits at some place, starting the later star from
    /// a place further on can find nothing that it would not find from there.
    /// So the steps are bounded by the lengths' product, whatever the pattern.
    fn matches_counted(&self, key: &[u8], mut step: impl FnMut()) -> bool {
        if key.is_empty() {
            // Redis looks for a byte before it looks for stars, but never
            // asks this pattern.
            return &*self.0.text == "*";
        }
        let tokens = &*self.0.tokens;
        let (mut token, mut at) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while at < key.len() {
            step();
            match tokens.get(token) {
                Some(Token::Star) => {
                    token += 1;
                    if token == tokens.len() {
                        return true;
                    }
                    star = Some((token, at));
                }
                Some(single) if single.accepts(key[at]) => {
                    token += 1;
                    at += 1;
                }
                _ => match &mut star {
                    Some((after, from)) => {
                        *from += 1;
                        (token, at) = (*after, *from);
                    }
                    None => return false,
                },
            }
        }
        matches!(tokens[token..], [] | [Token::Star])
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0.text, f)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

impl Eq for Pattern {}

impl std::hash::Hash for Pattern {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.text.hash(state);
    }
}

impl AsRef<str> for Pattern {
    fn as_ref(&self) -> &str {
        &self.0.text
    }
}

/// What can stand where a [`Pattern`] is asked for: text, or a pattern.
///
/// ```
/// use cacheable_runtime::{IntoPattern, Pattern};
///
/// fn covers(pattern: impl IntoPattern, key: &str) -> Result<bool, cacheable_runtime::Error> {
///     Ok(pattern.into_pattern()?.matches(key.as_bytes()))
/// }
/// assert!(covers("a:*", "a:1")?);
/// assert!(!covers(Pattern::new("b:*")?, "a:1")?);
/// # Ok::<(), cacheable_runtime::Error>(())
/// ```
pub trait IntoPattern {
    /// Makes the pattern, or says why this cannot be one.
    ///
    /// ```
    /// use cacheable_runtime::IntoPattern;
    /// assert!("a:*".into_pattern()?.matches(b"a:1"));
    /// # Ok::<(), cacheable_runtime::Error>(())
    /// ```
    fn into_pattern(self) -> Result<Pattern, Error>;
}

impl IntoPattern for &str {
    fn into_pattern(self) -> Result<Pattern, Error> {
        Pattern::new(self)
    }
}

impl IntoPattern for String {
    fn into_pattern(self) -> Result<Pattern, Error> {
        Pattern::new(self)
    }
}

impl IntoPattern for &String {
    fn into_pattern(self) -> Result<Pattern, Error> {
        Pattern::new(self)
    }
}

impl IntoPattern for Pattern {
    fn into_pattern(self) -> Result<Pattern, Error> {
        Ok(self)
    }
}

impl IntoPattern for &Pattern {
    fn into_pattern(self) -> Result<Pattern, Error> {
        Ok(self.clone())
    }
}

enum Token {
    Byte(u8),
    /// `?`
    Any,
    /// `[…]`
    Class(Box<Class>),
    /// `*`
    Star,
}

impl Token {
    /// Does this token, which is not a star, stand for `byte`?
    fn accepts(&self, byte: u8) -> bool {
        match self {
            Self::Byte(literal) => *literal == byte,
            Self::Any => true,
            Self::Class(class) => class.contains(byte),
            Self::Star => false,
        }
    }

    fn literal(&self) -> Option<u8> {
        match self {
            Self::Byte(byte) => Some(*byte),
            _ => None,
        }
    }
}

#[derive(Default)]
struct Class {
    /// One bit for each ASCII character.
    members: u128,
    negated: bool,
}

impl Class {
    fn insert(&mut self, byte: u8) {
        self.members |= 1 << byte;
    }

    fn contains(&self, byte: u8) -> bool {
        let member = byte.is_ascii() && self.members >> byte & 1 == 1;
        member != self.negated
    }
}

fn parse(text: &str) -> Result<Vec<Token>, Error> {
    let mut tokens = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [] => return Ok(tokens),
            [b'*', after @ ..] => {
                if !matches!(tokens.last(), Some(Token::Star)) {
                    tokens.push(Token::Star);
                }
                after
            }
            [b'?', after @ ..] => {
                tokens.push(Token::Any);
                after
            }
            [b'[', after @ ..] => {
                let (class, after) = parse_class(text, after)?;
                tokens.push(Token::Class(Box::new(class)));
                after
            }
            [b'\\'] => {
                return Err(malformed(format!(
                    r"pattern `{text}` ends in a single `\`: remove it, or write `\\` for a plain backslash"
                )));
            }
            [b'\\', literal, after @ ..] | [literal, after @ ..] => {
                tokens.push(Token::Byte(*literal));
                after
            }
        };
    }
}

/// The class whose `[` has just been read, and what follows its `]`.
///
/// In Redis's reading a `]` closes at once, even as the first character, and
/// whatever comes after `x-` is the end of a range, a `]` or a `\` too.
fn parse_class<'a>(text: &str, inside: &'a [u8]) -> Result<(Class, &'a [u8]), Error> {
    let mut class = Class::default();
    let mut rest = inside;
    if let [b'^', after @ ..] = rest {
        class.negated = true;
        rest = after;
    }
    loop {
        let (first, last, after) = match rest {
            [] => {
                let plain = if inside.contains(&b']') {
                    r"; behind `\` or `-` a `]` closes nothing"
                } else {
                    ""
                };
                return Err(malformed(format!(
                    r"pattern `{text}` has a `[` that is never closed{plain}: add `]`, or write `\[` for a plain bracket"
                )));
            }
            [b'\\', one, after @ ..] => (*one, *one, after),
            [b']', after @ ..] => return Ok((class, after)),
            [first, b'-', last, after @ ..] => (*first, *last, after),
            [one, after @ ..] => (*one, *one, after),
        };
        if !first.is_ascii() || !last.is_ascii() {
            return Err(malformed(format!(
                "pattern `{text}` has a character outside ASCII between brackets, where Redis compares single bytes: write one pattern for each such character"
            )));
        }
        for byte in first.min(last)..=first.max(last) {
            class.insert(byte);
        }
        rest = after;
    }
}

fn malformed(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Pattern, message)
}
