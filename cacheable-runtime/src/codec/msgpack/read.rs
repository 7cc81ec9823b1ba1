//! What comes next in the bytes, without knowing who asks.
//!
//! Nothing in here is generic, so it is compiled once and not for every type
//! that is read. The numbers are those of the format's table at
//! <https://github.com/msgpack/msgpack/blob/master/spec.md#formats>.

use super::super::stop::Stop;

/// One value, or the head of one that has parts. What is in it is in the fields
/// of [`Reader`]: a kind alone is returned in a register.
#[derive(Clone, Copy)]
pub(super) enum Token {
    Nil,
    /// Whether `word` is not zero.
    Bool,
    /// An integer that is written in one byte. Apart from the others, since
    /// there are visitors that take a `u8` and nothing else.
    U8,
    /// One of two or four bytes. Serde's buffers take no such one for a field.
    U32,
    U64,
    I64,
    F32,
    F64,
    Str,
    Bin,
    /// Bytes also for who asks for a sequence: text that is not UTF-8, and the
    /// data of an extension.
    Bytes,
    /// Bytes for who asks for a sequence.
    Octets,
    /// So many elements follow as `word` says.
    Array,
    /// So many keys follow, each with its value.
    Map,
    /// An extension: its type is `word`, its data `bytes`.
    Ext,
}

/// How the bytes are to be taken.
#[derive(Clone, Copy)]
enum Form {
    Values,
    /// Each byte is a number.
    Octets,
    /// An extension, which is a pair of its type and its data.
    Ext(i8),
    ExtType(i8),
    ExtData,
    ExtEnd,
}

/// The bytes that are still to be read, and what was read last.
pub(super) struct Reader<'de> {
    rest: &'de [u8],
    form: Form,
    /// A number, in the bits of its type at the lower end, or a length.
    pub(super) word: u64,
    pub(super) text: &'de str,
    pub(super) bytes: &'de [u8],
}

impl<'de> Reader<'de> {
    pub(super) fn new(rest: &'de [u8]) -> Self {
        Self::of(rest, Form::Values)
    }

    pub(super) fn octets(rest: &'de [u8]) -> Self {
        Self::of(rest, Form::Octets)
    }

    /// The extension that was read last, as the pair that it is.
    pub(super) fn pair(&self) -> Self {
        Self::of(self.bytes, Form::Ext((self.word as u8).cast_signed()))
    }

