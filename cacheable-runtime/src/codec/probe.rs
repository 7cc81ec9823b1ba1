//! The deserializer that a type reads from while it is traced.
//!
//! It holds nothing but the way to the [`Tracer`], which decides. Structs are
//! always read in order, never by name: aliases do no harm then, and that is
//! how `bincode` reads them.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use super::samples::{self, Any};
use super::shape::{Kind, Leaf};
use super::stop::Stop;
use super::tracer::{Identity, MAX_DEPTH, Tracer};

/// One run of `T`.
pub(super) fn run<T: DeserializeOwned>(tracer: &mut Tracer) -> bool {
    T::deserialize(Probe {
        tracer,
        depth: MAX_DEPTH,
    })
    .is_ok()
}

struct Probe<'t> {
    tracer: &'t mut Tracer,
    depth: u16,
}

impl Probe<'_> {
    fn deeper(self) -> Result<Self, Stop> {
        let depth = self.depth.checked_sub(1).ok_or(Stop)?;
        Ok(Self { depth, ..self })
    }
}

macro_rules! integers {
    ($($name:ident => $visit:ident, $leaf:ident, $ty:ty;)*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
            let sample = self.tracer.leaf(Leaf::$leaf, samples::INTEGERS.len())?;
            visitor.$visit(<$ty>::try_from(samples::INTEGERS[sample]).unwrap_or(1))
        }
    )*};
}

macro_rules! samples_of {
    ($($name:ident => $visit:ident, $leaf:ident, |$sample:ident| $count:expr, $value:expr;)*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
            let $sample = self.tracer.leaf(Leaf::$leaf, $count)?;
            visitor.$visit($value)
        }
    )*};
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Stop;

    integers! {
        deserialize_i8 => visit_i8, I8, i8;
        deserialize_i16 => visit_i16, I16, i16;
        deserialize_i32 => visit_i32, I32, i32;
        deserialize_i64 => visit_i64, I64, i64;
        deserialize_i128 => visit_i128, I128, i128;
        deserialize_u8 => visit_u8, U8, u8;
        deserialize_u16 => visit_u16, U16, u16;
        deserialize_u32 => visit_u32, U32, u32;
        deserialize_u64 => visit_u64, U64, u64;
        deserialize_u128 => visit_u128, U128, u128;
    }

    samples_of! {
        deserialize_bool => visit_bool, Bool, |sample| 2, sample == 1;
        deserialize_f32 => visit_f32, F32, |sample| samples::FLOATS.len(), samples::FLOATS[sample] as f32;
        deserialize_f64 => visit_f64, F64, |sample| samples::FLOATS.len(), samples::FLOATS[sample];
        deserialize_char => visit_char, Char, |sample| samples::CHARS.len(), samples::CHARS[sample];
        deserialize_str => visit_borrowed_str, Str, |sample| samples::STRINGS.len(), samples::STRINGS[sample];
        deserialize_string => visit_borrowed_str, Str, |sample| samples::STRINGS.len(), samples::STRINGS[sample];
        deserialize_bytes => visit_borrowed_bytes, Bytes, |sample| samples::BYTE_LENGTHS.len(), samples::bytes(sample);
        deserialize_byte_buf => visit_borrowed_bytes, Bytes, |sample| samples::BYTE_LENGTHS.len(), samples::bytes(sample);
        // Outside an enum only formats that describe themselves have names.
        deserialize_identifier => visit_borrowed_str, Any, |sample| samples::STRINGS.len(), samples::STRINGS[sample];
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let sample = self.tracer.leaf(Leaf::Any, samples::ANYTHING.len())?;
        match samples::ANYTHING[sample] {
            Any::Str(value) => visitor.visit_borrowed_str(value),
            Any::U64(value) => visitor.visit_u64(value),
            Any::I64(value) => visitor.visit_i64(value),
            Any::F64(value) => visitor.visit_f64(value),
            Any::Bool(value) => visitor.visit_bool(value),
            Any::Unit => visitor.visit_unit(),
            Any::Seq => visitor.visit_seq(Nothing),
            Any::Map => visitor.visit_map(Nothing),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.tracer.leaf(Leaf::Any, 1)?;
        visitor.visit_unit()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.tracer.leaf(Leaf::Unit, 1)?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.tracer.leaf(Leaf::UnitStruct, 1)?;
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        visitor.visit_newtype_struct(self.deeper()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let Self { tracer, depth } = self.deeper()?;
        let level = tracer.enter(Identity::of::<V>(Kind::Option, &[], 0), 1)?;
        let value = if tracer.elements(level, &[1]) == 0 {
            visitor.visit_none()?
        } else {
            visitor.visit_some(Probe { tracer, depth })?
        };
        tracer.leave(level);
        Ok(value)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let Self { tracer, depth } = self.deeper()?;
        let level = tracer.enter(Identity::of::<V>(Kind::Seq, &[], 0), 1)?;
        let left = tracer.elements(level, samples::LENGTHS);
        let value = visitor.visit_seq(Elements {
            tracer,
            depth,
            level,
            left,
        })?;
        tracer.leave(level);
        Ok(value)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let Self { tracer, depth } = self.deeper()?;
        let level = tracer.enter(Identity::of::<V>(Kind::Map, &[], 0), 2)?;
        let left = tracer.elements(level, samples::LENGTHS);
        let value = visitor.visit_map(Elements {
            tracer,
            depth,
            level,
            left,
        })?;
        tracer.leave(level);
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        let probe = self.deeper()?;
        let level = probe
            .tracer
            .enter(Identity::of::<V>(Kind::Tuple, &[], len), 0)?;
        probe.parts(level, len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let probe = self.deeper()?;
        let identity = Identity::of::<V>(Kind::Struct, fields, fields.len());
        let level = probe.tracer.enter(identity, 0)?;
        probe.parts(level, fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let Self { tracer, depth } = self.deeper()?;
        let identity = Identity::of::<V>(Kind::Enum, variants, variants.len());
        let level = tracer.enter(identity, variants.len())?;
        let variant = tracer.variant(level)?;
        let name = variants[variant as usize];
        let value = visitor.visit_enum(Variant {
            probe: Probe { tracer, depth },
            name,
        })?;
        tracer.leave(level);
        Ok(value)
    }

    fn is_human_readable(&self) -> bool {
        self.tracer.human_readable
    }
}

impl Probe<'_> {
    /// The parts of a tuple or struct, at most `len`.
    fn parts<'de, V: Visitor<'de>>(
        self,
        level: usize,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let Self { tracer, depth } = self;
        let mut read = 0;
        let parts = Parts {
            tracer: &mut *tracer,
            depth,
            level,
            len,
            read: &mut read,
        };
        let value = visitor.visit_seq(parts)?;
        tracer.leave_after(level, read);
        Ok(value)
    }
}

struct Parts<'t> {
    tracer: &'t mut Tracer,
    depth: u16,
    level: usize,
    len: usize,
    read: &'t mut usize,
}

impl<'de> SeqAccess<'de> for Parts<'_> {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        if *self.read == self.len {
            return Ok(None);
        }
        self.tracer.go_to(self.level, *self.read as u32);
        *self.read += 1;
        seed.deserialize(Probe {
            tracer: self.tracer,
            depth: self.depth,
        })
        .map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.len - *self.read)
    }
}

