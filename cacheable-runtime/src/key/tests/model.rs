//! Values over the whole of serde's data model, and what makes two of them one.

use proptest::prelude::*;
use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

#[derive(Clone, Debug)]
pub(super) enum Value {
    Bool(bool),
    I8(i8),
    I64(i64),
    I128(i128),
    U8(u8),
    U64(u64),
    U128(u128),
    F32(f32),
    F64(f64),
    Char(char),
    Str(String),
    Displayed(String),
    Bytes(Vec<u8>),
    None,
    Some(Box<Value>),
    Unit,
    UnitStruct,
    UnitVariant(&'static str),
    NewtypeStruct(Box<Value>),
    NewtypeVariant(&'static str, Box<Value>),
    Seq(Vec<Value>),
    Tuple(Vec<Value>),
    TupleStruct(Vec<Value>),
    TupleVariant(&'static str, Vec<Value>),
    Map(Vec<(Value, Value)>),
    Struct(Vec<(&'static str, Value)>),
    StructVariant(&'static str, Vec<(&'static str, Value)>),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::I8(value) => serializer.serialize_i8(*value),
            Self::I64(value) => serializer.serialize_i64(*value),
            Self::I128(value) => serializer.serialize_i128(*value),
            Self::U8(value) => serializer.serialize_u8(*value),
            Self::U64(value) => serializer.serialize_u64(*value),
            Self::U128(value) => serializer.serialize_u128(*value),
            Self::F32(value) => serializer.serialize_f32(*value),
            Self::F64(value) => serializer.serialize_f64(*value),
            Self::Char(value) => serializer.serialize_char(*value),
            Self::Str(value) => serializer.serialize_str(value),
            Self::Displayed(value) => serializer.collect_str(value),
            Self::Bytes(value) => serializer.serialize_bytes(value),
            Self::None => serializer.serialize_none(),
            Self::Some(value) => serializer.serialize_some(value),
            Self::Unit => serializer.serialize_unit(),
            Self::UnitStruct => serializer.serialize_unit_struct("Unit"),
            Self::UnitVariant(name) => serializer.serialize_unit_variant("Enum", 0, name),
            Self::NewtypeStruct(value) => serializer.serialize_newtype_struct("New", value),
            Self::NewtypeVariant(name, value) => {
                serializer.serialize_newtype_variant("Enum", 1, name, value)
            }
            Self::Seq(values) => {
                let mut seq = serializer.serialize_seq(None)?;
                values
                    .iter()
                    .try_for_each(|value| seq.serialize_element(value))?;
                seq.end()
            }
            Self::Tuple(values) => {
                let mut tuple = serializer.serialize_tuple(values.len())?;
                values
                    .iter()
                    .try_for_each(|value| tuple.serialize_element(value))?;
                tuple.end()
            }
            Self::TupleStruct(values) => {
                let mut tuple = serializer.serialize_tuple_struct("Tuple", values.len())?;
                values
                    .iter()
                    .try_for_each(|value| tuple.serialize_field(value))?;
                tuple.end()
            }
            Self::TupleVariant(name, values) => {
                let mut tuple =
                    serializer.serialize_tuple_variant("Enum", 2, name, values.len())?;
                values
                    .iter()
                    .try_for_each(|value| tuple.serialize_field(value))?;
                tuple.end()
            }
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(None)?;
                entries
                    .iter()
                    .try_for_each(|(key, value)| map.serialize_entry(key, value))?;
                map.end()
            }
            Self::Struct(fields) => {
                let mut map = serializer.serialize_struct("Struct", fields.len())?;
                fields
                    .iter()
                    .try_for_each(|(key, value)| map.serialize_field(key, value))?;
                map.end()
            }
            Self::StructVariant(name, fields) => {
                let mut map = serializer.serialize_struct_variant("Enum", 3, name, fields.len())?;
                fields
                    .iter()
                    .try_for_each(|(key, value)| map.serialize_field(key, value))?;
                map.end()
            }
        }
    }
}

/// A value with the documented equivalences divided out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Meaning {
    Bool(bool),
    Negative(i128),
    Unsigned(u128),
    /// The bits.
    Float(u64),
    Str(String),
    Bytes(Vec<u8>),
    None,
    Some(Box<Meaning>),
    Unit,
    UnitVariant(String),
    Variant(String, Box<Meaning>),
    Seq(Vec<Meaning>),
    /// Sorted.
    Map(Vec<(Meaning, Meaning)>),
}

