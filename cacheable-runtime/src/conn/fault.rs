//! The client's errors in this crate's words.
//!
//! A server's message may repeat arguments, and an argument may be a cached
//! value or a password. So only its code is passed on, never its text.

use std::time::Duration;

use redis::{ErrorKind as RedisKind, RedisError};

use super::stream::sentence;
use crate::error::{Error, ErrorKind};

pub(super) fn translate(error: &RedisError, command_timeout: Duration) -> Error {
    if error.is_timeout() {
        return Error::new(
            ErrorKind::Timeout,
            format!("the server did not answer within {command_timeout:?}"),
        );
    }
    if let Some(advice) = advice(error) {
        let kind = match code(error) {
            Some("READONLY" | "MASTERDOWN" | "CLUSTERDOWN") => ErrorKind::Topology,
            _ => ErrorKind::Server,
        };
        return Error::new(kind, advice);
    }
    if let Some(why) = sentence(error) {
        return Error::new(ErrorKind::Unavailable, why.to_owned());
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

/// What the server says of itself, and what an operator can do about it.
const ADVICE: [(&str, &str); 14] = [
    (
        "READONLY",
        "READONLY: the server is a replica and takes no writes",
    ),
    (
        "LOADING",
        "LOADING: the server is reading its data from disk",
    ),
    (
        "MASTERDOWN",
        "MASTERDOWN: the server is a replica that has lost its primary",
    ),
    (
        "CLUSTERDOWN",
        "CLUSTERDOWN: the cluster does not serve all of its slots",
    ),
    (
        "MOVED",
        "MOVED: the server is one node of a cluster: write its address as redis+cluster://host:port",
    ),
    (
        "ASK",
        "ASK: the key is on its way from one node of the cluster to another",
    ),
    (
        "TRYAGAIN",
        "TRYAGAIN: the keys are on their way from one node of the cluster to another",
    ),
    (
        "NOPERM",
        "NOPERM: the user of REDIS_URL may not run this command or touch this key",
    ),
    (
        "NOAUTH",
        "NOAUTH: the server wants a password: put it into REDIS_URL",
    ),
    (
        "WRONGPASS",
        "WRONGPASS: the server refuses the password or user: check REDIS_URL",
    ),
    (
        "OOM",
        "OOM: the server's memory is full and its policy evicts nothing",
    ),
    (
        "MISCONF",
        "MISCONF: the server cannot write to disk and takes no writes",
    ),
    (
        "NOREPLICAS",
        "NOREPLICAS: too few replicas listen to the server, so it takes no writes",
    ),
    (
        "WRONGTYPE",
        "WRONGTYPE: another program keeps something else under this key",
    ),
];

fn advice(error: &RedisError) -> Option<&'static str> {
    if error.kind() == RedisKind::AuthenticationFailed {
        return Some("the server refuses the password or user: check REDIS_URL");
    }
    let code = code(error)?;
    let known = ADVICE.iter().find(|(known, _)| *known == code);
    known.map(|(_, advice)| *advice)
}

/// How servers say `NOPERM` of a command in a script, the later ones last.
const DENIED: [&str; 2] = [
    "The user executing the script can't",
    "ACL failure in script",
];

/// The code of an answer. Servers before 7 wrap what a command in a script was
/// answered with: `ERR Error running script (…): … -READONLY …`.
pub(super) fn code(error: &RedisError) -> Option<&str> {
    let code = error.code()?;
    if code != "ERR" {
        return Some(code);
    }
    let detail = error.detail().unwrap_or_default();
    if DENIED.iter().any(|denied| detail.contains(denied)) {
        return Some("NOPERM");
    }
    let Some(wrapped) = Some(detail).filter(|text| text.contains("running script")) else {
        return Some(code);
    };
    let inner = wrapped.split_whitespace().find_map(|word| {
        // An error of a command, other than one of the script itself, has lost
        // its sign.
        let word = word.strip_prefix('-').unwrap_or(word);
        ADVICE.iter().find(|(known, _)| *known == word)
    });
    inner.map_or(Some(code), |(known, _)| Some(known))
}

/// The error of the first command that failed, of several that left together. The
/// client's own, of them all, has no code for most.
pub(super) fn first(error: RedisError) -> RedisError {
    let errors = error.clone().into_server_errors();
    let first = errors.and_then(|errors| Some(errors.first()?.1.clone()));
    first.map_or(error, RedisError::from)
}

/// [`translate`], for a server that is known to be one node of a cluster.
pub(super) fn translate_in_cluster(error: &RedisError, command_timeout: Duration) -> Error {
    if code(error) == Some("MOVED") {
        return Error::new(
            ErrorKind::Unavailable,
            "MOVED: another node of the cluster serves the key by now",
        );
    }
    translate(error, command_timeout)
}

/// Another node of the cluster has what was asked for, now or soon.
pub(super) fn is_elsewhere(error: &RedisError) -> bool {
    matches!(code(error), Some("MOVED" | "ASK" | "TRYAGAIN"))
}

/// The server is of no use to anybody until this has changed, so the
/// connection is looked at again instead of asked on.
pub(super) fn is_about_the_server(error: &RedisError) -> bool {
    const CODES: [&str; 6] = [
        "READONLY",
        "LOADING",
        "MASTERDOWN",
        "CLUSTERDOWN",
        "NOAUTH",
        "MOVED",
    ];
    code(error).is_some_and(|code| CODES.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_an_answer_is_found_in_a_script_and_without_one() {
        for (answer, expected) in [
            ("-ERR unknown subcommand 'TRACKING'\r\n", "ERR"),
            ("-NOPERM no\r\n", "NOPERM"),
            ("-MOVED 3999 127.0.0.1:6381\r\n", "MOVED"),
            ("-TRYAGAIN later\r\n", "TRYAGAIN"),
            (
                "-ERR Error running script (call to f_0): @user_script:1: -READONLY no\r\n",
                "READONLY",
            ),
            (
                "-ERR Error running script (call to f_0): @user_script:20: WRONGTYPE Operation\r\n",
                "WRONGTYPE",
            ),
            ("-ERR Error running script (call to f_0): x\r\n", "ERR"),
        ] {
            let value = redis::parse_redis_value(answer.as_bytes()).unwrap();
            let error = value.extract_error().unwrap_err();
            assert_eq!(code(&error), Some(expected), "{answer}");
        }
    }
}