/// The elements of a sequence or map.
struct Elements<'t> {
    tracer: &'t mut Tracer,
    depth: u16,
    level: usize,
    left: usize,
}

impl Elements<'_> {
    fn read<'de, S: DeserializeSeed<'de>>(&mut self, part: u32, seed: S) -> Result<S::Value, Stop> {
        self.tracer.go_to(self.level, part);
        seed.deserialize(Probe {
            tracer: self.tracer,
            depth: self.depth,
        })
    }
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        self.read(0, seed).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> MapAccess<'de> for Elements<'_> {
    type Error = Stop;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        self.read(0, seed).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        self.read(1, seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// A variant's name, then its content.
struct Variant<'t> {
    probe: Probe<'t>,
    name: &'static str,
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Stop;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Stop> {
        let value = seed.deserialize(BorrowedStrDeserializer::<Stop>::new(self.name))?;
        Ok((value, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Stop;

    fn unit_variant(self) -> Result<(), Stop> {
        self.probe.tracer.leaf(Leaf::Unit, 1).map(drop)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Stop> {
        let Probe { tracer, depth } = self.probe;
        let level = tracer.enter_variant(Kind::NewtypeVariant, &[], 1)?;
        let value = seed.deserialize(Probe {
            tracer: &mut *tracer,
            depth,
        })?;
        tracer.leave(level);
        Ok(value)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        let level = self
            .probe
            .tracer
            .enter_variant(Kind::TupleVariant, &[], 0)?;
        self.probe.parts(level, len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let level = self
            .probe
            .tracer
            .enter_variant(Kind::StructVariant, fields, 0)?;
        self.probe.parts(level, fields.len(), visitor)
    }
}

/// An empty sequence or map.
struct Nothing;

impl<'de> SeqAccess<'de> for Nothing {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        _seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        Ok(None)
    }
}

impl<'de> MapAccess<'de> for Nothing {
    type Error = Stop;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        _seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, _seed: S) -> Result<S::Value, Stop> {
        Err(Stop)
    }
}
