//! Small helpers around the standard locks, and process-unique numbers.

use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use once_cell::sync::Lazy;

/// A future behind a pointer, for traits that are used as objects.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Locks without regard to poison: no code of ours panics while it holds a
/// lock, and a user's panic must not spread to other callers.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number that no other call in this process gets.
pub(crate) fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Numbers that nobody can foresee and no other process draws: the standard
/// library's keyed hash, seeded by the operating system, over a counter.
pub(crate) fn random() -> u64 {
    static KEYS: Lazy<RandomState> = Lazy::new(RandomState::new);
    let mut hasher = KEYS.build_hasher();
    hasher.write_u64(unique());
    hasher.finish()
}
