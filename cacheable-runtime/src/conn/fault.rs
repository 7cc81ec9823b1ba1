//! The client's errors in this crate's words.
//!
//! A server's message may repeat arguments, and an argument may be a cached
//! value or a password. So only its code is passed on, never its text.

use std::time::Duration;

use redis::{ErrorKind as RedisKind, RedisError, ServerErrorKind};

use crate::error::{Error, ErrorKind};

pub(super) fn translate(error: &RedisError, command_timeout: Duration) -> Error {
    if error.is_timeout() {
        return Error::new(
            ErrorKind::Timeout,
            format!("the server did not answer within {command_timeout:?}"),
        );
    }
    if let Some(advice) = advice(error) {
        return Error::new(ErrorKind::Server, advice);
    }
    if error.is_connection_refusal() {
        return Error::new(ErrorKind::Unavailable, "the server refuses connections");
    }
    match error.kind() {
        RedisKind::Io => Error::with_source(
            ErrorKind::Unavailable,
            "the connection to the server is broken or cannot be made",
            // The text of an I/O error comes from this machine.
            error.to_string(),
        ),
        RedisKind::Parse => Error::new(
            ErrorKind::Server,
            "what answers at this address does not speak the protocol of Redis",
        ),
        RedisKind::RESP3NotSupported => Error::new(
            ErrorKind::Server,
            "the server does not speak RESP3: Redis 6.2 or Valkey 8 is needed",
        ),
        kind => Error::new(
            ErrorKind::Server,
            match error.code() {
                Some(code) => format!("the server answered with {code}"),
                None => format!("the exchange with the server failed ({kind:?})"),
            },
        ),
    }
}

/// What an operator can do about it.
fn advice(error: &RedisError) -> Option<&'static str> {
    if error.kind() == RedisKind::AuthenticationFailed {
        return Some("the server refuses the password or user: check REDIS_URL");
    }
    if let RedisKind::Server(kind) = error.kind() {
        match kind {
            ServerErrorKind::ReadOnly => {
                return Some("READONLY: the server is a replica and takes no writes");
            }
            ServerErrorKind::BusyLoading => {
                return Some("LOADING: the server is reading its data from disk");
            }
            ServerErrorKind::NoPerm => {
                return Some(
                    "NOPERM: the user of REDIS_URL may not run this command or touch this key",
                );
            }
            _ => {}
        }
    }
    match error.code()? {
        "NOAUTH" => Some("NOAUTH: the server wants a password: put it into REDIS_URL"),
        "WRONGPASS" => Some("WRONGPASS: the server refuses the password or user: check REDIS_URL"),
        "OOM" => Some("OOM: the server's memory is full and its policy evicts nothing"),
        "MISCONF" => Some("MISCONF: the server cannot write to disk and takes no writes"),
        "WRONGTYPE" => Some("WRONGTYPE: another program keeps something else under this key"),
        _ => None,
    }
}
