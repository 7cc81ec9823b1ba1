//! Without the feature `tls`: no address asks for it.

use redis::RedisError;

use crate::error::Error;

/// Nothing reaches a server by it.
#[derive(Clone)]
pub(in crate::conn) struct Tls;

impl Tls {
    #[allow(clippy::unnecessary_wraps, reason = "as with the feature")]
    pub(in crate::conn) fn new(_: Option<&[u8]>) -> Result<Self, Error> {
        Ok(Self)
    }
}

pub(in crate::conn) fn sentence(_: &RedisError) -> Option<&str> {
    None
}
