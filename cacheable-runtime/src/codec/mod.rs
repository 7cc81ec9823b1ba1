//! Values to bytes and back.
//!
//! [`schema`] finds out once what a type looks like; [`encode`] picks a codec
//! that carries the value rightly, or refuses; [`decode`] reads what an entry's
//! header says, once the caller has found the fingerprint to match. The
//! [`envelope`] keeps the two together in the store.
//!
//! No error in here holds a value or its bytes, nor the message of a user's
//! `Serialize`, which may.

mod bincode;
mod checked;
pub(crate) mod envelope;
mod fingerprint;
#[cfg(fuzzing)]
pub mod fuzzing;
mod guarded;
mod hidden;
#[cfg(feature = "json")]
mod json;
mod message;
mod msgpack;
mod place;
mod probe;
mod samples;
mod shape;
mod sink;
mod stop;
#[cfg(test)]
mod tests;
mod tracer;
mod walk;

use std::any::{TypeId, type_name};
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, ErrorKind};
use fingerprint::TypeInfo;
pub(crate) use hidden::{Hidden, hidden, none};
pub(crate) use message::message;
use place::{Fault, Rules};
use sink::Sink;

/// Levels of nesting that are written, `Some` and newtypes included.
const ENCODE_DEPTH: u16 = 128;
/// Levels that are read: what was written, and some room for types that read
/// in more steps than they write.
const DECODE_DEPTH: u16 = 160;

/// How the payload of an entry is written.
///
/// ```
/// use cacheable_runtime::CodecId;
///
/// assert_eq!(CodecId::Bincode.to_string(), "bincode");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CodecId {
    /// `bincode` 2: compact, by position.
    Bincode = 1,
    /// `MessagePack` with field names.
    MsgPack = 2,
    /// JSON.
    Json = 3,
}

/// What `codec = "…"` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CodecChoice {
    /// `bincode` where it carries the value rightly, else `MessagePack`.
    #[default]
    Auto,
    /// `bincode` or a counted error.
    Bincode,
    /// `MessagePack` with field names.
    MsgPack,
    /// JSON, for programs in other languages.
    #[cfg(feature = "json")]
    Json,
}

/// How values of one type are written at one site. Cheap to copy.
#[derive(Clone, Copy)]
pub(crate) struct Schema {
    /// What a value is written with as far as one can tell before.
    pub(crate) codec: CodecId,
    /// An entry with another one is of another type, or of an older form.
    pub(crate) fingerprint: u64,
    /// The fingerprint holds all of the type; see [`Schema::of_version`].
    pub(crate) complete: bool,
    choice: CodecChoice,
    info: &'static TypeInfo,
}

/// [`schema`] of a type, for code that is the same for all.
pub(crate) type SchemaOf = fn(CodecChoice, u64) -> Schema;

/// Why a value is not stored; the caller has it all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EncodeError {
    /// Over the size limit.
    TooLarge { limit: usize },
    /// Nested more than [`ENCODE_DEPTH`] levels.
    TooDeep,
    /// The codec that was asked for cannot carry this type or value.
    Unsupported(&'static str),
    /// It was written, but its type cannot read it.
    Unreadable,
    /// The value's own `Serialize` failed or panicked.
    Failed,
    /// More or longer tags than an entry holds.
    Tags,
}

/// Why a payload is a miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DecodeError {
    /// Not a value of this type.
    Malformed,
    /// A value of this type, and more behind it.
    Trailing,
    /// The type's `Deserialize` panicked.
    Panicked,
    /// Written with a codec that this program is built without.
    #[cfg(not(feature = "json"))]
    Missing(CodecId),
}

/// The schema of `T`, traced at the first call. `extra` is `schema = N`.
pub(crate) fn schema<T: DeserializeOwned + 'static>(choice: CodecChoice, extra: u64) -> Schema {
    let type_fns = const { &TypeFns::of::<T>() };
    Schema::new(fingerprint::of(TypeId::of::<T>(), type_fns), choice, extra)
}

/// What is compiled for every type that is read; the code around it is compiled
/// once.
struct TypeFns {
    name: fn() -> &'static str,
    trace: tracer::Run,
    decode: fn(CodecId, &[u8]) -> Result<(), DecodeError>,
}

