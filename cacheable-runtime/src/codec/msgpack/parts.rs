//! The parts of a value: elements, entries, variants. None of these types is
//! generic, so each is compiled once.

use serde::de::{DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::super::stop::Stop;
use super::de::Decoder;
use super::read::{Reader, Token};

/// The elements of an array or the entries of a map.
pub(super) struct Parts<'a, 'de> {
    reader: &'a mut Reader<'de>,
    depth: u16,
    left: &'a mut usize,
}

/// A variant of an enum.
pub(super) struct Variant<'a, 'de> {
    pub(super) decoder: Decoder<'a, 'de>,
    /// Its content follows its name.
    pub(super) full: bool,
}

impl<'a, 'de> Parts<'a, 'de> {
    #[inline]
    pub(super) fn new(reader: &'a mut Reader<'de>, depth: u16, left: &'a mut usize) -> Self {
        Self {
            reader,
            depth,
            left,
        }
    }

    #[inline]
    fn decoder(&mut self) -> Decoder<'_, 'de> {
        Decoder::new(self.reader, self.depth)
    }

    #[inline]
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

    fn content(&mut self) -> Result<Token, Stop> {
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
