//! Values that hold values: sequences and maps.

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};
use siphasher::sip128::SipHasher13;

use super::serializer::{Failure, ValueSerializer};
use super::sink::Sink;

/// `(a,b)`.
pub(super) struct Sequence<'a> {
    sink: &'a mut Sink,
    empty: bool,
}

impl<'a> Sequence<'a> {
    pub(super) fn open(sink: &'a mut Sink) -> Self {
        sink.open_sequence();
        Self { sink, empty: true }
    }

    pub(super) fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        self.sink.next_element(self.empty);
        self.empty = false;
        value.serialize(ValueSerializer(self.sink))
    }

    pub(super) fn close(self) {
        self.sink.close_sequence(self.empty);
    }
}

/// `(k=v,k=v)`, sorted.
pub(super) struct Map<'a> {
    sink: &'a mut Sink,
    len: u64,
    /// A key has come whose value has not.
    halfway: bool,
    entries: Entries,
}

/// The entries so far. They are a multiset: serde lets a map repeat a key.
enum Entries {
    /// Every entry's start and the end of its key, all behind `start` in the text.
    Text {
        start: usize,
        bounds: Vec<(usize, usize)>,
    },
    /// The sum of their hashes, and the hash that the map is part of.
    Hash {
        sum: u128,
        outer: Option<SipHasher13>,
    },
}

impl<'a> Map<'a> {
    pub(super) fn open(sink: &'a mut Sink) -> Self {
        let entries = match &*sink {
            Sink::Text(text) => Entries::Text {
                start: text.len(),
                bounds: Vec::new(),
            },
            Sink::Hash(_) => Entries::Hash {
                sum: 0,
                outer: None,
            },
        };
        Self {
            sink,
            len: 0,
            halfway: false,
            entries,
        }
    }

    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failure> {
        if std::mem::replace(&mut self.halfway, true) {
            return Err(unpaired());
        }
        let entry = match (&mut *self.sink, &mut self.entries) {
            (Sink::Hash(hash), Entries::Hash { outer, .. }) => {
                *outer = Some(hash.begin_entry());
                0
            }
            (Sink::Text(text), _) => text.len(),
            _ => unreachable!("a sink does not change its kind"),
        };
        self.len += 1;
        key.serialize(ValueSerializer(self.sink))?;
        if let (Sink::Text(text), Entries::Text { bounds, .. }) = (&*self.sink, &mut self.entries) {
            bounds.push((entry, text.len()));
        }
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        if !std::mem::replace(&mut self.halfway, false) {
            return Err(unpaired());
        }
        value.serialize(ValueSerializer(self.sink))?;
        if let (Sink::Hash(hash), Entries::Hash { sum, outer }) =
            (&mut *self.sink, &mut self.entries)
        {
            let outer = outer.take().ok_or_else(unpaired)?;
            *sum = sum.wrapping_add(hash.end_entry(outer));
        }
        Ok(())
    }

    fn close(self) -> Result<(), Failure> {
        if self.halfway {
            return Err(unpaired());
        }
        match (self.sink, self.entries) {
            (Sink::Text(text), Entries::Text { start, bounds }) => {
                sort_entries(text, start, &bounds);
            }
            (Sink::Hash(hash), Entries::Hash { sum, .. }) => hash.map(self.len, sum),
            _ => unreachable!("a sink does not change its kind"),
        }
        Ok(())
    }
}

fn unpaired() -> Failure {
    Failure("a map's keys and values do not come in pairs".to_owned())
}

/// Rewrites the entries behind `start` in order, with their punctuation.
fn sort_entries(text: &mut String, start: usize, bounds: &[(usize, usize)]) {
    let unsorted = text.split_off(start);
    let mut entries: Vec<(&str, &str)> = bounds
        .iter()
        .enumerate()
        .map(|(index, (entry, key_end))| {
            let end = bounds
                .get(index + 1)
                .map_or(unsorted.len(), |next| next.0 - start);
            (
                &unsorted[entry - start..key_end - start],
                &unsorted[key_end - start..end],
            )
        })
        .collect();
    entries.sort_unstable();
    text.push('(');
    if entries.is_empty() {
        text.push('=');
    }
    for (index, (key, value)) in entries.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(key);
        text.push('=');
        text.push_str(value);
    }
    text.push(')');
}

/// Serde knows a sequence by four names that differ in nothing here.
macro_rules! sequences {
    ($($name:ident :: $add:ident),*) => {$(
        impl $name for Sequence<'_> {
            type Ok = ();
            type Error = Failure;

            fn $add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
                self.element(value)
            }

            fn end(self) -> Result<(), Failure> {
                self.close();
                Ok(())
            }
        }
    )*};
}

sequences! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
}

impl SerializeMap for Map<'_> {
    type Ok = ();
    type Error = Failure;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failure> {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        self.value(value)
    }

    fn end(self) -> Result<(), Failure> {
        self.close()
    }
}

/// A struct and a struct variant are maps of their fields.
macro_rules! structs {
    ($($name:ident),*) => {$(
        impl $name for Map<'_> {
            type Ok = ();
            type Error = Failure;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Failure> {
                self.key(name)?;
                self.value(value)
            }

            fn end(self) -> Result<(), Failure> {
                self.close()
            }
        }
    )*};
}

structs! { SerializeStruct, SerializeStructVariant }
