//! What expansions name. Not for use by hand: it changes without notice.

pub use crate::cache::Engine;
pub use crate::cache::call::Call;
pub use crate::cache::invalidate::{Invalidate, Invalidation};
pub use crate::cache::put::{Put, PutCall};
pub use crate::cache::shape::{
    ByLayer, ByThreeLayers, ByTwoLayers, ByValue, CachedShape, Divided, FallibleShape, Kind, Shape,
};
pub use crate::cache::site::{Location, MethodKey, Site};
pub use crate::key::KeyWriter;
pub use crate::runtime::engine_of as runtime;

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
