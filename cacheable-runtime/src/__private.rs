//! What expansions name. Not for use by hand: it changes without notice.

pub use crate::cache::Engine;
pub use crate::cache::call::Call;
pub use crate::cache::invalidate::{Invalidate, Invalidation};
pub use crate::cache::put::{Put, PutCall};
pub use crate::cache::shape::{
    AbsentShape, ByLayer, ByThreeLayers, ByTwoLayers, ByValue, CachedShape, Detach, Divided,
    FallibleShape, Kind, Shape, absent_of, detached,
};
pub use crate::cache::site::{Location, MethodKey, Site};
pub use crate::cache::tags::{Tags, keep_all, never_late, no_tags};
pub use crate::key::KeyWriter;
pub use crate::runtime::engine_of as runtime;
pub use crate::sync::BoxFuture;

/// The installed runtime.
pub fn global() -> Option<&'static Engine> {
    crate::Runtime::global_engine()
}

/// Names for `codec = "…"`.
pub mod codec {
    use crate::codec::CodecChoice;

    /// No `codec`.
    pub const AUTO: CodecChoice = CodecChoice::Auto;
    /// `codec = "bincode"`
    pub const BINCODE: CodecChoice = CodecChoice::Bincode;
    /// `codec = "msgpack"`
    pub const MSGPACK: CodecChoice = CodecChoice::MsgPack;
    /// `codec = "json"`, which [`json_codec!`](super::json_codec) leads to.
    #[cfg(feature = "json")]
    pub const JSON: CodecChoice = CodecChoice::Json;
}

/// Steps of a call one by one, for the benchmarks: no expansion names them.
pub mod step {
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use crate::codec::envelope::{self, Header, Opened};
    use crate::codec::{self, CodecChoice, CodecId};
    use crate::key::KeyWriter;
    use crate::{Error, ErrorKind};

    /// What level 1 will look entries up by.
    pub fn call_hash(seed: [u64; 2], key: impl Fn(&mut KeyWriter)) -> Result<u128, Error> {
        let mut writer = KeyWriter::hash(seed);
        key(&mut writer);
        writer.finish_hash()
    }

    /// What level 2 calls an entry; `start` is its prefix and method.
    pub fn call_text(start: &str, key: impl Fn(&mut KeyWriter)) -> Result<String, Error> {
        let mut writer = KeyWriter::text(start);
        key(&mut writer);
        writer.finish_text()
    }

    /// A value's payload, and the codec that wrote it.
    pub fn encode<T>(choice: CodecChoice, value: &T) -> Result<(CodecId, Vec<u8>), Error>
    where
        T: Serialize + DeserializeOwned + 'static,
    {
        let mut payload = Vec::new();
        let schema = codec::schema::<T>(choice, 0);
        let codec = codec::encode(&schema, value, usize::MAX, &mut payload)?;
        Ok((codec, payload))
    }

    /// The value of a payload.
    pub fn decode<T: DeserializeOwned>(codec: CodecId, payload: &[u8]) -> Result<T, Error> {
        Ok(codec::decode(codec, payload)?)
    }

    /// What is stored for a payload.
    pub fn seal(key: &str, codec: CodecId, payload: &[u8]) -> Result<Vec<u8>, Error> {
        let header = Header {
            codec,
            absent: false,
            site: 1,
            fingerprint: 2,
            created_ms: 3,
            soft_expiry_ms: 4,
            hard_expiry_ms: 5,
            load_micros: 6,
            tag_stamp: 7,
            serial: 8,
            stand_in: false,
            tags: Vec::new(),
        };
        Ok(envelope::seal(key.as_bytes(), &header, payload)?)
    }

    /// The payload of what is stored.
    pub fn open<'a>(key: &str, sealed: &'a [u8]) -> Result<&'a [u8], Error> {
        match envelope::open(key.as_bytes(), sealed) {
            Ok(Opened::Value(_, payload)) => Ok(payload),
            Ok(Opened::Lease(_)) => Err(Error::new(ErrorKind::Codec, "a lease has no payload")),
            Err(error) => Err(Error::new(ErrorKind::Codec, error.to_string())),
        }
    }
}

/// The descriptor of an annotated method: one static, wherever it is written.
#[doc(hidden)]
#[macro_export]
macro_rules! __site {
    ($descriptor:ident($($name:expr),+) $(.$setter:ident($value:expr))*) => {{
        static SITE: $crate::__private::$descriptor = $crate::__private::$descriptor::new(
            $($name,)+
            $crate::__private::Location {
                path: ::core::concat!(::core::file!(), ":", ::core::line!()),
                version: match ::core::option_env!("CARGO_PKG_VERSION") {
                    ::core::option::Option::Some(version) => version,
                    ::core::option::Option::None => "",
                },
            },
        )$(.$setter($value))*;
        &SITE
    }};
}

/// A branch that never runs and tells the compiler what the body around it
/// returns, so that a type mistake in the body is reported there.
#[doc(hidden)]
#[macro_export]
macro_rules! __returns {
    ($returned:ty) => {
        if let ::core::option::Option::Some(returned) = ::core::option::Option::None::<$returned> {
            return returned;
        }
    };
}

/// The shape of a return type.
#[doc(hidden)]
#[macro_export]
macro_rules! __shape {
    ($returned:ty) => {{
        #[allow(unused_imports)]
        use $crate::__private::{ByLayer as _, ByThreeLayers as _, ByTwoLayers as _, ByValue as _};
        (&&&$crate::__private::Kind::<$returned>::new()).shape()
    }};
}

/// The shape of the return type of the method that a key is of.
#[doc(hidden)]
#[macro_export]
macro_rules! __shape_of_key {
    ($key:expr) => {{
        #[allow(unused_imports)]
        use $crate::__private::{ByLayer as _, ByThreeLayers as _, ByTwoLayers as _, ByValue as _};
        (&&&$crate::__private::MethodKey::kind($key)).shape()
    }};
}

/// `codec = "json"`
#[cfg(feature = "json")]
#[doc(hidden)]
#[macro_export]
macro_rules! __json_codec {
    () => {
        $crate::__private::codec::JSON
    };
}

/// `codec = "json"` without the feature.
#[cfg(not(feature = "json"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __json_codec {
    () => {
        ::core::compile_error!(
            "`codec = \"json\"` needs the feature `json`: cacheable-runtime = { version = \"0.1\", features = [\"json\"] }"
        )
    };
}

pub use crate::{
    __json_codec as json_codec, __returns as returns, __shape as shape,
    __shape_of_key as shape_of_key, __site as site,
};
