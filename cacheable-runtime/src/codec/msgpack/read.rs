//! What comes next in the bytes, without knowing who asks.
//!
//! Nothing in here is generic, so it is compiled once and not for every type
//! that is read. The numbers are those of the format's table at
//! <https://github.com/msgpack/msgpack/blob/master/spec.md#formats>.

use super::super::stop::Stop;

/// One value, or the head of one that has parts.
#[derive(Clone, Copy)]
pub(super) enum Token<'de> {
    Nil,
    Bool(bool),
    /// An integer that is written in one byte. Apart from the others, since
    /// there are visitors that take a `u8` and nothing else.
    U8(u8),
    /// One of two or four bytes. Serde's buffers take no such one for a field.
    U32(u32),
    U64(u64),
    I64(i64),
    F32(f32),
    F64(f64),
    Str(&'de str),
    Bin(&'de [u8]),
    /// Bytes also for who asks for a sequence: text that is not UTF-8, and the
    /// data of an extension.
    Bytes(&'de [u8]),
    /// Bytes for who asks for a sequence.
    Octets(&'de [u8]),
    /// So many elements follow.
    Array(usize),
    /// So many keys follow, each with its value.
    Map(usize),
    /// An extension: its type and its data.
    Ext(i8, &'de [u8]),
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

/// The bytes that are still to be read.
pub(super) struct Reader<'de> {
    rest: &'de [u8],
    form: Form,
}

impl<'de> Reader<'de> {
    pub(super) fn new(rest: &'de [u8]) -> Self {
        let form = Form::Values;
        Self { rest, form }
    }

    pub(super) fn octets(rest: &'de [u8]) -> Self {
        let form = Form::Octets;
        Self { rest, form }
    }

    pub(super) fn ext(kind: i8, rest: &'de [u8]) -> Self {
        let form = Form::Ext(kind);
        Self { rest, form }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn token(&mut self) -> Result<Token<'de>, Stop> {
        if !matches!(self.form, Form::Values) {
            return self.part();
        }
        Ok(match self.byte()? {
            number @ 0x00..=0x7F => Token::U8(number),
            head @ 0x80..=0x8F => self.map(usize::from(head & 0x0F))?,
            head @ 0x90..=0x9F => self.array(usize::from(head & 0x0F))?,
            head @ 0xA0..=0xBF => self.text(usize::from(head & 0x1F))?,
            0xC0 => Token::Nil,
            0xC1 => return Err(Stop),
            0xC2 => Token::Bool(false),
            0xC3 => Token::Bool(true),
            head @ 0xC4..=0xC6 => {
                let len = self.len(head - 0xC4)?;
                Token::Bin(self.bytes(len)?)
            }
            head @ 0xC7..=0xC9 => {
                let len = self.len(head - 0xC7)?;
                self.extension(len)?
            }
            0xCA => Token::F32(f32::from_be_bytes(self.array_of()?)),
            0xCB => Token::F64(f64::from_be_bytes(self.array_of()?)),
            0xCC => Token::U8(self.byte()?),
            0xCD => Token::U32(u16::from_be_bytes(self.array_of()?).into()),
            0xCE => Token::U32(u32::from_be_bytes(self.array_of()?)),
            0xCF => Token::U64(u64::from_be_bytes(self.array_of()?)),
            0xD0 => Token::I64(i8::from_be_bytes(self.array_of()?).into()),
            0xD1 => Token::I64(i16::from_be_bytes(self.array_of()?).into()),
            0xD2 => Token::I64(i32::from_be_bytes(self.array_of()?).into()),
            0xD3 => Token::I64(i64::from_be_bytes(self.array_of()?)),
            head @ 0xD4..=0xD8 => self.extension(1 << (head - 0xD4))?,
            head @ 0xD9..=0xDB => {
                let len = self.len(head - 0xD9)?;
                self.text(len)?
            }
            head @ 0xDC..=0xDD => {
                let len = self.len(head - 0xDC + 1)?;
                self.array(len)?
            }
            head @ 0xDE..=0xDF => {
                let len = self.len(head - 0xDE + 1)?;
                self.map(len)?
            }
            number @ 0xE0..=0xFF => Token::I64(number.cast_signed().into()),
        })
    }

    /// For who wants a sequence, which bytes are, too.
    pub(super) fn sequence(&mut self) -> Result<Token<'de>, Stop> {
        match self.token() {
            Ok(Token::Bin(bytes)) => Ok(Token::Octets(bytes)),
            token => token,
        }
    }

    /// For who wants a number; `nil` and `bool` are the visitor's to refuse.
    pub(super) fn number(&mut self) -> Result<Token<'de>, Stop> {
        match self.token()? {
            Token::Str(_)
            | Token::Bin(_)
            | Token::Bytes(_)
            | Token::Octets(_)
            | Token::Array(_)
            | Token::Map(_)
            | Token::Ext(..) => Err(Stop),
            token => Ok(token),
        }
    }

    /// A number of 128 bits; one that is larger than the format's own is
    /// sixteen bytes.
    pub(super) fn wide(&mut self) -> Result<i128, Stop> {
        let short = self.rest.first() == Some(&0xC4);
        match self.token()? {
            Token::U8(number) => Ok(number.into()),
            Token::U32(number) => Ok(number.into()),
            Token::U64(number) => Ok(number.into()),
            Token::I64(number) => Ok(number.into()),
            Token::Bin(bytes) if short => match bytes.try_into() {
                Ok(bytes) => Ok(i128::from_be_bytes(bytes)),
                Err(_) => Err(Stop),
            },
            _ => Err(Stop),
        }
    }

    /// For who wants a struct without fields, which is written as an empty
    /// array.
    pub(super) fn unit_struct(&mut self) -> Result<Token<'de>, Stop> {
        match (self.form, self.rest.split_first()) {
            (Form::Values, Some((&0x90, rest))) => {
                self.rest = rest;
                Ok(Token::Nil)
            }
            _ => self.token(),
        }
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
                Token::Map(1) => Ok(true),
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
            Token::Array(len) => len,
            // Half as many as there are bytes at most.
            Token::Map(len) => 2 * len,
            _ => return Ok(()),
        };
        let depth = depth.checked_sub(1).ok_or(Stop)?;
        for _ in 0..values {
            self.skip(depth)?;
        }
        Ok(())
    }

    /// What is left of bytes or of an extension.
    #[cold]
    fn part(&mut self) -> Result<Token<'de>, Stop> {
        let (token, next) = match self.form {
            Form::Values | Form::ExtEnd => return Err(Stop),
            Form::Octets => (Token::U8(self.byte()?), Form::Octets),
            Form::Ext(kind) => (Token::Array(2), Form::ExtType(kind)),
            Form::ExtType(kind) => (Token::I64(kind.into()), Form::ExtData),
            Form::ExtData => (Token::Bytes(self.rest), Form::ExtEnd),
        };
        self.form = next;
        Ok(token)
    }

    /// Each element takes a byte at least: a larger claim is refused before
    /// anything is reserved for it.
    fn array(&mut self, len: usize) -> Result<Token<'de>, Stop> {
        if len > self.rest.len() {
            return self.short();
        }
        Ok(Token::Array(len))
    }

    fn map(&mut self, len: usize) -> Result<Token<'de>, Stop> {
        if len > self.rest.len() / 2 {
            return self.short();
        }
        Ok(Token::Map(len))
    }

    fn text(&mut self, len: usize) -> Result<Token<'de>, Stop> {
        let bytes = self.bytes(len)?;
        Ok(match str::from_utf8(bytes) {
            Ok(text) => Token::Str(text),
            Err(_) => Token::Bytes(bytes),
        })
    }

    fn extension(&mut self, len: usize) -> Result<Token<'de>, Stop> {
        let kind = i8::from_be_bytes(self.array_of()?);
        Ok(Token::Ext(kind, self.bytes(len)?))
    }

    /// A length of one, two or four bytes.
    fn len(&mut self, width: u8) -> Result<usize, Stop> {
        Ok(match width {
            0 => usize::from(self.byte()?),
            1 => usize::from(u16::from_be_bytes(self.array_of()?)),
            _ => u32::from_be_bytes(self.array_of()?) as usize,
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

    fn bytes(&mut self, len: usize) -> Result<&'de [u8], Stop> {
        match self.rest.split_at_checked(len) {
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
    fn short<T>(&mut self) -> Result<T, Stop> {
        self.rest = &[];
        Err(Stop)
    }
}