impl TypeFns {
    const fn of<T: DeserializeOwned>() -> Self {
        Self {
            name: type_name::<T>,
            trace: probe::run::<T>,
            decode: |codec, bytes| decode::<T>(codec, bytes).map(drop),
        }
    }
}

/// A value to write: what of it is compiled for every type. The code around it
/// is compiled once.
pub(crate) trait Encodable {
    /// `false`: the cause is in `rules` or `out`, or the value's own.
    fn encode(&self, codec: CodecId, rules: &Rules<'_>, out: &mut Sink<'_>) -> bool;

    fn type_name(&self) -> &'static str;
}

impl<T: Serialize> Encodable for T {
    fn encode(&self, codec: CodecId, rules: &Rules<'_>, out: &mut Sink<'_>) -> bool {
        match codec {
            CodecId::Bincode => bincode::encode(self, rules, out),
            CodecId::MsgPack => msgpack::encode(self, rules, out),
            #[cfg(feature = "json")]
            CodecId::Json => json::encode(self, rules, out),
            #[cfg(not(feature = "json"))]
            CodecId::Json => false,
        }
    }

    fn type_name(&self) -> &'static str {
        type_name::<T>()
    }
}

impl Schema {
    fn new(info: &'static TypeInfo, choice: CodecChoice, extra: u64) -> Self {
        Self {
            codec: preferred(choice, info),
            fingerprint: info.fingerprint(extra),
            complete: info.complete,
            choice,
            info,
        }
    }

    /// With the version of the crate that declares the site mixed into the
    /// fingerprint if the shape alone does not tell two forms of the type apart.
    pub(crate) fn of_version(mut self, version: &str) -> Self {
        if !self.complete {
            self.fingerprint = fingerprint::mixed(self.fingerprint, version.as_bytes());
        }
        self
    }
}

fn preferred(choice: CodecChoice, info: &TypeInfo) -> CodecId {
    match choice {
        CodecChoice::Auto if info.positional && !info.irregular.load(Ordering::Relaxed) => {
            CodecId::Bincode
        }
        CodecChoice::Auto | CodecChoice::MsgPack => CodecId::MsgPack,
        CodecChoice::Bincode => CodecId::Bincode,
        #[cfg(feature = "json")]
        CodecChoice::Json => CodecId::Json,
    }
}

/// Appends `value` to `out`, at most `limit` bytes, and says how. After an
/// error `out` is as it was.
pub(crate) fn encode(
    schema: &Schema,
    value: &dyn Encodable,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<CodecId, EncodeError> {
    let info = schema.info;
    let first = preferred(schema.choice, info);
    let error = match encode_as(first, info, value, limit, out) {
        Ok(()) => return Ok(first),
        Err(error) => error,
    };
    let other = match first {
        CodecId::Bincode => CodecId::MsgPack,
        _ => CodecId::Bincode,
    };
    let worthwhile = schema.choice == CodecChoice::Auto && info.positional && error.is_of_codec();
    if !worthwhile {
        return Err(error);
    }
    encode_as(other, info, value, limit, out).map_err(|other| other.or(error))?;
    if other == CodecId::MsgPack {
        info.irregular.store(true, Ordering::Relaxed);
    }
    Ok(other)
}

fn encode_as(
    codec: CodecId,
    info: &TypeInfo,
    value: &dyn Encodable,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    if codec == CodecId::Bincode && !info.positional {
        return Err(EncodeError::Unsupported(
            "bincode cannot carry this type: leave out `codec`, or use \"msgpack\"",
        ));
    }
    let start = out.len();
    let rules = Rules {
        shape: (codec == CodecId::Bincode).then_some(&info.shape),
        finite: codec == CodecId::Json,
        depth: ENCODE_DEPTH,
        fault: Cell::new(None),
    };
    let mut sink = Sink::new(out, limit);
    let mut written = false;
    catch_panic(&mut || written = value.encode(codec, &rules, &mut sink));
    let result = if let Some(fault) = rules.fault.get() {
        // Looked at first: a `Serialize` may swallow the encoder's error.
        Err(EncodeError::from(fault))
    } else if sink.is_full() {
        Err(EncodeError::TooLarge { limit })
    } else if !written {
        Err(EncodeError::Failed)
    } else if !info.reads_back(codec, &out[start..]) {
        Err(EncodeError::Unreadable)
    } else {
        Ok(())
    };
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// Reads all of `bytes`, or nothing.
pub(crate) fn decode<T: DeserializeOwned>(codec: CodecId, bytes: &[u8]) -> Result<T, DecodeError> {
    let mut decoded = Err(DecodeError::Panicked);
    catch_panic(&mut || {
        decoded = match codec {
            CodecId::Bincode => bincode::decode(bytes),
            CodecId::MsgPack => msgpack::decode(bytes),
            #[cfg(feature = "json")]
            CodecId::Json => json::decode(bytes),
            #[cfg(not(feature = "json"))]
            CodecId::Json => Err(DecodeError::Missing(codec)),
        };
    });
    decoded
}

/// Code of the user's type may panic: `work` then ends early.
fn catch_panic(work: &mut dyn FnMut()) {
    drop(catch_unwind(AssertUnwindSafe(work)));
}

impl CodecId {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Bincode, Self::MsgPack, Self::Json]
            .into_iter()
            .find(|&codec| codec as u8 == byte)
    }
}

