//! From tokens to a type's visitors.
//!
//! A method that is generic over a visitor or a seed is compiled once for each,
//! so every one is little more than a call. [`Decoder::visit`] is the only one
//! with a branch for each kind of token. Results are passed on with `match`
//! where `?` would compile two functions more for each type of result.

use serde::de::{Deserializer, Visitor};

use super::super::stop::Stop;
use super::parts::{Parts, Variant};
use super::read::{Reader, Token};

/// The name of a newtype that `rmp-serde` writes as an extension.
const EXTENSION: &str = "_ExtStruct";

/// One value that is to be read.
pub(super) struct Decoder<'a, 'de> {
    pub(super) reader: &'a mut Reader<'de>,
    /// Levels that may still be entered. Bytes can name more nesting than a
    /// stack holds, and a thread whose stack overflows takes the process with it.
    pub(super) depth: u16,
}

impl<'a, 'de> Decoder<'a, 'de> {
    #[inline]
    pub(super) fn new(reader: &'a mut Reader<'de>, depth: u16) -> Self {
        Self { reader, depth }
    }

    #[inline]
    fn enter(&mut self) -> Result<(), Stop> {
        match self.depth.checked_sub(1) {
            Some(depth) => {
                self.depth = depth;
                Ok(())
            }
            // A type that swallows errors would ask on and on, at every level.
            None => self.reader.short(),
        }
    }

    #[inline]
    fn any(&mut self) -> Result<Token, Stop> {
        self.enter()?;
        self.reader.token()
    }

    #[inline]
    fn sequence(&mut self) -> Result<Token, Stop> {
        self.enter()?;
        self.reader.sequence()
    }

    /// What should have no parts, and is no level if it has none.
    #[inline]
    fn leaf(&mut self) -> Result<Token, Stop> {
        let token = self.reader.token()?;
        self.entered(token)
    }

    fn unit_struct(&mut self) -> Result<Token, Stop> {
        let token = self.reader.unit_struct()?;
        self.entered(token)
    }

    #[inline]
    fn number(&mut self) -> Result<Token, Stop> {
        self.reader.number()
    }

    #[inline]
    fn entered(&mut self, token: Token) -> Result<Token, Stop> {
        if let Token::Array | Token::Map | Token::Ext = token {
            self.enter()?;
        }
        Ok(token)
    }

    #[inline]
    fn some(&mut self) -> Result<bool, Stop> {
        self.enter()?;
        self.reader.some()
    }

    /// Where the content of a newtype is read from. `aside` is for one that is
    /// not among the other values.
    fn content<'b>(
        mut self,
        name: &str,
        aside: &'b mut Option<Reader<'de>>,
    ) -> Result<Decoder<'b, 'de>, Stop>
    where
        'a: 'b,
    {
        self.enter()?;
        if !self.reader.is_values() {
            return Err(Stop);
        }
        let reader = match name {
            EXTENSION => match self.reader.token()? {
                Token::Ext => aside.insert(self.reader.pair()),
                _ => return Err(Stop),
            },
            _ => self.reader,
        };
        Ok(Decoder::new(reader, self.depth))
    }

    fn variant(mut self) -> Result<Variant<'a, 'de>, Stop> {
        self.enter()?;
        let full = self.reader.variant()?;
        let decoder = self;
        Ok(Variant { decoder, full })
    }

    pub(super) fn visit<V: Visitor<'de>>(
        self,
        token: Result<Token, Stop>,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let Self { reader, depth } = self;
        match token {
            Err(stop) => Err(stop),
            Ok(Token::Nil) => visitor.visit_unit(),
            Ok(Token::Bool) => visitor.visit_bool(reader.word != 0),
            Ok(Token::U8) => visitor.visit_u8(reader.word as u8),
            Ok(Token::U32) => visitor.visit_u32(reader.word as u32),
            Ok(Token::U64) => visitor.visit_u64(reader.word),
            Ok(Token::I64) => visitor.visit_i64(reader.word.cast_signed()),
            Ok(Token::F32) => visitor.visit_f32(f32::from_bits(reader.word as u32)),
            Ok(Token::F64) => visitor.visit_f64(f64::from_bits(reader.word)),
            Ok(Token::Str) => visitor.visit_borrowed_str(reader.text),
            Ok(Token::Bin | Token::Bytes) => visitor.visit_borrowed_bytes(reader.bytes),
            Ok(Token::Octets) => {
                let mut left = reader.bytes.len();
                let mut octets = Reader::octets(reader.bytes);
                visitor.visit_seq(Parts::new(&mut octets, depth, &mut left))
            }
            Ok(Token::Array) => {
                let mut left = reader.word as usize;
                let value = visitor.visit_seq(Parts::new(reader, depth, &mut left));
                if left == 0 { value } else { Err(Stop) }
            }
            Ok(Token::Map) => {
                let mut left = reader.word as usize;
                let value = visitor.visit_map(Parts::new(reader, depth, &mut left));
                if left == 0 { value } else { Err(Stop) }
            }
            Ok(Token::Ext) => {
                let mut extension = reader.pair();
                visitor.visit_newtype_struct(Decoder::new(&mut extension, depth))
            }
        }
    }
}

