//! Any serializable value into a sink.

use std::fmt;

use serde::ser::{self, Serialize, Serializer};

use super::containers::{Map, Sequence};
use super::sink::Sink;

pub(super) struct ValueSerializer<'a>(pub(super) &'a mut Sink);

/// What a `Serialize` implementation had to say against being serialized.
#[derive(Debug)]
pub(super) struct Failure(pub(super) String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl ser::Error for Failure {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl<'a> Serializer for ValueSerializer<'a> {
    type Ok = ();
    type Error = Failure;
    type SerializeSeq = Sequence<'a>;
    type SerializeTuple = Sequence<'a>;
    type SerializeTupleStruct = Sequence<'a>;
    type SerializeTupleVariant = Sequence<'a>;
    type SerializeMap = Map<'a>;
    type SerializeStruct = Map<'a>;
    type SerializeStructVariant = Map<'a>;

    fn serialize_bool(self, value: bool) -> Result<(), Failure> {
        self.0.bool(value);
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), Failure> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Failure> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Failure> {
        self.serialize_i64(value.into())
    }

    #[inline]
    fn serialize_i64(self, value: i64) -> Result<(), Failure> {
        self.0.signed(value);
        Ok(())
    }

    fn serialize_i128(self, value: i128) -> Result<(), Failure> {
        self.0.signed_wide(value);
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Result<(), Failure> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Failure> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Failure> {
        self.serialize_u64(value.into())
    }

    #[inline]
    fn serialize_u64(self, value: u64) -> Result<(), Failure> {
        self.0.unsigned(value);
        Ok(())
    }

    fn serialize_u128(self, value: u128) -> Result<(), Failure> {
        self.0.unsigned_wide(value);
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), Failure> {
        // Exact, so that a number has one text whichever width it came in.
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Failure> {
        self.0.float(value);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Failure> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), Failure> {
        self.0.str(value);
        Ok(())
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), Failure> {
        self.0
            .display(value)
            .map_err(|_| Failure("a `Display` implementation failed".to_owned()))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Failure> {
        self.0.bytes(value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Failure> {
        self.0.none();
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Failure> {
        self.0.some();
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Failure> {
        self.0.unit();
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), Failure> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), Failure> {
        self.0.unit_variant(variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), Failure> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Failure> {
        self.0.variant(variant);
        let mut content = Sequence::open(self.0);
        content.element(value)?;
        content.close();
        Ok(())
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Sequence<'a>, Failure> {
        Ok(Sequence::open(self.0))
    }

    fn serialize_tuple(self, _len: usize) -> Result<Sequence<'a>, Failure> {
        Ok(Sequence::open(self.0))
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<Sequence<'a>, Failure> {
        Ok(Sequence::open(self.0))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Sequence<'a>, Failure> {
        self.0.variant(variant);
        Ok(Sequence::open(self.0))
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Map<'a>, Failure> {
        Ok(Map::open(self.0))
    }

    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Map<'a>, Failure> {
        Ok(Map::open(self.0))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Map<'a>, Failure> {
        self.0.variant(variant);
        Ok(Map::open(self.0))
    }
}
