//! Removal by pattern.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

use super::RESERVED;
use crate::cache::Engine;
use crate::cache::removal::{How, Sweep, Targets};
use crate::error::{Error, ErrorKind};
use crate::pattern::Pattern;

/// A removal by pattern; await it. See [`Cache::clear`](super::Cache::clear).
#[must_use = "nothing is removed until this is awaited"]
pub struct Clear {
    engine: Engine,
    pattern: Result<Pattern, Error>,
    unrestricted: bool,
    sweep: Sweep,
}

impl Clear {
    pub(super) fn new(engine: Engine, pattern: Result<Pattern, Error>) -> Self {
        Self {
            engine,
            pattern,
            unrestricted: false,
            sweep: Sweep::Awaited,
        }
    }

    /// Also allows a pattern without a literal beginning, and one that reaches
    /// sessions, locks, limits and streams.
    pub fn unrestricted(mut self) -> Self {
        self.unrestricted = true;
        self
    }

    /// Returns as soon as the entries are gone for everybody, and frees their
    /// memory behind the caller. For a pattern that is exactly one prefix,
    /// `cache:<prefix>:*`, that is after one round trip; the number returned
    /// is then 0. For any other pattern it changes nothing: to find the
    /// entries is to remove them.
    pub fn without_waiting(mut self) -> Self {
        self.sweep = Sweep::Behind;
        self
    }

    async fn run(self) -> Result<u64, Error> {
        let pattern = self.pattern?;
        if !self.unrestricted {
            restrict(&pattern)?;
        }
        let mut targets = Targets::default();
        targets.add(&self.engine, &pattern);
        let how = How {
            sweep: Some(self.sweep),
            limit: None,
        };
        self.engine.remove(targets, how).await
    }
}

/// What `clear` refuses unless it is unrestricted.
fn restrict(pattern: &Pattern) -> Result<(), Error> {
    let text = pattern.as_str();
    if pattern.literal_prefix().is_empty() {
        return Err(Error::new(
            ErrorKind::Pattern,
            format!(
                "the pattern `{text}` begins with a wildcard and would walk over every key: \
                 begin it with a literal, as in `api:{text}`, or add `.unrestricted()`"
            ),
        ));
    }
    match RESERVED
        .iter()
        .find(|reserved| pattern.could_match_prefix(reserved))
    {
        Some(reserved) => Err(Error::new(
            ErrorKind::Pattern,
            format!(
                "the pattern `{text}` could match keys that begin with `{reserved}`, which belong \
                 to the runtime: write a longer literal beginning, or add `.unrestricted()`"
            ),
        )),
        None => Ok(()),
    }
}

impl IntoFuture for Clear {
    type Output = Result<u64, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for Clear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clear")
            .field("pattern", &self.pattern)
            .field("unrestricted", &self.unrestricted)
            .finish_non_exhaustive()
    }
}