macro_rules! by_token {
    ($($read:ident { $($name:ident($($ty:ty),*),)* })*) => {$($(
        fn $name<V: Visitor<'de>>(mut self, $(_: $ty,)* visitor: V) -> Result<V::Value, Stop> {
            let token = self.$read();
            self.visit(token, visitor)
        }
    )*)*};
}

/// What is text most often, and has no second branch by token then.
macro_rules! by_text {
    ($($name:ident,)*) => {$(
        fn $name<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
            match self.reader.short_text() {
                Some(text) => visitor.visit_borrowed_str(text),
                None => {
                    let token = self.leaf();
                    self.visit(token, visitor)
                }
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Decoder<'_, 'de> {
    type Error = Stop;

    by_token! {
        any {
            deserialize_any(),
            deserialize_map(),
        }
        sequence {
            deserialize_seq(),
            deserialize_tuple(usize),
            deserialize_tuple_struct(&'static str, usize),
            deserialize_struct(&'static str, &'static [&'static str]),
        }
        leaf {
            deserialize_char(),
            deserialize_bytes(),
            deserialize_byte_buf(),
            deserialize_unit(),
        }
        unit_struct {
            deserialize_unit_struct(&'static str),
        }
        number {
            deserialize_bool(),
            deserialize_i8(),
            deserialize_i16(),
            deserialize_i32(),
            deserialize_i64(),
            deserialize_u8(),
            deserialize_u16(),
            deserialize_u32(),
            deserialize_u64(),
            deserialize_f32(),
            deserialize_f64(),
        }
    }

    by_text! {
        deserialize_str,
        deserialize_string,
        deserialize_identifier,
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        match self.reader.wide() {
            Ok(value) => visitor.visit_i128(value),
            Err(stop) => Err(stop),
        }
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        match self.reader.wide() {
            Ok(value) => visitor.visit_u128(value.cast_unsigned()),
            Err(stop) => Err(stop),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Stop> {
        match self.some() {
            Ok(true) => visitor.visit_some(self),
            Ok(false) => visitor.visit_none(),
            Err(stop) => Err(stop),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let mut aside = None;
        match self.content(name, &mut aside) {
            Ok(content) => visitor.visit_newtype_struct(content),
            Err(stop) => Err(stop),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        match self.variant() {
            Ok(variant) => visitor.visit_enum(variant),
            Err(stop) => Err(stop),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        match self.reader.skip(self.depth) {
            Ok(()) => visitor.visit_unit(),
            Err(stop) => Err(stop),
        }
    }

    fn is_human_readable(&self) -> bool {
        true
    }
}
