//! What a value writes, held against what its type will read.
//!
//! Codecs write what `Serialize` says and read what `Deserialize` asks, and
//! nobody promises that the two agree. `skip_serializing_if`, a variant that is
//! skipped, `serialize_with` alone: by position each reads back as another
//! value, without an error. So every call of a value's `Serialize` goes through
//! a [`Checker`] that follows the traced shape beside it. The formats that
//! describe themselves have their own blind spot: `Some(None)` and `Some(())`
//! are written as a plain nil and come back as `None`.

use std::fmt::Display;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::place::{Parts, Place, Rules};
use super::shape::{Kind, Leaf};

/// A value on its way into an encoder.
pub(super) struct Checked<'a, T: ?Sized> {
    value: &'a T,
    place: Place<'a>,
}

impl<'a, T: ?Sized> Checked<'a, T> {
    pub(super) fn new(value: &'a T, rules: &'a Rules<'a>) -> Self {
        let place = Place::root(rules);
        Self { value, place }
    }

    /// A part of what is being walked over.
    fn part(value: &'a T, parts: &Parts<'a>, part: usize) -> Self {
        let place = parts.place(part);
        Self { value, place }
    }
}

impl<T: Serialize + ?Sized> Serialize for Checked<'_, T> {
    fn serialize<S: Serializer>(&self, inner: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Checker {
            inner,
            place: self.place,
        })
    }
}

/// An encoder behind the checks.
pub(super) struct Checker<'a, S> {
    inner: S,
    place: Place<'a>,
}

/// An encoder's sequence, tuple, map or struct behind the checks.
pub(super) struct CheckedParts<'a, C> {
    inner: C,
    parts: Parts<'a>,
}

/// The same for what announces its length by value.
pub(super) struct CheckedElements<'a, C> {
    inner: C,
    parts: Parts<'a>,
    claimed: Option<usize>,
}

macro_rules! leaves {
    ($($name:ident($ty:ty) => $leaf:ident,)*) => {$(
        fn $name(self, value: $ty) -> Result<S::Ok, S::Error> {
            self.place.leaf(Leaf::$leaf)?;
            self.inner.$name(value)
        }
    )*};
}

impl<'a, S: Serializer> Serializer for Checker<'a, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = CheckedElements<'a, S::SerializeSeq>;
    type SerializeTuple = CheckedParts<'a, S::SerializeTuple>;
    type SerializeTupleStruct = CheckedParts<'a, S::SerializeTupleStruct>;
    type SerializeTupleVariant = CheckedParts<'a, S::SerializeTupleVariant>;
    type SerializeMap = CheckedElements<'a, S::SerializeMap>;
    type SerializeStruct = CheckedParts<'a, S::SerializeStruct>;
    type SerializeStructVariant = CheckedParts<'a, S::SerializeStructVariant>;

    leaves! {
        serialize_bool(bool) => Bool,
        serialize_i8(i8) => I8,
        serialize_i16(i16) => I16,
        serialize_i32(i32) => I32,
        serialize_i64(i64) => I64,
        serialize_i128(i128) => I128,
        serialize_u8(u8) => U8,
        serialize_u16(u16) => U16,
        serialize_u32(u32) => U32,
        serialize_u64(u64) => U64,
        serialize_u128(u128) => U128,
        serialize_char(char) => Char,
        serialize_str(&str) => Str,
        serialize_bytes(&[u8]) => Bytes,
    }

    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        self.place.float(Leaf::F32, value.is_finite())?;
        self.inner.serialize_f32(value)
    }

    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        self.place.float(Leaf::F64, value.is_finite())?;
        self.inner.serialize_f64(value)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.place.leaf(Leaf::Str)?;
        self.inner.collect_str(value)
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.place.nil()?;
        self.place.enter(Kind::Option, None)?;
        self.inner.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let place = self.place.enter(Kind::Option, None)?.place(0);
        let place = place.inside_some();
        self.inner.serialize_some(&Checked { value, place })
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.place.nil()?;
        self.place.leaf(Leaf::Unit)?;
        self.inner.serialize_unit()
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.place.nil()?;
        self.place.leaf(Leaf::UnitStruct)?;
        self.inner.serialize_unit_struct(name)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let place = self.place.content()?;
        self.inner
            .serialize_newtype_struct(name, &Checked { value, place })
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.place.variant(index, variant)?.leaf(Leaf::Unit)?;
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let parts = self
            .place
            .variant(index, variant)?
            .enter(Kind::NewtypeVariant, None)?;
        self.inner
            .serialize_newtype_variant(name, index, variant, &Checked::part(value, &parts, 0))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        let parts = self.place.enter(Kind::Seq, None)?;
        Ok(CheckedElements {
            inner: self.inner.serialize_seq(len)?,
            parts,
            claimed: len,
        })
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        let parts = self.place.enter(Kind::Tuple, Some(len))?;
        Ok(CheckedParts {
            inner: self.inner.serialize_tuple(len)?,
            parts,
        })
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        let parts = self.place.enter(Kind::Tuple, Some(len))?;
        Ok(CheckedParts {
            inner: self.inner.serialize_tuple_struct(name, len)?,
            parts,
        })
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        let parts = self
            .place
            .variant(index, variant)?
            .enter(Kind::TupleVariant, Some(len))?;
        let inner = self
            .inner
            .serialize_tuple_variant(name, index, variant, len)?;
        Ok(CheckedParts { inner, parts })
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        let parts = self.place.enter(Kind::Map, None)?;
        Ok(CheckedElements {
            inner: self.inner.serialize_map(len)?,
            parts,
            claimed: len,
        })
    }

    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        let parts = self.place.enter(Kind::Struct, Some(len))?;
        Ok(CheckedParts {
            inner: self.inner.serialize_struct(name, len)?,
            parts,
        })
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        let parts = self
            .place
            .variant(index, variant)?
            .enter(Kind::StructVariant, Some(len))?;
        let inner = self
            .inner
            .serialize_struct_variant(name, index, variant, len)?;
        Ok(CheckedParts { inner, parts })
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

impl<C: SerializeSeq> SerializeSeq for CheckedElements<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.parts.next += 1;
        self.inner
            .serialize_element(&Checked::part(value, &self.parts, 0))
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.parts.end_of(self.claimed)?;
        self.inner.end()
    }
}

impl<C: SerializeMap> SerializeMap for CheckedElements<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        self.parts.next += 1;
        self.inner
            .serialize_key(&Checked::part(key, &self.parts, 0))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.inner
            .serialize_value(&Checked::part(value, &self.parts, 1))
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.parts.end_of(self.claimed)?;
        self.inner.end()
    }
}

macro_rules! tuples {
    ($($trait:ident: $method:ident,)*) => {$(
        impl<C: $trait> $trait for CheckedParts<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                let part = self.parts.part()?;
                self.inner.$method(&Checked::part(value, &self.parts, part))
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.parts.end()?;
                self.inner.end()
            }
        }
    )*};
}

tuples! {
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field,
}

macro_rules! structs {
    ($($trait:ident,)*) => {$(
        impl<C: $trait> $trait for CheckedParts<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), C::Error> {
                let part = self.parts.field(name)?;
                self.inner.serialize_field(name, &Checked::part(value, &self.parts, part))
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), C::Error> {
                self.parts.skipped()?;
                self.inner.skip_field(name)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.parts.end()?;
                self.inner.end()
            }
        }
    )*};
}

structs! {
    SerializeStruct,
    SerializeStructVariant,
}