    fn of(rest: &'de [u8], form: Form) -> Self {
        Self {
            rest,
            form,
            word: 0,
            text: "",
            bytes: &[],
        }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn token(&mut self) -> Result<Token, Stop> {
        if !matches!(self.form, Form::Values) {
            return self.part();
        }
        match self.byte()? {
            number @ 0x00..=0x7F => Ok(self.as_word(Token::U8, number.into())),
            head @ 0x80..=0x8F => self.map(u64::from(head & 0x0F)),
            head @ 0x90..=0x9F => self.array(u64::from(head & 0x0F)),
            head @ 0xA0..=0xBF => self.text(u64::from(head & 0x1F)),
            0xC0 => Ok(Token::Nil),
            0xC1 => Err(Stop),
            head @ 0xC2..=0xC3 => Ok(self.as_word(Token::Bool, (head - 0xC2).into())),
            head @ 0xC4..=0xC6 => {
                let len = self.unsigned(head - 0xC4)?;
                self.bytes = self.take(len)?;
                Ok(Token::Bin)
            }
            head @ 0xC7..=0xC9 => {
                let len = self.unsigned(head - 0xC7)?;
                self.extension(len)
            }
            0xCA => self.word_of(2, Token::F32),
            0xCB => self.word_of(3, Token::F64),
            0xCC => self.word_of(0, Token::U8),
            0xCD => self.word_of(1, Token::U32),
            0xCE => self.word_of(2, Token::U32),
            0xCF => self.word_of(3, Token::U64),
            0xD0 => {
                let number = self.byte()?.cast_signed();
                Ok(self.as_signed(number.into()))
            }
            0xD1 => {
                let number = i16::from_be_bytes(self.array_of()?);
                Ok(self.as_signed(number.into()))
            }
            0xD2 => {
                let number = i32::from_be_bytes(self.array_of()?);
                Ok(self.as_signed(number.into()))
            }
            0xD3 => self.word_of(3, Token::I64),
            head @ 0xD4..=0xD8 => self.extension(1 << (head - 0xD4)),
            head @ 0xD9..=0xDB => {
                let len = self.unsigned(head - 0xD9)?;
                self.text(len)
            }
            head @ 0xDC..=0xDD => {
                let len = self.unsigned(head - 0xDC + 1)?;
                self.array(len)
            }
            head @ 0xDE..=0xDF => {
                let len = self.unsigned(head - 0xDE + 1)?;
                self.map(len)
            }
            number @ 0xE0..=0xFF => Ok(self.as_signed(number.cast_signed().into())),
        }
    }

    /// For who wants a sequence, which bytes are, too.
    pub(super) fn sequence(&mut self) -> Result<Token, Stop> {
        match self.token() {
            Ok(Token::Bin) => Ok(Token::Octets),
            token => token,
        }
    }

    /// For who wants a number; `nil` and `bool` are the visitor's to refuse.
    pub(super) fn number(&mut self) -> Result<Token, Stop> {
        match self.token()? {
            Token::Str
            | Token::Bin
            | Token::Bytes
            | Token::Octets
            | Token::Array
            | Token::Map
            | Token::Ext => Err(Stop),
            token => Ok(token),
        }
    }

    /// A number of 128 bits; one that is larger than the format's own is
    /// sixteen bytes.
    pub(super) fn wide(&mut self) -> Result<i128, Stop> {
        let short = self.rest.first() == Some(&0xC4);
        match self.token()? {
            Token::U8 | Token::U32 | Token::U64 => Ok(self.word.into()),
            Token::I64 => Ok(self.word.cast_signed().into()),
            Token::Bin if short => match self.bytes.try_into() {
                Ok(bytes) => Ok(i128::from_be_bytes(bytes)),
                Err(_) => Err(Stop),
            },
            _ => Err(Stop),
        }
    }

    /// For who wants a struct without fields, which is written as an empty
    /// array.
    pub(super) fn unit_struct(&mut self) -> Result<Token, Stop> {
        match (self.form, self.rest.split_first()) {
            (Form::Values, Some((&0x90, rest))) => {
                self.rest = rest;
                Ok(Token::Nil)
            }
            _ => self.token(),
        }
    }

    /// Text of less than 32 bytes, as most of it is. Passed if it is some.
    pub(super) fn short_text(&mut self) -> Option<&'de str> {
        let (&head, rest) = self.rest.split_first()?;
        if !matches!(self.form, Form::Values) || head & 0xE0 != 0xA0 {
            return None;
        }
        let (bytes, rest) = rest.split_at_checked(usize::from(head & 0x1F))?;
        let text = str::from_utf8(bytes).ok()?;
        self.rest = rest;
        Some(text)
    }

    pub(super) fn nil(&mut self) -> Result<(), Stop> {
        match self.token()? {
            Token::Nil => Ok(()),
            _ => Err(Stop),
        }
    }

    /// Whether something is there for a `Some`; a `nil` is passed.
    pub(super) fn some(&mut self) -> Result<bool, Stop> {
        match (self.form, self.rest.split_first()) {
            (Form::Values, Some((&0xC0, rest))) => {
                self.rest = rest;
                Ok(false)
            }
            (Form::Values, Some(_)) => Ok(true),
            _ => Err(Stop),
        }
    }

    /// Whether a variant is here with its content, under its name in a map of
    /// one; the head of that is passed. Alone it is its name.
    pub(super) fn variant(&mut self) -> Result<bool, Stop> {
        match (self.form, self.rest.first()) {
            (Form::Values, Some(0x80..=0x8F | 0xDE..=0xDF)) => match self.token()? {
                Token::Map if self.word == 1 => Ok(true),
                _ => Err(Stop),
            },
            (Form::Values, Some(_)) => Ok(false),
            _ => Err(Stop),
        }
    }

