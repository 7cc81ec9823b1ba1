//! Threads that run in an order of the tests' choosing.
//!
//! Built with `--cfg cacheable_shuttle`, level 1 and the flights have the locks
//! and atomics of `shuttle`. All threads of a run are then coroutines of one
//! thread, and at each lock and each atomic a scheduler decides which goes on;
//! what comes in between happens at once. It is not loom's `cfg`, under which
//! other crates here would change, too. Outside of such a run these locks cannot be
//! taken, so of the other tests most fail in such a build.
//!
//! The map of level 1 and `tokio::sync::Notify` are not replaced. Neither ever
//! blocks a thread, and no lock of theirs is held where the scheduler decides,
//! so each call of theirs is one step; that they are correct is for their own
//! tests. Wakers are shuttle's, so a wake-up that is lost is a deadlock, which
//! fails the run. Every run is sequentially consistent: an `Ordering` that is
//! too weak is not found here.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError};

use once_cell::sync::Lazy;
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

pub(crate) use shuttle::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize};
pub(crate) use shuttle::sync::{Mutex, MutexGuard, RwLock};
pub(crate) use shuttle::thread_local;

/// What [`lock`] takes: the mutexes that are replaced, and those of the rest.
pub(crate) trait Lock {
    type Guard<'a>
    where
        Self: 'a;

    fn take(&self) -> Self::Guard<'_>;
}

impl<T: ?Sized> Lock for Mutex<T> {
    type Guard<'a>
        = MutexGuard<'a, T>
    where
        T: 'a;

    fn take(&self) -> Self::Guard<'_> {
        self.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: ?Sized> Lock for std::sync::Mutex<T> {
    type Guard<'a>
        = std::sync::MutexGuard<'a, T>
    where
        T: 'a;

    fn take(&self) -> Self::Guard<'_> {
        self.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L: Lock> Lock for Arc<L> {
    type Guard<'a>
        = L::Guard<'a>
    where
        L: 'a;

    fn take(&self) -> Self::Guard<'_> {
        (**self).take()
    }
}

impl<L: Lock> Lock for Lazy<L> {
    type Guard<'a>
        = L::Guard<'a>
    where
        L: 'a;

    fn take(&self) -> Self::Guard<'_> {
        (**self).take()
    }
}

pub(crate) fn lock<L: Lock + ?Sized>(lock: &L) -> L::Guard<'_> {
    lock.take()
}

/// The same orders each time. `SHUTTLE_RANDOM_SEED` makes it others.
const SEED: u64 = 1;

/// `CACHEABLE_SHUTTLE_RUNS` makes it more.
const RUNS: usize = 20_000;

/// So many changes of mind a run has at most under the second scheduler: most
/// races need one or two in the right place.
const DEPTHS: [usize; 3] = [2, 3, 5];

/// Runs `test` in many orders: each step by any thread that can go on, and by
/// the first in an order that changes only now and then.
#[track_caller]
pub(crate) fn explore(test: impl Fn() + Copy + Send + Sync + 'static) {
    let asked = std::env::var("CACHEABLE_SHUTTLE_RUNS").ok();
    let runs = asked.map_or(RUNS, |runs| runs.parse().expect("it is a number"));
    Runner::new(RandomScheduler::new_from_seed(SEED, runs), config()).run(test);
    for depth in DEPTHS {
        let runs = runs / 5;
        let scheduler = PctScheduler::new_from_seed(SEED, depth, runs);
        Runner::new(scheduler, config()).run(test);
    }
}

/// The control of a test: without what protects it, some order must fail, by a
/// panic that says this.
#[track_caller]
pub(crate) fn explore_in_vain(says: &str, test: impl Fn() + Copy + Send + Sync + 'static) {
    for at_random in [true, false] {
        let failed = std::panic::catch_unwind(AssertUnwindSafe(|| {
            if at_random {
                let scheduler = RandomScheduler::new_from_seed(SEED, RUNS);
                Runner::new(scheduler, quiet()).run(test);
            } else {
                let scheduler = PctScheduler::new_from_seed(SEED, 3, RUNS);
                Runner::new(scheduler, quiet()).run(test);
            }
        }));
        let failure = failed.expect_err("no order shows what this has no protection from");
        let message = message(&*failure);
        assert!(message.contains(says), "it failed by `{message}`");
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string))
        .unwrap_or_default()
}

fn config() -> Config {
    let mut config = Config::new();
    // Unoptimised frames are large.
    config.stack_size = 1 << 18;
    config.silence_warnings = true;
    config
}

fn quiet() -> Config {
    let mut config = config();
    config.failure_persistence = shuttle::FailurePersistence::None;
    config
}
