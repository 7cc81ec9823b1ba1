//! From tokens to a type's visitors.
//!
//! A method that is generic over a visitor or a seed is compiled once for each,
//! so every one is little more than a call. [`Decoder::visit`] is the only one
//! with a branch for each kind of token. Results are passed on with `match`
//! where `?` would compile two functions more for each type of result.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::super::stop::Stop;
use super::read::{Reader, Token};

/// The name of a newtype that `rmp-serde` writes as an extension.
const EXTENSION: &str = "_ExtStruct";

/// One value that is to be read.
pub(super) struct Decoder<'a, 'de> {
    reader: &'a mut Reader<'de>,
    /// Levels that may still be entered. Bytes can name more nesting than a
    /// stack holds, and a thread whose stack overflows takes the process with it.
    depth: u16,
}

/// The elements of an array or the entries of a map.
struct Parts<'a, 'de> {
    reader: &'a mut Reader<'de>,
    depth: u16,
    left: &'a mut usize,
}

/// A variant of an enum.
struct Variant<'a, 'de> {
    decoder: Decoder<'a, 'de>,
    /// Its content follows its name.
    full: bool,
}

impl<'a, 'de> Decoder<'a, 'de> {
    pub(super) fn new(reader: &'a mut Reader<'de>, depth: u16) -> Self {
        Self { reader, depth }
    }

    fn enter(&mut self) -> Result<(), Stop> {
        self.depth = self.depth.checked_sub(1).ok_or(Stop)?;
        Ok(())
    }

    fn any(&mut self) -> Result<Token<'de>, Stop> {
        self.enter()?;
        self.reader.token()
    }

    fn sequence(&mut self) -> Result<Token<'de>, Stop> {
        self.enter()?;
        self.reader.sequence()
    }

    /// What should have no parts, and is no level if it has none.
    fn leaf(&mut self) -> Result<Token<'de>, Stop> {
        let token = self.reader.token()?;
        self.entered(token)
    }

    fn unit_struct(&mut self) -> Result<Token<'de>, Stop> {
        let token = self.reader.unit_struct()?;
        self.entered(token)
    }

    fn number(&mut self) -> Result<Token<'de>, Stop> {
        self.reader.number()
    }

    fn entered(&mut self, token: Token<'de>) -> Result<Token<'de>, Stop> {
        if let Token::Array(_) | Token::Map(_) | Token::Ext(..) = token {
            self.enter()?;
        }
        Ok(token)
    }

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
                Token::Ext(kind, data) => aside.insert(Reader::ext(kind, data)),
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

    fn visit<V: Visitor<'de>>(
        self,
        token: Result<Token<'de>, Stop>,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        match token {
            Err(Stop) => Err(Stop),
            Ok(Token::Nil) => visitor.visit_unit(),
            Ok(Token::Bool(value)) => visitor.visit_bool(value),
            Ok(Token::U8(value)) => visitor.visit_u8(value),
            Ok(Token::U32(value)) => visitor.visit_u32(value),
            Ok(Token::U64(value)) => visitor.visit_u64(value),
            Ok(Token::I64(value)) => visitor.visit_i64(value),
            Ok(Token::F32(value)) => visitor.visit_f32(value),
            Ok(Token::F64(value)) => visitor.visit_f64(value),
            Ok(Token::Str(value)) => visitor.visit_borrowed_str(value),
            Ok(Token::Bin(value) | Token::Bytes(value)) => visitor.visit_borrowed_bytes(value),
            Ok(Token::Octets(value)) => {
                let mut reader = Reader::octets(value);
                let mut left = value.len();
                visitor.visit_seq(Parts::new(&mut reader, self.depth, &mut left))
            }
            Ok(Token::Array(mut left)) => {
                let value = visitor.visit_seq(Parts::new(self.reader, self.depth, &mut left));
                if left == 0 { value } else { Err(Stop) }
            }
            Ok(Token::Map(mut left)) => {
                let value = visitor.visit_map(Parts::new(self.reader, self.depth, &mut left));
                if left == 0 { value } else { Err(Stop) }
            }
            Ok(Token::Ext(kind, data)) => {
                let mut reader = Reader::ext(kind, data);
                visitor.visit_newtype_struct(Decoder::new(&mut reader, self.depth))
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
            deserialize_str(),
            deserialize_string(),
            deserialize_bytes(),
            deserialize_byte_buf(),
            deserialize_unit(),
            deserialize_identifier(),
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

impl<'a, 'de> Parts<'a, 'de> {
    fn new(reader: &'a mut Reader<'de>, depth: u16, left: &'a mut usize) -> Self {
        Self {
            reader,
            depth,
            left,
        }
    }

    fn decoder(&mut self) -> Decoder<'_, 'de> {
        Decoder::new(self.reader, self.depth)
    }

    fn next(&mut self) -> Option<Decoder<'_, 'de>> {
        *self.left = self.left.checked_sub(1)?;
        Some(self.decoder())
    }
}

impl<'de> SeqAccess<'de> for Parts<'_, 'de> {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        match self.next() {
            None => Ok(None),
            Some(decoder) => match seed.deserialize(decoder) {
                Ok(value) => Ok(Some(value)),
                Err(stop) => Err(stop),
            },
        }
    }

    /// No more than there are bytes.
    fn size_hint(&self) -> Option<usize> {
        Some(*self.left)
    }
}

impl<'de> MapAccess<'de> for Parts<'_, 'de> {
    type Error = Stop;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        seed.deserialize(self.decoder())
    }

    fn size_hint(&self) -> Option<usize> {
        Some(*self.left)
    }
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Stop;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(mut self, seed: S) -> Result<(S::Value, Self), Stop> {
        match seed.deserialize(self.name()) {
            Ok(value) => Ok((value, self)),
            Err(stop) => Err(stop),
        }
    }
}

impl<'de> Variant<'_, 'de> {
    fn name(&mut self) -> Decoder<'_, 'de> {
        Decoder::new(self.decoder.reader, self.decoder.depth)
    }

    fn content(&mut self) -> Result<Token<'de>, Stop> {
        if self.full {
            self.decoder.reader.sequence()
        } else {
            Err(Stop)
        }
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Stop;

    fn unit_variant(self) -> Result<(), Stop> {
        if self.full {
            self.decoder.reader.nil()
        } else {
            Ok(())
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Stop> {
        if self.full {
            seed.deserialize(self.decoder)
        } else {
            Err(Stop)
        }
    }

    fn tuple_variant<V: Visitor<'de>>(mut self, _len: usize, visitor: V) -> Result<V::Value, Stop> {
        let token = self.content();
        self.decoder.visit(token, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        mut self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let token = self.content();
        self.decoder.visit(token, visitor)
    }
}
