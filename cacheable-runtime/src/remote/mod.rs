//! Level 2: bytes under keys, shared by every process, or held in this one.

pub(crate) mod memory;
#[cfg(feature = "redis")]
pub(crate) mod redis;

use std::time::{Duration, Instant};

use crate::error::Error;
use crate::pattern::Pattern;
use crate::sync::BoxFuture;

/// A store of bytes with leases.
///
/// A *lease* is a unique value that a loader puts under a key before it asks
/// the source, and replaces by what it loaded. Whoever removes the key removes
/// the lease with it, so the loader's [`fill`](Self::fill) then finds nothing
/// to replace: a value that was read before a removal cannot be stored after
/// it. All guarantees of the cache against stale values stand on the methods
/// below being atomic.
///
/// What holds for every implementation:
///
/// - Each method takes effect at one moment between its call and its end, or
///   not at all; methods on one key that overlap take effect in some order.
/// - After an `Err`, and after the future is dropped before its end, the
///   effect may or may not have happened, and may still happen within the
///   command timeout. Nothing is ever half done.
/// - A value is readable for its `life`, which counts from the moment it is
///   stored, and not after; it may vanish at any time before.
/// - Keys are complete: the namespace is already in them.
/// - No method panics, and no error holds a key's value.
pub(crate) trait RemoteStore: Send + Sync + 'static {
    /// The bytes under `key`, be they a value or a lease, and the numbers of
    /// some markers, as [`numbers`](Self::numbers) gives them, read after the
    /// bytes.
    fn get<'a>(
        &'a self,
        key: &'a str,
        markers: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Read, Error>>;

    /// The bytes under `key`, or an error at `until`, of which the store has taken
    /// note: whoever asks has no timer of its own.
    fn get_until<'a>(
        &'a self,
        key: &'a str,
        until: Instant,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, Error>>;

    /// The bytes under several keys, answered in their order. Each key is read
    /// atomically, the whole is not.
    fn get_many<'a>(
        &'a self,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Option<Vec<u8>>>, Error>>;

    /// Puts `lease` under `key` if nothing is there, or what is `over`. `None`
    /// says that the lease is placed; `Some` is what is there instead.
    fn acquire<'a>(
        &'a self,
        key: &'a str,
        lease: &'a [u8],
        life: Duration,
        over: Option<Expect<'a>>,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, Error>>;

    /// Puts `lease` under `key` whatever is there.
    fn seize<'a>(
        &'a self,
        key: &'a str,
        lease: &'a [u8],
        life: Duration,
    ) -> BoxFuture<'a, Result<(), Error>>;

    /// Gives the lease a new life, counted from now. `false`: it is gone.
    fn renew<'a>(
        &'a self,
        key: &'a str,
        lease: &'a [u8],
        life: Duration,
    ) -> BoxFuture<'a, Result<bool, Error>>;

    /// Replaces what is expected by a value. `false`: something else is there,
    /// or nothing, and was left alone.
    fn fill<'a>(
        &'a self,
        key: &'a str,
        expected: Expect<'a>,
        value: Vec<u8>,
        life: Duration,
        from: Origin,
    ) -> BoxFuture<'a, Result<bool, Error>>;

    /// Removes the lease. `false`: it was gone.
    fn release<'a>(&'a self, key: &'a str, lease: &'a [u8]) -> BoxFuture<'a, Result<bool, Error>>;

    /// Removes the lease if it is still there. Returns at once, also from a
    /// destructor, and comes before whatever this process asks for next in the
    /// same way; when it fails, the lease ends with its life.
    fn abandon(&self, key: &str, lease: &[u8], from: Origin);

    /// Claims the refresh of the value with this serial, which stays where it
    /// is, for `life`.
    fn claim<'a>(
        &'a self,
        key: &'a str,
        serial: u64,
        claim: &'a [u8],
        life: Duration,
    ) -> BoxFuture<'a, Result<Claimed, Error>>;

    /// Gives a claim a new life.
    fn renew_claim<'a>(
        &'a self,
        key: &'a str,
        claim: &'a [u8],
        life: Duration,
    ) -> BoxFuture<'a, Result<bool, Error>>;

    /// Ends a claim: at once, or so that nobody can claim again for `pause`.
    /// Returns at once, also from a destructor.
    fn end_claim(&self, key: &str, claim: &[u8], pause: Option<Duration>);

    /// Stores a value whatever is there.
    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Vec<u8>,
        life: Duration,
    ) -> BoxFuture<'a, Result<(), Error>>;

    /// [`set`](Self::set) for several keys. On an error some may be stored.
    fn set_many(
        &self,
        entries: Vec<(String, Vec<u8>, Duration)>,
    ) -> BoxFuture<'_, Result<(), Error>>;

    /// Removes values and leases; says how many there were. On an error some
    /// may be removed.
    fn remove<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<u64, Error>>;

    /// Removes every key that matches and was there when the sweep began and
    /// until it came to it, values and leases alike, without holding up other
    /// clients. Keys that come while it runs may or may not go. `older_than`:
    /// only values whose stamp is less, and no leases. `step`: how long the
    /// server may take for one batch of keys.
    fn sweep<'a>(
        &'a self,
        pattern: &'a Pattern,
        older_than: Option<u64>,
        step: Option<Duration>,
    ) -> BoxFuture<'a, Result<u64, Error>>;

    /// The numbers of some markers. One that is not there is made, with the
    /// counter as its number: its removals may have been lost with it, and
    /// none of them had a greater one.
    fn numbers<'a>(&'a self, markers: &'a [&'a str]) -> BoxFuture<'a, Result<Numbers, Error>>;

    /// Gives all these markers a number that is greater than any before, and
    /// than `known`. Says which.
    fn raise<'a>(&'a self, markers: &'a [&'a str], known: u64)
    -> BoxFuture<'a, Result<u64, Error>>;

    /// How long the bytes under `key` still have. `None`: nothing is there.
    fn life<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Duration>, Error>>;

    /// Whether this lease is one that this process has given up and was not
    /// able to remove: nobody has to wait for it.
    fn has_given_up(&self, _lease: &[u8]) -> bool {
        false
    }

    /// Waits until all that was given up is removed, however long that takes.
    fn settled(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Tries whether the store takes writes now, where `key` is. While it does
    /// not, a lease is neither filled nor removed.
    fn takes_writes<'a>(&'a self, _key: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// A method was not done in the time that its caller had for it.
    fn overdue(&self) {}

    /// Why nothing can be asked of the store now; `None` if it can.
    fn trouble(&self) -> Option<Error> {
        None
    }
}

