//! Where the parts of a value go: into text, or into a hash.

use std::fmt::{self, Write as _};
use std::hash::Hasher;

use sha2::{Digest, Sha256};
use siphasher::sip128::{Hasher128, SipHasher13};

pub(super) enum Sink {
    Text(String),
    Hash(Hashing),
}

impl Sink {
    pub(super) fn none(&mut self) {
        match self {
            Self::Text(text) => text.push('~'),
            Self::Hash(hash) => hash.tag(tag::NONE),
        }
    }

    /// What comes before the value of a `Some`.
    pub(super) fn some(&mut self) {
        match self {
            Self::Text(text) => text.push('~'),
            Self::Hash(hash) => hash.tag(tag::SOME),
        }
    }

    pub(super) fn unit(&mut self) {
        match self {
            Self::Text(text) => text.push_str("()"),
            Self::Hash(hash) => hash.tag(tag::UNIT),
        }
    }

    pub(super) fn bool(&mut self, value: bool) {
        match self {
            Self::Text(text) => text.push_str(if value { "true" } else { "false" }),
            Self::Hash(hash) => hash.tag(if value { tag::TRUE } else { tag::FALSE }),
        }
    }

    #[inline]
    pub(super) fn unsigned(&mut self, value: u64) {
        match self {
            Self::Text(text) => display(text, &value),
            Self::Hash(hash) => hash.number(value),
        }
    }

    #[inline]
    pub(super) fn signed(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.unsigned(value),
            Err(_) => match self {
                Self::Text(text) => display(text, &value),
                Self::Hash(hash) => hash.word(tag::NEGATIVE, value.cast_unsigned()),
            },
        }
    }

    pub(super) fn unsigned_wide(&mut self, value: u128) {
        match u64::try_from(value) {
            Ok(value) => self.unsigned(value),
            Err(_) => match self {
                Self::Text(text) => display(text, &value),
                Self::Hash(hash) => hash.wide(tag::UNSIGNED_WIDE, value),
            },
        }
    }

    pub(super) fn signed_wide(&mut self, value: i128) {
        if let Ok(value) = u128::try_from(value) {
            self.unsigned_wide(value);
        } else if let Ok(value) = i64::try_from(value) {
            self.signed(value);
        } else {
            match self {
                Self::Text(text) => display(text, &value),
                Self::Hash(hash) => hash.wide(tag::NEGATIVE_WIDE, value.cast_unsigned()),
            }
        }
    }

    pub(super) fn float(&mut self, value: f64) {
        // All NaN are one value: their bits mean nothing to anybody's arguments.
        let value = if value.is_nan() { f64::NAN } else { value };
        match self {
            Self::Text(text) if value.is_nan() => text.push_str("nan"),
            // `Debug` keeps a point or an exponent, so that no float reads as an integer.
            Self::Text(text) => display(text, &format_args!("{value:?}")),
            Self::Hash(hash) => hash.word(tag::FLOAT, value.to_bits()),
        }
    }

    #[inline]
    pub(super) fn str(&mut self, value: &str) {
        match self {
            Self::Text(text) => string(text, value),
            Self::Hash(hash) => hash.text(tag::STR, value),
        }
    }

    /// The string that `value` displays as.
    pub(super) fn display<T: fmt::Display + ?Sized>(&mut self, value: &T) -> fmt::Result {
        match self {
            Self::Text(text) => {
                let mut shown = String::new();
                write!(shown, "{value}")?;
                string(text, &shown);
                Ok(())
            }
            Self::Hash(hash) => {
                hash.tag(tag::STR);
                write!(hash, "{value}")?;
                hash.end_text();
                Ok(())
            }
        }
    }

    pub(super) fn bytes(&mut self, value: &[u8]) {
        match self {
            Self::Text(text) => {
                text.push_str("0x");
                hex(text, value);
            }
            Self::Hash(hash) => {
                hash.word(tag::BYTES, value.len() as u64);
                hash.hasher().write(value);
            }
        }
    }

    pub(super) fn unit_variant(&mut self, name: &str) {
        match self {
            Self::Text(text) => variant_name(text, name),
            Self::Hash(hash) => hash.text(tag::UNIT_VARIANT, name),
        }
    }

    /// The name of a variant whose content, a sequence or a map, follows.
    pub(super) fn variant(&mut self, name: &str) {
        match self {
            Self::Text(text) => variant_name(text, name),
            Self::Hash(hash) => hash.text(tag::VARIANT, name),
        }
    }

    pub(super) fn open_sequence(&mut self) {
        match self {
            Self::Text(text) => text.push('('),
            Self::Hash(hash) => hash.tag(tag::SEQUENCE),
        }
    }

    pub(super) fn next_element(&mut self, first: bool) {
        if let Self::Text(text) = self
            && !first
        {
            text.push(',');
        }
    }

    pub(super) fn close_sequence(&mut self, empty: bool) {
        match self {
            // `()` is the unit.
            Self::Text(text) => text.push_str(if empty { ",)" } else { ")" }),
            Self::Hash(hash) => hash.tag(tag::END),
        }
    }
}

