//! What a message of a stream is called.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind};

/// Names a message of a stream, in the order in which they were published: the
/// id of its entry, `<milliseconds>-<number>`. A consumer that keeps the one
/// it handled last, as text, can go on behind it later.
///
/// ```
/// use cacheable_runtime::MessageId;
///
/// let id: MessageId = "1767225600000-42".parse()?;
/// assert_eq!(id.to_string(), "1767225600000-42");
/// assert!(id < "1767225600001-43".parse()?);
/// # Ok::<(), cacheable_runtime::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    pub(super) time: u64,
    /// One more than that of the message before.
    pub(super) number: u64,
}

#[cfg(feature = "redis")]
impl MessageId {
    /// None is behind it.
    pub(in super::super) const LAST: Self = Self {
        time: u64::MAX,
        number: u64::MAX,
    };
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.time, self.number)
    }
}

impl FromStr for MessageId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse().ok()).flatten()
        };
        text.split_once('-')
            .and_then(|(time, count)| {
                Some(Self {
                    time: number(time)?,
                    number: number(count)?,
                })
            })
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Argument,
                    "this is no id of a message: write one as it was told, such as \
                     `1767225600000-42`",
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "-",
            "1",
            "1-",
            "-1",
            "1-2-3",
            "+1-2",
            "1- 2",
            "99999999999999999999-1",
        ] {
            let error = text.parse::<MessageId>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Argument, "{text}");
        }
        let most = format!("{0}-{0}", u64::MAX);
        assert_eq!(most.parse::<MessageId>().unwrap().to_string(), most);
    }
}
