//! Which keys take most of a server's memory.

use std::time::Duration;

use super::sample::Subject;
use crate::error::{Error, ErrorKind};

/// A walk over all keys of the servers, for operators. See
/// [`Runtime::big_keys`](crate::Runtime::big_keys).
#[must_use = "nothing is looked at until it is run"]
pub struct BigKeys {
    subject: Subject,
    pub(super) top: usize,
    pub(super) samples: u32,
    pub(super) step: u32,
    pub(super) pause: Duration,
    pub(super) matching: Option<String>,
}

/// What a [`BigKeys`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BigKeysReport {
    /// The largest, the first being the largest of all.
    pub keys: Vec<BigKey>,
    /// How many keys were looked at.
    pub looked_at: u64,
    /// What they take together, in bytes, as far as it was sampled.
    pub bytes: u64,
}

/// A key, and what it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BigKey {
    /// Its name. Bytes that are no text are replaced.
    pub key: String,
    /// What it takes in bytes, name and overhead included; of a collection by
    /// the size of some of its members.
    pub bytes: u64,
    /// The server that has it.
    pub node: String,
}

/// More is no list of the largest.
const MOST: usize = 10_000;
/// A step of more keys could hold up other clients.
const LONGEST_STEP: u32 = 1_000;

impl BigKeys {
    pub(crate) fn new(subject: Subject) -> Self {
        Self {
            subject,
            top: 20,
            samples: 5,
            step: 100,
            pause: Duration::from_millis(1),
            matching: None,
        }
    }

    /// How many of the largest to report, up to 10 000. Default: 20.
    pub fn top(mut self, keys: usize) -> Self {
        self.top = keys;
        self
    }

    /// How many members of a collection are measured; its size is taken from
    /// them. Default: 5.
    pub fn samples(mut self, members: u32) -> Self {
        self.samples = members;
        self
    }

    /// About how many keys are looked at in one step, up to 1 000. Default:
    /// 100, which is well under a millisecond of a server's time.
    pub fn step(mut self, keys: u32) -> Self {
        self.step = keys;
        self
    }

    /// How long the server is left alone between two steps; in any case as
    /// long as the step before took. Default: 1 ms.
    pub fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Looks only at keys that match this, in the language of `SCAN MATCH`,
    /// namespace included. The walk takes as many steps. Default: every key of
    /// the database, also those of other programs.
    pub fn matching(mut self, pattern: impl Into<String>) -> Self {
        self.matching = Some(pattern.into());
        self
    }

    /// Walks over one server after another.
    ///
    /// A key that is there all the time is looked at; of those that come, go
    /// or move to another node meanwhile some may not be.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`]: a setting that cannot be used.
    /// [`ErrorKind::Configuration`]: the embedded store has no such keys.
    /// [`ErrorKind::Server`]: the server does not allow `SCAN` or
    /// `MEMORY USAGE`. Else why a server cannot be reached; then what was
    /// found so far is gone.
    ///
    /// # Cancellation
    /// Dropping this future ends the walk after the step that is under way.
    pub async fn run(self) -> Result<BigKeysReport, Error> {
        self.check()?;
        #[cfg(feature = "redis")]
        if let Some(routes) = &self.subject.routes {
            return super::redis::look(routes, &self).await;
        }
        Err(Error::new(
            ErrorKind::Configuration,
            "the embedded store has no keys on a server to look at: set `REDIS_URL`, or see \
             `Stats::cache` for what level 1 holds",
        ))
    }

    fn check(&self) -> Result<(), Error> {
        let refuse = |message: &str| Err(Error::new(ErrorKind::Argument, message));
        if self.top == 0 || self.top > MOST {
            return refuse("a list of the largest keys has 1 to 10 000: write `top(20)`");
        }
        if self.samples == 0 {
            return refuse(
                "0 samples would measure every member of a collection and hold up the server: \
                 write `samples(5)`",
            );
        }
        if self.step == 0 || self.step > LONGEST_STEP {
            return refuse("a step looks at 1 to 1 000 keys: write `step(100)`");
        }
        if self.matching.as_ref().is_some_and(String::is_empty) {
            return refuse("an empty pattern matches no key: write one such as `cache:*`");
        }
        Ok(())
    }
}

impl std::fmt::Debug for BigKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BigKeys")
            .field("top", &self.top)
            .field("samples", &self.samples)
            .field("step", &self.step)
            .field("pause", &self.pause)
            .field("matching", &self.matching)
            .finish_non_exhaustive()
    }
}

/// The largest so far.
pub(super) struct Largest {
    top: usize,
    /// From the largest on; no key twice.
    keys: Vec<(u64, Vec<u8>, String)>,
}

impl Largest {
    pub(super) fn new(top: usize) -> Self {
        Self {
            top,
            keys: Vec::new(),
        }
    }

    /// `SCAN` may find a key twice, and so may two nodes between which it is
    /// moved; the larger size counts.
    pub(super) fn add(&mut self, bytes: u64, key: &[u8], node: &str) {
        let full = self.keys.len() >= self.top;
        if full && self.keys.last().is_some_and(|(least, ..)| *least >= bytes) {
            return;
        }
        if let Some(known) = self.keys.iter().position(|(_, known, _)| known == key) {
            if self.keys[known].0 >= bytes {
                return;
            }
            self.keys.remove(known);
        }
        let place = self.keys.partition_point(|(other, ..)| *other >= bytes);
        self.keys
            .insert(place, (bytes, key.to_vec(), node.to_owned()));
        self.keys.truncate(self.top);
    }

    pub(super) fn into_keys(self) -> Vec<BigKey> {
        let keys = self.keys.into_iter().map(|(bytes, key, node)| BigKey {
            key: String::from_utf8_lossy(&key).into_owned(),
            bytes,
            node,
        });
        keys.collect()
    }
}