impl CodecChoice {
    /// Whether an entry written with this codec is used, given that its
    /// fingerprint matches. A site that asks for one codec takes no other, so
    /// that whoever shares the entry with it finds what was asked for.
    pub(crate) fn accepts(self, codec: CodecId) -> bool {
        match self {
            Self::Auto => codec != CodecId::Json || cfg!(feature = "json"),
            Self::Bincode => codec == CodecId::Bincode,
            Self::MsgPack => codec == CodecId::MsgPack,
            #[cfg(feature = "json")]
            Self::Json => codec == CodecId::Json,
        }
    }
}

impl EncodeError {
    /// Another codec may do better.
    fn is_of_codec(self) -> bool {
        matches!(self, Self::Unsupported(_) | Self::Unreadable | Self::Failed)
    }

    /// Of two codecs' errors the one that tells more.
    fn or(self, first: Self) -> Self {
        match self {
            Self::Failed | Self::Unreadable if first != Self::Failed => first,
            _ => self,
        }
    }
}

impl From<Fault> for EncodeError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::TooDeep => Self::TooDeep,
            Fault::Shape => Self::Unsupported(
                "the value is not written as its type reads it (`skip_serializing_if`?), which \
                 bincode cannot carry: leave out `codec`, or use \"msgpack\"",
            ),
            Fault::Nested => Self::Unsupported(
                "`Some(None)` and `Some(())` come back as `None` from a format with names: \
                 store an enum instead of the nested option",
            ),
            Fault::NotFinite => Self::Unsupported(
                "JSON has neither infinity nor NaN: leave out `codec`, or use \"msgpack\"",
            ),
        }
    }
}

impl From<EncodeError> for Error {
    fn from(error: EncodeError) -> Self {
        let kind = match error {
            EncodeError::TooLarge { .. } => ErrorKind::TooLarge,
            _ => ErrorKind::Codec,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::new(ErrorKind::Codec, error.to_string())
    }
}

impl fmt::Display for CodecId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bincode => "bincode",
            Self::MsgPack => "msgpack",
            Self::Json => "json",
        })
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema")
            .field("codec", &self.codec)
            .field("fingerprint", &format_args!("{:016x}", self.fingerprint))
            .field("complete", &self.complete)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { limit } => write!(f, "the value takes more than {limit} bytes"),
            Self::TooDeep => write!(f, "the value is nested more than {ENCODE_DEPTH} levels"),
            Self::Unsupported(reason) => f.write_str(reason),
            Self::Unreadable => f.write_str("the type cannot read what it writes"),
            Self::Failed => f.write_str("the value's `Serialize` failed"),
            Self::Tags => f.write_str("more than 65535 tags, or one longer than 65535 bytes"),
        }
    }
}

impl std::error::Error for EncodeError {}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the payload is not a value of this type"),
            Self::Trailing => f.write_str("the payload goes on behind the value"),
            Self::Panicked => f.write_str("the type's `Deserialize` panicked"),
            #[cfg(not(feature = "json"))]
            Self::Missing(codec) => write!(f, "built without the codec {codec}"),
        }
    }
}

impl std::error::Error for DecodeError {}
