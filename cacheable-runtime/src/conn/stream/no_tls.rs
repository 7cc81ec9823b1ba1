//! Without the feature `tls`: no address asks for it.

use redis::RedisError;

use crate::error::Error;

/// There is none.
#[derive(Clone)]
pub(in crate::conn) enum Tls {}

impl Tls {
    pub(in crate::conn) fn new(_: Option<&[u8]>) -> Result<Self, Error> {
        unreachable!("an address that asks for TLS is refused")
    }
}

pub(in crate::conn) fn sentence(_: &RedisError) -> Option<&str> {
    None
}