/// 128 bits: of keyed `SipHash-1-3`, or the number itself that a call's only
/// argument is.
///
/// Every value starts with a tag that no continuation starts with, and tells
/// its own end, so that two different sequences of values never feed the
/// hasher the same bytes. A number beside the seed is as good as a hash: no two
/// calls of one method have the same, those of two methods have two seeds, and
/// what a hash is by chance nobody can foresee.
pub(super) struct Hashing {
    state: State,
    seed: [u64; 2],
}

enum State {
    Nothing,
    /// So far there was one number.
    Number(u64),
    Hasher(SipHasher13),
}

impl Hashing {
    #[inline]
    pub(super) fn new(seed: [u64; 2]) -> Self {
        Self {
            state: State::Nothing,
            seed,
        }
    }

    #[inline]
    pub(super) fn finish(&self) -> u128 {
        match self.state {
            State::Number(number) => u128::from(self.seed[0]) << 64 | u128::from(number),
            State::Nothing | State::Hasher(_) => self.finish_hasher(),
        }
    }

    /// Apart, so that a number does not have to pass by all that this takes.
    #[inline(never)]
    fn finish_hasher(&self) -> u128 {
        match &self.state {
            State::Hasher(hasher) => hasher.finish128().as_u128(),
            State::Nothing | State::Number(_) => self.fresh().finish128().as_u128(),
        }
    }

    fn fresh(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.seed[0], self.seed[1])
    }

    fn hasher(&mut self) -> &mut SipHasher13 {
        let number = match self.state {
            State::Hasher(ref mut hasher) => return hasher,
            State::Nothing => None,
            State::Number(number) => Some(number),
        };
        let mut hasher = self.fresh();
        if let Some(number) = number {
            hasher.write_u8(tag::UNSIGNED);
            hasher.write_u64(number);
        }
        self.state = State::Hasher(hasher);
        match &mut self.state {
            State::Hasher(hasher) => hasher,
            State::Nothing | State::Number(_) => unreachable!("it was just put there"),
        }
    }

    #[inline]
    fn number(&mut self, number: u64) {
        if let State::Nothing = self.state {
            self.state = State::Number(number);
        } else {
            self.word(tag::UNSIGNED, number);
        }
    }

    /// Starts a hash beside this one, which is handed back.
    pub(super) fn begin_entry(&mut self) -> SipHasher13 {
        let fresh = self.fresh();
        std::mem::replace(self.hasher(), fresh)
    }

    /// Ends what `begin_entry` started, with what it handed back.
    pub(super) fn end_entry(&mut self, outer: SipHasher13) -> u128 {
        std::mem::replace(self.hasher(), outer)
            .finish128()
            .as_u128()
    }

    /// A map of `len` entries: the sum of their hashes knows no order.
    ///
    /// Sums of a keyed hash with a secret seed collide by chance only, since
    /// nobody outside sees a hash.
    pub(super) fn map(&mut self, len: u64, sum: u128) {
        self.word(tag::MAP, len);
        self.hasher().write_u128(sum);
    }

    pub(super) fn type_name(&mut self, name: &str) {
        self.text(tag::TYPE, name);
    }

    #[inline]
    fn tag(&mut self, tag: u8) {
        self.hasher().write_u8(tag);
    }

    #[inline]
    fn word(&mut self, tag: u8, value: u64) {
        self.tag(tag);
        self.hasher().write_u64(value);
    }

    fn wide(&mut self, tag: u8, value: u128) {
        self.tag(tag);
        self.hasher().write_u128(value);
    }

    fn text(&mut self, tag: u8, value: &str) {
        // The hasher gets the same bytes either way, and is faster at few calls.
        let mut bytes = [0; 64];
        if let Some([first, text @ .., last]) = bytes.get_mut(..value.len() + 2) {
            (*first, *last) = (tag, TEXT_END);
            text.copy_from_slice(value.as_bytes());
            self.hasher().write(&bytes[..value.len() + 2]);
        } else {
            self.tag(tag);
            self.hasher().write(value.as_bytes());
            self.end_text();
        }
    }

    fn end_text(&mut self) {
        self.hasher().write_u8(TEXT_END);
    }
}

