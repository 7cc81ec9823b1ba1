//! What a handle can be told, and what arguments must be.

use std::time::Duration;

use super::Sessions;
use super::store::Millis;
use crate::error::{Error, ErrorKind};

/// How one handle works.
#[derive(Clone)]
pub(super) struct Options {
    /// With its colon, or empty.
    pub(super) prefix: String,
    pub(super) absolute: Option<Duration>,
    pub(super) grace: Duration,
    pub(super) max_size: usize,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const ABSOLUTE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const GRACE: Duration = Duration::from_secs(15);
const MAX_SIZE: usize = 1024 * 1024;
/// A time beyond it is a mistake, or an attempt at an overflow.
pub(super) const LONGEST: Duration = Duration::from_secs(3660 * 24 * 60 * 60);
const LONGEST_GRACE: Duration = Duration::from_secs(300);
const LONGEST_USER: usize = 1024;

impl Default for Options {
    fn default() -> Self {
        Self {
            prefix: String::new(),
            absolute: None,
            grace: GRACE,
            max_size: MAX_SIZE,
        }
    }
}

impl Sessions {
    /// How long a session of this handle lives at most, however much it is
    /// used.
    ///
    /// Default: 7 days, or the `ttl` of the session where that is longer.
    pub fn absolute(mut self, absolute: Duration) -> Self {
        self.options.absolute = Some(absolute);
        self
    }

    /// How long an old token is good for after a rotation, for requests that
    /// were sent with it; at most 5 minutes. Zero: not at all.
    ///
    /// Default: 15 seconds.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.options.grace = grace;
        self
    }

    /// How many bytes the data of a session may take.
    ///
    /// Default: 1 MiB.
    pub fn max_size(mut self, bytes: usize) -> Self {
        self.options.max_size = bytes;
        self
    }

    /// Sessions of another kind, apart from all others: their keys begin with
    /// `session:<prefix>:`, and a token of one kind is unknown to another.
    ///
    /// Default: none.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`]: it is empty, longer than 64 bytes, or has other
    /// characters than letters, digits, `-`, `_` and `.`.
    pub fn prefix(mut self, prefix: &str) -> Result<Self, Error> {
        let usable = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(usable) {
            return Err(argument(
                "this prefix of sessions cannot be used: write up to 64 letters, digits, `-`, `_` \
                 or `.`, such as `admin`",
            ));
        }
        self.options.prefix = format!("{prefix}:");
        Ok(self)
    }
}

impl Options {
    /// Idle and absolute timeout of a new session.
    pub(super) fn lives(&self, ttl: Duration) -> Result<(Millis, Millis), Error> {
        let idle = millis("ttl", ttl)?;
        let absolute = self.absolute.unwrap_or_else(|| ABSOLUTE.max(ttl));
        Ok((idle, millis("absolute timeout", absolute)?))
    }

    pub(super) fn grace_millis(&self) -> Result<Millis, Error> {
        if self.grace > LONGEST_GRACE {
            return Err(argument(
                "the grace of a rotation is longer than 5 minutes: write a shorter one, since an \
                 old token is let in for so long",
            ));
        }
        Ok(u64::try_from(self.grace.as_millis()).unwrap_or(0))
    }
}

/// A length of time that a session can have. `what`: `ttl` and the like.
pub(super) fn millis(what: &str, length: Duration) -> Result<Millis, Error> {
    if length > LONGEST {
        let days = LONGEST.as_secs() / DAY.as_secs();
        return Err(argument(&format!(
            "the {what} of a session is longer than {days} days: write a shorter one"
        )));
    }
    match u64::try_from(length.as_millis()) {
        Ok(millis) if millis > 0 => Ok(millis),
        _ => Err(argument(&format!(
            "the {what} of a session is shorter than a millisecond: write how long it lives \
             unused, such as 30 minutes"
        ))),
    }
}

/// Refuses what names no user.
pub(super) fn check_user(user_id: &str) -> Result<(), Error> {
    if user_id.is_empty() {
        return Err(argument(
            "the user id of a session is empty: write the user's, or use `create_anonymous` \
             before anybody has signed in",
        ));
    }
    if user_id.len() > LONGEST_USER {
        return Err(argument(
            "the user id of a session takes more than 1024 bytes: write a shorter one",
        ));
    }
    Ok(())
}

pub(super) fn argument(message: &str) -> Error {
    Error::new(ErrorKind::Argument, message)
}