impl Value {
    pub(super) fn meaning(&self) -> Meaning {
        match self {
            Self::Bool(value) => Meaning::Bool(*value),
            Self::I8(value) => integer((*value).into()),
            Self::I64(value) => integer((*value).into()),
            Self::I128(value) => integer(*value),
            Self::U8(value) => Meaning::Unsigned((*value).into()),
            Self::U64(value) => Meaning::Unsigned((*value).into()),
            Self::U128(value) => Meaning::Unsigned(*value),
            Self::F32(value) => float((*value).into()),
            Self::F64(value) => float(*value),
            Self::Char(value) => Meaning::Str(value.to_string()),
            Self::Str(value) | Self::Displayed(value) => Meaning::Str(value.clone()),
            Self::Bytes(value) => Meaning::Bytes(value.clone()),
            Self::None => Meaning::None,
            Self::Some(value) => Meaning::Some(Box::new(value.meaning())),
            Self::Unit | Self::UnitStruct => Meaning::Unit,
            Self::UnitVariant(name) => Meaning::UnitVariant((*name).to_owned()),
            Self::NewtypeStruct(value) => value.meaning(),
            Self::NewtypeVariant(name, value) => variant(name, Meaning::Seq(vec![value.meaning()])),
            Self::Seq(values) | Self::Tuple(values) | Self::TupleStruct(values) => seq(values),
            Self::TupleVariant(name, values) => variant(name, seq(values)),
            Self::Map(entries) => map(entries
                .iter()
                .map(|(key, value)| (key.meaning(), value.meaning()))),
            Self::Struct(fields) => map(named(fields)),
            Self::StructVariant(name, fields) => variant(name, map(named(fields))),
        }
    }

    /// The same value in other clothes.
    pub(super) fn disguised(&self) -> Self {
        let all = |values: &[Self]| values.iter().map(Self::disguised).collect();
        match self {
            Self::I8(value) => Self::I128((*value).into()),
            Self::I64(value) => u64::try_from(*value).map_or(self.clone(), Self::U64),
            Self::U8(value) => Self::I64((*value).into()),
            Self::U64(value) => Self::U128((*value).into()),
            Self::F32(value) => Self::F64((*value).into()),
            Self::Char(value) => Self::Str(value.to_string()),
            Self::Str(value) => Self::Displayed(value.clone()),
            Self::Some(value) => Self::Some(Box::new(value.disguised())),
            Self::Unit => Self::UnitStruct,
            Self::NewtypeStruct(value) => value.disguised(),
            Self::NewtypeVariant(name, value) => Self::TupleVariant(name, vec![value.disguised()]),
            Self::Seq(values) => Self::Tuple(all(values)),
            Self::Tuple(values) => Self::TupleStruct(all(values)),
            Self::TupleStruct(values) => Self::Seq(all(values)),
            Self::TupleVariant(name, values) => Self::TupleVariant(name, all(values)),
            Self::Map(entries) => Self::Map(
                entries
                    .iter()
                    .rev()
                    .map(|(key, value)| (key.disguised(), value.disguised()))
                    .collect(),
            ),
            Self::Struct(fields) => Self::Map(
                fields
                    .iter()
                    .rev()
                    .map(|(name, value)| (Self::Str((*name).to_owned()), value.disguised()))
                    .collect(),
            ),
            other => Self::NewtypeStruct(Box::new(other.clone())),
        }
    }
}

fn integer(value: i128) -> Meaning {
    u128::try_from(value).map_or(Meaning::Negative(value), Meaning::Unsigned)
}

fn float(value: f64) -> Meaning {
    Meaning::Float(if value.is_nan() { f64::NAN } else { value }.to_bits())
}

fn variant(name: &str, content: Meaning) -> Meaning {
    Meaning::Variant(name.to_owned(), Box::new(content))
}

fn seq(values: &[Value]) -> Meaning {
    Meaning::Seq(values.iter().map(Value::meaning).collect())
}