impl fmt::Write for Hashing {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.hasher().write(part.as_bytes());
        Ok(())
    }
}

/// No UTF-8 holds this byte, so it ends a text of unknown length.
const TEXT_END: u8 = 0xff;

mod tag {
    pub(super) const END: u8 = 0;
    pub(super) const NONE: u8 = 1;
    pub(super) const SOME: u8 = 2;
    pub(super) const UNIT: u8 = 3;
    pub(super) const FALSE: u8 = 4;
    pub(super) const TRUE: u8 = 5;
    pub(super) const UNSIGNED: u8 = 6;
    pub(super) const NEGATIVE: u8 = 7;
    pub(super) const UNSIGNED_WIDE: u8 = 8;
    pub(super) const NEGATIVE_WIDE: u8 = 9;
    pub(super) const FLOAT: u8 = 10;
    pub(super) const STR: u8 = 11;
    pub(super) const BYTES: u8 = 12;
    pub(super) const UNIT_VARIANT: u8 = 13;
    pub(super) const VARIANT: u8 = 14;
    pub(super) const SEQUENCE: u8 = 15;
    pub(super) const MAP: u8 = 16;
    pub(super) const TYPE: u8 = 17;
}

/// `#` and 32 hexadecimal digits of the SHA-256 of `text`.
///
/// A digest of a value never equals one of a whole key: only the latter's text
/// holds a bare `:`.
pub(super) fn digest(text: &str) -> String {
    let mut digest = String::with_capacity(33);
    digest.push('#');
    hex(&mut digest, &Sha256::digest(text)[..16]);
    digest
}

/// Appends `value` with everything escaped that has a meaning in keys, values or patterns.
pub(super) fn escape(text: &mut String, value: &str) {
    let mut plain = 0;
    for (at, char) in value.char_indices() {
        if is_special(char) {
            text.push_str(&value[plain..at]);
            plain = at + char.len_utf8();
            for byte in value[at..plain].bytes() {
                display(text, &format_args!("%{byte:02X}"));
            }
        }
    }
    text.push_str(&value[plain..]);
}

fn is_special(char: char) -> bool {
    match char {
        ':' | '*' | '?' | '[' | ']' | '\\' | '{' | '}' | '%' | '(' | ')' | ',' | '=' => true,
        '!'..='~' => false,
        _ => char.is_control() || char.is_whitespace(),
    }
}

fn string(text: &mut String, value: &str) {
    if reads_as_token(value) {
        text.push('\'');
    }
    escape(text, value);
}

/// Could `value`, written bare, be taken for something that is not a string?
fn reads_as_token(value: &str) -> bool {
    match value.bytes().next() {
        None | Some(b'\'' | b'~' | b'@' | b'#' | b'<' | b'+' | b'-') => true,
        Some(b'0'..=b'9') => {
            value.starts_with("0x")
                || value
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
        }
        Some(_) => matches!(value, "true" | "false" | "nan" | "inf"),
    }
}

fn variant_name(text: &mut String, name: &str) {
    text.push('@');
    escape(text, name);
}

fn hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

fn display(text: &mut String, value: &impl fmt::Display) {
    write!(text, "{value}").expect("a `String` takes any text");
}