    /// Parts of what is no value of its own can be neither optional nor
    /// wrapped.
    pub(super) fn is_values(&self) -> bool {
        matches!(self.form, Form::Values)
    }

    /// Passes one value, of at most `depth` levels.
    pub(super) fn skip(&mut self, depth: u16) -> Result<(), Stop> {
        let values = match self.token()? {
            Token::Array => self.word,
            // Half as many as there are bytes at most.
            Token::Map => 2 * self.word,
            _ => return Ok(()),
        };
        let Some(depth) = depth.checked_sub(1) else {
            return self.short();
        };
        for _ in 0..values {
            self.skip(depth)?;
        }
        Ok(())
    }

    /// What is left of bytes or of an extension.
    #[cold]
    fn part(&mut self) -> Result<Token, Stop> {
        match self.form {
            Form::Values | Form::ExtEnd => Err(Stop),
            Form::Octets => self.word_of(0, Token::U8),
            Form::Ext(kind) => {
                self.form = Form::ExtType(kind);
                Ok(self.as_word(Token::Array, 2))
            }
            Form::ExtType(kind) => {
                self.form = Form::ExtData;
                Ok(self.as_signed(kind.into()))
            }
            Form::ExtData => {
                self.form = Form::ExtEnd;
                self.bytes = self.rest;
                Ok(Token::Bytes)
            }
        }
    }

    fn as_word(&mut self, token: Token, word: u64) -> Token {
        self.word = word;
        token
    }

    fn as_signed(&mut self, number: i64) -> Token {
        self.as_word(Token::I64, number.cast_unsigned())
    }

    fn word_of(&mut self, width: u8, token: Token) -> Result<Token, Stop> {
        self.word = self.unsigned(width)?;
        Ok(token)
    }

    /// Each element takes a byte at least: a larger claim is refused before
    /// anything is reserved for it.
    fn array(&mut self, len: u64) -> Result<Token, Stop> {
        if len > self.rest.len() as u64 {
            return self.short();
        }
        Ok(self.as_word(Token::Array, len))
    }

    fn map(&mut self, len: u64) -> Result<Token, Stop> {
        if len > self.rest.len() as u64 / 2 {
            return self.short();
        }
        Ok(self.as_word(Token::Map, len))
    }

    fn text(&mut self, len: u64) -> Result<Token, Stop> {
        let bytes = self.take(len)?;
        if let Ok(text) = str::from_utf8(bytes) {
            self.text = text;
            Ok(Token::Str)
        } else {
            self.bytes = bytes;
            Ok(Token::Bytes)
        }
    }

    fn extension(&mut self, len: u64) -> Result<Token, Stop> {
        let kind = self.byte()?.into();
        self.bytes = self.take(len)?;
        Ok(self.as_word(Token::Ext, kind))
    }

    /// What is written in 1, 2, 4 or 8 bytes, for widths from 0.
    fn unsigned(&mut self, width: u8) -> Result<u64, Stop> {
        Ok(match width {
            0 => self.byte()?.into(),
            1 => u16::from_be_bytes(self.array_of()?).into(),
            2 => u32::from_be_bytes(self.array_of()?).into(),
            _ => u64::from_be_bytes(self.array_of()?),
        })
    }

    fn byte(&mut self) -> Result<u8, Stop> {
        let [byte] = self.array_of()?;
        Ok(byte)
    }

    fn array_of<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        match self.rest.split_first_chunk() {
            Some((&bytes, rest)) => {
                self.rest = rest;
                Ok(bytes)
            }
            None => self.short(),
        }
    }

    fn take(&mut self, len: u64) -> Result<&'de [u8], Stop> {
        match self.rest.split_at_checked(len as usize) {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(bytes)
            }
            None => self.short(),
        }
    }

    /// Less is here than was claimed. A type that goes on all the same finds
    /// nothing more.
    #[cold]
    pub(super) fn short<T>(&mut self) -> Result<T, Stop> {
        self.rest = &[];
        Err(Stop)
    }
}
