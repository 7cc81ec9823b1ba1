//! What a value writes, held against what its type will read.
//!
//! Codecs write what `Serialize` says and read what `Deserialize` asks, and
//! nobody promises that the two agree. `skip_serializing_if`, a variant that is
//! skipped, `serialize_with` alone: by position each reads back as another
//! value, without an error. So every call of a value's `Serialize` goes through
//! a [`Checker`] that follows the traced [`Shape`] beside it. The formats that
//! describe themselves have their own blind spot: `Some(None)` and `Some(())`
//! are written as a plain nil and come back as `None`.

use std::cell::Cell;
use std::fmt::Display;

use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::shape::{Kind, Leaf, Node, Ref, Shape};

/// What one encoder can carry.
pub(super) struct Rules<'a> {
    /// By position: the value must have this shape. `None`: names and kinds
    /// are in the bytes.
    pub(super) shape: Option<&'a Shape>,
    /// Neither infinity nor NaN.
    pub(super) finite: bool,
    pub(super) depth: u16,
    pub(super) fault: Cell<Option<Fault>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not what the type's `Deserialize` would ask for in this place.
    Shape,
    /// `Some` of something that is written as nothing.
    Nested,
    NotFinite,
    TooDeep,
}

impl Rules<'_> {
    /// Errors of encoders cannot carry a fault of ours, so it waits here.
    fn refuse<T, E: Error>(&self, fault: Fault) -> Result<T, E> {
        self.fault.set(Some(fault));
        Err(E::custom("refused"))
    }
}

/// A value on its way into an encoder.
pub(super) struct Checked<'a, T: ?Sized> {
    value: &'a T,
    place: Place<'a>,
}

impl<'a, T: ?Sized> Checked<'a, T> {
    pub(super) fn new(value: &'a T, rules: &'a Rules<'a>) -> Self {
        let at = rules.shape.map_or(Ref::Unknown, |shape| shape.root);
        let place = Place {
            rules,
            at,
            depth: rules.depth,
            optional: false,
        };
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

/// Where in the shape a value stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    rules: &'a Rules<'a>,
    at: Ref,
    depth: u16,
    /// Directly inside a `Some`.
    optional: bool,
}

impl<'a> Place<'a> {
    fn leaf<E: Error>(&self, leaf: Leaf) -> Result<(), E> {
        if self.rules.shape.is_some() && self.at != Ref::Leaf(leaf) {
            return self.rules.refuse(Fault::Shape);
        }
        Ok(())
    }

    fn float<E: Error>(&self, leaf: Leaf, finite: bool) -> Result<(), E> {
        if self.rules.finite && !finite {
            return self.rules.refuse(Fault::NotFinite);
        }
        self.leaf(leaf)
    }

    /// Something that the formats with names write as nothing.
    fn nil<E: Error>(&self) -> Result<(), E> {
        if self.optional && self.rules.shape.is_none() {
            return self.rules.refuse(Fault::Nested);
        }
        Ok(())
    }

    /// `len`: how many parts the value has, where that is the type's to say.
    fn enter<E: Error>(&self, kind: Kind, len: Option<usize>) -> Result<Parts<'a>, E> {
        let Some(depth) = self.depth.checked_sub(1) else {
            return self.rules.refuse(Fault::TooDeep);
        };
        let node = match self.rules.shape {
            None => None,
            Some(shape) => match shape.node(self.at) {
                Some(node)
                    if node.kind == kind && len.is_none_or(|len| len == node.parts.len()) =>
                {
                    Some(node)
                }
                _ => return self.rules.refuse(Fault::Shape),
            },
        };
        Ok(Parts {
            rules: self.rules,
            node,
            next: 0,
            depth,
        })
    }

    /// The place of an enum's variant, by index and by name.
    fn variant<E: Error>(&self, index: u32, name: &str) -> Result<Self, E> {
        let Parts { node, depth, .. } = self.enter(Kind::Enum, None)?;
        let index = index as usize;
        let at = match node {
            None => Ref::Unknown,
            Some(node) if node.names.get(index) == Some(&name) => node.part(index),
            Some(_) => return self.rules.refuse(Fault::Shape),
        };
        Ok(Self {
            at,
            depth,
            optional: false,
            ..*self
        })
    }
}

impl Node {
    fn part(&self, index: usize) -> Ref {
        self.parts.get(index).copied().unwrap_or(Ref::Unknown)
    }
}

/// The walk over the parts of one value.
struct Parts<'a> {
    rules: &'a Rules<'a>,
    node: Option<&'a Node>,
    next: usize,
    depth: u16,
}

impl<'a> Parts<'a> {
    fn place(&self, part: usize) -> Place<'a> {
        let at = self.node.map_or(Ref::Unknown, |node| node.part(part));
        Place {
            rules: self.rules,
            at,
            depth: self.depth,
            optional: false,
        }
    }

    fn checked<'v, T: ?Sized>(&self, part: usize, value: &'v T) -> Checked<'v, T>
    where
        'a: 'v,
    {
        Checked {
            value,
            place: self.place(part),
        }
    }

    /// The next part of a tuple.
    fn part<E: Error>(&mut self) -> Result<usize, E> {
        let part = self.next;
        if self.node.is_some_and(|node| part >= node.parts.len()) {
            return self.rules.refuse(Fault::Shape);
        }
        self.next += 1;
        Ok(part)
    }

    /// The next part of a struct, under this name.
    fn field<E: Error>(&mut self, name: &str) -> Result<usize, E> {
        let part = self.part()?;
        let Some(node) = self.node else {
            return Ok(part);
        };
        let known = if node.names.len() == node.parts.len() {
            same_name(node.names[part], name)
        } else {
            node.names.iter().any(|known| same_name(known, name))
        };
        if known {
            Ok(part)
        } else {
            self.rules.refuse(Fault::Shape)
        }
    }

    fn skipped<E: Error>(&self) -> Result<(), E> {
        if self.node.is_some() {
            return self.rules.refuse(Fault::Shape);
        }
        Ok(())
    }

    fn end<E: Error>(&self) -> Result<(), E> {
        if self.node.is_some_and(|node| self.next != node.parts.len()) {
            return self.rules.refuse(Fault::Shape);
        }
        Ok(())
    }

    /// The end of a sequence or map that announced `claimed` elements.
    fn end_of<E: Error>(&self, claimed: Option<usize>) -> Result<(), E> {
        if claimed.is_some_and(|claimed| claimed != self.next) {
            return self.rules.refuse(Fault::Shape);
        }
        Ok(())
    }
}

/// A type may write `user_id` and read `userId` (`rename_all` with two
/// conventions); by position that is the same field.
fn same_name(read: &str, written: &str) -> bool {
    fn letters(name: &str) -> impl Iterator<Item = char> {
        name.chars()
            .filter(|c| !matches!(c, '_' | '-'))
            .flat_map(char::to_lowercase)
    }
    read == written || letters(read).eq(letters(written))
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
        let place = Place {
            optional: true,
            ..place
        };
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
        let Some(depth) = self.place.depth.checked_sub(1) else {
            return self.place.rules.refuse(Fault::TooDeep);
        };
        let place = Place {
            depth,
            ..self.place
        };
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
            .serialize_newtype_variant(name, index, variant, &parts.checked(0, value))
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
        self.inner.serialize_element(&self.parts.checked(0, value))
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
        self.inner.serialize_key(&self.parts.checked(0, key))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.inner.serialize_value(&self.parts.checked(1, value))
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
                self.inner.$method(&self.parts.checked(part, value))
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
                self.inner.serialize_field(name, &self.parts.checked(part, value))
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