/// What is under a key, and the markers that were asked for, if any were.
pub(crate) type Read = (Option<Vec<u8>>, Option<Numbers>);

/// What has to be under a key for it to be replaced.
#[derive(Clone, Copy)]
pub(crate) enum Expect<'a> {
    /// A lease, which no other bytes begin with.
    Lease(&'a [u8]),
    /// An entry of this serial.
    Serial(u64),
    /// These bytes.
    Bytes(&'a [u8]),
}

/// Who asks. A store may serve the two in any order, but each in its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A load, whose value this process may keep.
    Load,
    /// A put: what this process has of the entry is told to be out of date.
    Put,
}

/// What has become of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claimed {
    Yes,
    /// Somebody else is at it, or it has failed lately.
    Taken,
    /// The entry is another one by now.
    Changed,
}

/// The counter, and the numbers of the markers that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) counter: u64,
    pub(crate) markers: Vec<u64>,
}

/// Where in an entry its serial is, and its stamp; little-endian. The store
/// knows no more of what it holds.
pub(crate) const SERIAL: std::ops::Range<usize> = 64..72;
pub(crate) const STAMP: std::ops::Range<usize> = 56..64;
/// A lease's length: all of it is unlike the beginning of anything else.
pub(crate) const LEASE: usize = 28;

/// Markers of tags end, since there may be ever new tags; losing one costs
/// misses. Those of prefixes, which are few, do not.
pub(crate) const TAG_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Whether a marker ends: by its name, see `cache::tags`.
pub(crate) fn marker_ends(marker: &str) -> bool {
    !marker.contains(PREFIX_MARKER)
}

/// What the names of prefixes' markers have and the others' have not.
pub(crate) const PREFIX_MARKER: &str = "tag}:p:";
/// What the names of tags' markers have.
pub(crate) const TAG_MARKER: &str = "tag}:t:";
