//! Level 2: bytes under keys, shared by every process, or held in this one.

pub(crate) mod memory;
#[cfg(feature = "redis")]
pub(crate) mod redis;

use std::time::Duration;

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
    /// The bytes under `key`, be they a value or a lease.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, Error>>;

    /// [`get`](Self::get) for several keys, answered in their order. Each key
    /// is read atomically, the whole is not.
    fn get_many<'a>(
        &'a self,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Option<Vec<u8>>>, Error>>;

    /// Puts `lease` under `key` if nothing is there, or if exactly the bytes
    /// `over` are. `None` says that the lease is placed; `Some` is what is
    /// there instead.
    fn acquire<'a>(
        &'a self,
        key: &'a str,
        lease: &'a [u8],
        life: Duration,
        over: Option<&'a [u8]>,
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

    /// Replaces the lease by a value. `false`: the lease is gone, and whatever
    /// is there was left alone.
    fn fill<'a>(
        &'a self,
        key: &'a str,
        lease: &'a [u8],
        value: Vec<u8>,
        life: Duration,
    ) -> BoxFuture<'a, Result<bool, Error>>;

    /// Removes the lease. `false`: it was gone.
    fn release<'a>(&'a self, key: &'a str, lease: &'a [u8]) -> BoxFuture<'a, Result<bool, Error>>;

    /// Removes the lease if it is still there. Returns at once, also from a
    /// destructor, and comes before whatever this process asks for next; when
    /// it fails, the lease ends with its life.
    fn abandon(&self, key: &str, lease: &[u8]);

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
    /// clients. Keys that come while it runs may or may not go.
    fn sweep<'a>(&'a self, pattern: &'a Pattern) -> BoxFuture<'a, Result<u64, Error>>;

    /// How long the bytes under `key` still have. `None`: nothing is there.
    fn life<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Duration>, Error>>;
}
