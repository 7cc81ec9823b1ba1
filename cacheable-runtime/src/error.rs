//! The one error of this crate.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// What went wrong, in the terms of this crate.
///
/// `Display` speaks for this layer only; the cause is behind
/// [`source`](StdError::source). No message holds a password, a token or a
/// cached value.
///
/// ```
/// use cacheable_runtime::{Error, ErrorKind, Runtime};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let error: Error = Runtime::builder().redis("http://cache").build().await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Configuration);
/// assert!(error.is_configuration());
/// # }
/// ```
#[derive(Clone)]
pub struct Error {
    inner: Arc<Inner>,
}

struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The sort of an [`Error`]; new sorts may be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting, variable or address that cannot be used.
    Configuration,
    /// A second [`install`](crate::Runtime::install).
    AlreadyInstalled,
    /// A key that is empty, too long or reserved.
    Key,
    /// A pattern that is malformed or reaches further than it may.
    Pattern,
    /// A value that its codec cannot carry.
    Codec,
    /// A value over the size limit.
    TooLarge,
    /// The server cannot be reached, or the connection broke.
    Unavailable,
    /// The server did not answer within the command timeout.
    Timeout,
    /// The server answered with an error.
    Server,
    /// The server that was asked is a replica, or has lost its primary or its
    /// cluster: another one takes writes, or this one will again.
    Topology,
    /// A name, a time to live, a limit or another argument that cannot be used.
    Argument,
    /// What was to be changed is not there any more.
    Gone,
    /// What was to be changed has been changed by somebody else.
    Conflict,
    /// A lock was lost before the work under it was done.
    LockLost,
    /// A subscriber was too slow for its queue, which was set to close then.
    Lagged,
    /// Fewer replicas than asked for have acknowledged a write.
    Replicas,
    /// The runtime has been shut down.
    ShutDown,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::build(kind, message.into(), None)
    }

    pub(crate) fn with_source(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self::build(kind, message.into(), Some(source.into()))
    }

    fn build(
        kind: ErrorKind,
        message: String,
        source: Option<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                kind,
                message,
                source,
            }),
        }
    }

    /// The sort of this error.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// The server did not answer in time.
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::Timeout
    }

    /// The server cannot be reached now; the same call may succeed later.
    pub fn is_unavailable(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Topology
        )
    }

    /// What was to be changed is not there any more.
    pub fn is_gone(&self) -> bool {
        self.kind() == ErrorKind::Gone
    }

    /// What was to be changed has been changed by somebody else.
    pub fn is_conflict(&self) -> bool {
        self.kind() == ErrorKind::Conflict
    }

    /// A lock was lost before the work under it was done.
    pub fn is_lock_lost(&self) -> bool {
        self.kind() == ErrorKind::LockLost
    }

    /// A setting, variable or address must be changed.
    pub fn is_configuration(&self) -> bool {
        self.kind() == ErrorKind::Configuration
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.inner.kind)
            .field("message", &self.inner.message)
            .field("source", &self.inner.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}