fn named(fields: &[(&'static str, Value)]) -> impl Iterator<Item = (Meaning, Meaning)> {
    fields
        .iter()
        .map(|(name, value)| (Meaning::Str((*name).to_owned()), value.meaning()))
}

pub(super) fn map(entries: impl Iterator<Item = (Meaning, Meaning)>) -> Meaning {
    let mut entries: Vec<_> = entries.collect();
    entries.sort();
    Meaning::Map(entries)
}

/// Strings that could be mistaken for each other, for other values or for punctuation.
pub(super) fn string() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => r"[ab:*?\[\]\\{}%(),=' ~@#<+.01eEx-]{0,4}",
        1 => prop::sample::select(vec![
            "", "null", "None", "~", "true", "false", "nan", "inf", "-inf", "1", "-1", "1.0", "()",
            "(,)", "(=)", "%3A", "%", "0x", "0x61", "@a", "@", "#", "'", "''", "é", "🦀", "\u{a0}",
            "\0", "\u{7f}", "\n", "\u{2028}", "1e5",
        ]).prop_map(str::to_owned),
        1 => "[ab\0\u{1}\u{b}\u{c}\u{f}ÿ]{1,4}",
        1 => any::<String>(),
        1 => (r"[ab:]", 60..250_usize).prop_map(|(text, times)| text.repeat(times)),
    ]
}

fn name() -> impl Strategy<Value = &'static str> + Clone {
    prop::sample::select(vec![
        "a", "b", "", "a:b", "(", "a=b", "~", "1", "a(b)", "é *",
    ])
}

fn leaf() -> impl Strategy<Value = Value> {
    let small = prop::sample::select(vec![0_i8, 1, -1, 10, 127, -128]);
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        small.clone().prop_map(Value::I8),
        small.clone().prop_map(|value| Value::I64(value.into())),
        small.clone().prop_map(|value| Value::I128(value.into())),
        small
            .clone()
            .prop_map(|value| Value::U8(value.unsigned_abs())),
        small.clone().prop_map(|value| Value::F64(value.into())),
        small.prop_map(|value| Value::F32(f32::from(value) / 10.0)),
        any::<i64>().prop_map(Value::I64),
        any::<i128>().prop_map(Value::I128),
        any::<u64>().prop_map(Value::U64),
        any::<u128>().prop_map(Value::U128),
        any::<f32>().prop_map(Value::F32),
        prop::num::f64::ANY.prop_map(Value::F64),
        prop::sample::select(vec![
            0.0,
            -0.0,
            f64::NAN,
            f64::INFINITY,
            f64::MIN_POSITIVE,
            1e16,
            5e-324
        ])
        .prop_map(Value::F64),
        any::<char>().prop_map(Value::Char),
        prop::sample::select(vec!['a', '1', ':', '~', '\'']).prop_map(Value::Char),
        string().prop_map(Value::Str),
        string().prop_map(Value::Displayed),
        prop::collection::vec(prop::sample::select(b"a0\x00\xff".to_vec()), 0..3)
            .prop_map(Value::Bytes),
        Just(Value::None),
        Just(Value::Unit),
        Just(Value::UnitStruct),
        name().prop_map(Value::UnitVariant),
    ]
}

pub(super) fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 12, 3, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let several = prop::collection::vec(inner.clone(), 0..3);
        let fields = prop::collection::vec((name(), inner.clone()), 0..3);
        prop_oneof![
            boxed.clone().prop_map(Value::Some),
            boxed.clone().prop_map(Value::NewtypeStruct),
            (name(), boxed).prop_map(|(name, value)| Value::NewtypeVariant(name, value)),
            several.clone().prop_map(Value::Seq),
            several.clone().prop_map(Value::Tuple),
            several.clone().prop_map(Value::TupleStruct),
            (name(), several).prop_map(|(name, values)| Value::TupleVariant(name, values)),
            prop::collection::vec((inner.clone(), inner), 0..3).prop_map(Value::Map),
            fields.clone().prop_map(Value::Struct),
            (name(), fields).prop_map(|(name, fields)| Value::StructVariant(name, fields)),
        ]
    })
}
