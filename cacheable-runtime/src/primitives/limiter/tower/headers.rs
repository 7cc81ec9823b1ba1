//! The headers of `draft-ietf-httpapi-ratelimit-headers-10`. All times are
//! seconds from now, so that no clock of a client matters.

use std::fmt::Write;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderName, HeaderValue, Response};

use crate::primitives::limiter::{Decision, RatePolicy, Source};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Integers of structured fields have 15 digits at most (RFC 9651).
const LARGEST: u64 = 999_999_999_999_999;

/// Says what the limit is and how much of it remains.
pub(super) fn limits<B>(
    mut response: Response<B>,
    policy: &RatePolicy,
    decision: &Decision,
) -> Response<B> {
    let name = quoted(policy.name());
    let quota = policy.limit().min(LARGEST);
    let window = seconds(policy.window());
    append(
        &mut response,
        POLICY,
        &format!("{name};q={quota};w={window}"),
    );
    if decision.source != Source::Failure {
        let remaining = decision.remaining.min(LARGEST);
        let reset = seconds(decision.reset_after);
        append(
            &mut response,
            LIMIT,
            &format!("{name};r={remaining};t={reset}"),
        );
    }
    response
}

/// Says when to come back.
pub(super) fn denied<B>(mut response: Response<B>, decision: &Decision) -> Response<B> {
    if let Some(wait) = decision.retry_after {
        // `t` says the same, and must not be later.
        let wait = HeaderValue::from(seconds(wait).max(1));
        response.headers_mut().insert(RETRY_AFTER, wait);
    }
    response
}

pub(super) fn unavailable<B>(mut response: Response<B>) -> Response<B> {
    let headers = response.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn append<B>(response: &mut Response<B>, name: HeaderName, value: &str) {
    // Of visible ASCII alone: it is a value.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().append(name, value);
    }
}

/// Whole seconds, up: nobody comes back too early.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// A string of structured fields. What has no place in one is written as in a URL.
fn quoted(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len() + 2);
    quoted.push('"');
    for byte in name.bytes() {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', char::from(byte)]),
            b' '..=b'~' if byte != b'%' => quoted.push(char::from(byte)),
            // No such string holds it. As in a URL, so that two names which
            // differ do so here.
            _ => write!(quoted, "%{byte:02X}").expect("a `String` takes any text"),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_strings_of_structured_fields_and_seconds_go_up() {
        assert_eq!(quoted(r#"a "b" \ ü%"#), r#""a \"b\" \\ %C3%BC%25""#);
        assert_eq!(seconds(Duration::from_millis(1001)), 2);
        assert_eq!(seconds(Duration::from_secs(2)), 2);
        assert_eq!(seconds(Duration::ZERO), 0);
    }
}
