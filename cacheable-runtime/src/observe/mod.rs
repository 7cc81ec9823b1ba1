//! What the cache did: counters per method, and messages said once. What the
//! primitives did stands in [`figures`].

mod figures;
mod hits;
mod outcome;
#[cfg(all(test, feature = "metrics"))]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

#[cfg(feature = "metrics")]
use once_cell::sync::OnceCell;

#[cfg(feature = "metrics")]
use crate::sync::Chunks;
use crate::sync::lock;
#[cfg(feature = "redis")]
pub(crate) use figures::script_reloads;
pub(crate) use figures::{
    Checked, CheckedBy, Counted, Figures, LockLoss, LockOutcome, Mode, RateMeter, SessionOp,
};
pub use figures::{LockCounts, MessageCounts, OperationCounts, RateCounts, SessionCounts};
use hits::Hits;
pub(crate) use hits::Tally;
pub use outcome::{Outcome, with_outcome};

/// The counters of one engine.
#[derive(Default)]
pub(crate) struct Observe {
    methods: RwLock<HashMap<String, Arc<Counters>>>,
    /// Answers of level 1 that nothing was to be decided about.
    hits: Hits,
    /// The counters again, by their number.
    #[cfg(feature = "metrics")]
    numbered: Chunks<OnceCell<Arc<Counters>>>,
    said: Mutex<HashSet<(&'static str, String)>>,
}

impl Observe {
    /// The counters of one method, made at its first call.
    pub(crate) fn method(&self, label: &str) -> Arc<Counters> {
        let methods = self.methods.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(counters) = methods.get(label) {
            return Arc::clone(counters);
        }
        drop(methods);
        let mut methods = self.methods.write().unwrap_or_else(PoisonError::into_inner);
        let number = methods.len() as u32;
        let counters = methods.entry(label.to_owned()).or_insert_with(|| {
            let counters = Arc::new(Counters::new(label, number));
            #[cfg(feature = "metrics")]
            let counters = Arc::clone(self.numbered.at(number).get_or_init(|| counters));
            counters
        });
        Arc::clone(counters)
    }

    /// Level 1 answered, and nothing was to be decided.
    #[inline]
    pub(crate) fn hit(&self, tally: Tally) {
        self.hits.count(tally);
        #[cfg(feature = "metrics")]
        if let Some(counters) = self.numbered.get(tally.method()).and_then(OnceCell::get) {
            counters.export_hit(tally.is_stale());
        }
        let outcome = if tally.is_stale() {
            Outcome::Stale
        } else {
            Outcome::HitLocal
        };
        outcome.note();
    }

    /// Runs `say` the first time that it is asked to say this at this place.
    pub(crate) fn once(&self, place: &'static str, what: &str, say: impl FnOnce()) {
        if lock(&self.said).insert((place, what.to_owned())) {
            say();
        }
    }

    pub(crate) fn snapshot(&self) -> Observation {
        let methods = self.methods.read().unwrap_or_else(PoisonError::into_inner);
        Observation {
            methods: methods
                .iter()
                .map(|(label, counters)| {
                    let mut counts = counters.snapshot();
                    counts.hits_local += self.hits.of(counters.tally(false));
                    counts.hits_stale += self.hits.of(counters.tally(true));
                    (label.clone(), counts)
                })
                .collect(),
        }
    }
}

/// Says, once in the life of the process, that calls run uncached.
pub(crate) fn say_no_runtime() {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !SAID.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "a cached method was called before a runtime was installed, so it runs uncached: \
             call `Runtime::from_env().await?.install()?` when the service starts"
        );
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $field:ident by $bump:ident $(($amount:ident))?;)+) => {
        /// What happened to the calls of one method, since the runtime was
        /// built.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct MethodCounts {
            $($(#[$doc])* pub $field: u64,)+
        }

        pub(crate) struct Counters {
            $($field: AtomicU64,)+
            number: u32,
            #[cfg(feature = "metrics")]
            exported: Exported,
        }

        /// The same in the `metrics` facade.
        #[cfg(feature = "metrics")]
        struct Exported {
            $($field: ::metrics::Counter,)+
            load_seconds: ::metrics::Histogram,
        }

        impl Counters {
            #[cfg_attr(not(feature = "metrics"), allow(unused_variables, reason = "it exports nothing"))]
            pub(crate) fn new(label: &str, number: u32) -> Self {
                #[cfg(feature = "metrics")]
                let method = label.to_owned();
                Self {
                    $($field: AtomicU64::new(0),)+
                    number,
                    #[cfg(feature = "metrics")]
                    exported: Exported {
                        $($field: ::metrics::counter!(
                            concat!("cacheable_", stringify!($field), "_total"),
                            "method" => method.clone()
                        ),)+
                        load_seconds: ::metrics::histogram!(
                            "cacheable_load_seconds",
                            "method" => method
                        ),
                    },
                }
            }

            $(pub(crate) fn $bump(&self $(, $amount: u64)?) {
                let [.., amount] = [1, $($amount)?];
                self.$field.fetch_add(amount, Ordering::Relaxed);
                #[cfg(feature = "metrics")]
                self.exported.$field.increment(amount);
            })+

            fn snapshot(&self) -> MethodCounts {
                MethodCounts {
                    $($field: self.$field.load(Ordering::Relaxed),)+
                }
            }
        }

        impl MethodCounts {
            /// What happened after `earlier`, which was counted before these.
            pub fn since(self, earlier: Self) -> Self {
                Self { $($field: self.$field.saturating_sub(earlier.$field),)+ }
            }
        }

        impl std::ops::Add for MethodCounts {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self { $($field: self.$field + other.$field,)+ }
            }
        }
    };
}

counters! {
    /// Answered from level 1, in this process.
    hits_local by hit_local;
    /// Answered from the store: Redis, or the embedded one.
    hits_remote by hit_remote;
    /// Answered with a value past its `ttl`: while it was refreshed, or because
    /// its load had failed.
    hits_stale by hit_stale;
    /// Found nothing usable, and led the load.
    misses by missed;
    /// Bodies run.
    loads by loaded;
    /// Bodies that returned an error or ran out of time.
    load_errors by load_failed;
    /// Calls whose `load_timeout` came first.
    load_timeouts by load_timed_out;
    /// Loads that refreshed a value which was answered with meanwhile.
    refreshes by refreshed;
    /// Calls that joined another call's load or look-up.
    waits by waited;
    /// Calls that did without the cache: `when` was false, an argument could
    /// not be part of a key, a body called its own key, invalidations kept
    /// coming, or the runtime was shutting down.
    bypasses by bypassed;
    /// Loaded values that were not stored because an invalidation came.
    fills_rejected by fill_rejected;
    /// Entries that were not readable: of another form, method or codec, or
    /// damaged. Each was a miss.
    undecodable by undecodable;
    /// Those of the undecodable that another method had written: two methods
    /// claim the same keys and overwrite each other.
    clashes by clashed;
    /// Values that were returned but could not be kept: too large, or not to
    /// be encoded.
    not_stored by not_stored;
    /// Operations of the store that failed.
    remote_errors by remote_failed;
    /// Successful calls that had something to invalidate.
    invalidations by invalidated;
    /// Entries, and leases of running loads, that these calls removed. A
    /// pattern that never removes any is probably mistyped.
    entries_removed by removed(entries);
    /// Invalidations that did not reach the store at once. They are tried until
    /// they do.
    invalidation_errors by invalidation_failed;
}

impl MethodCounts {
    /// Calls that were answered with what was kept.
    pub fn hits(&self) -> u64 {
        self.hits_local + self.hits_remote + self.hits_stale
    }

    /// Hits and misses. A call that joined another's is not counted again: it
    /// got what that one got.
    pub fn reads(&self) -> u64 {
        self.hits() + self.misses
    }

    /// How many of the reads were hits, from 0 to 1; `None` without reads.
    ///
    /// ```
    /// use cacheable_runtime::MethodCounts;
    ///
    /// let mut counts = MethodCounts::default();
    /// assert_eq!(counts.hit_rate(), None);
    /// counts.hits_local = 3;
    /// counts.misses = 1;
    /// assert_eq!(counts.hit_rate(), Some(0.75));
    /// ```
    pub fn hit_rate(&self) -> Option<f64> {
        let reads = self.reads();
        (reads > 0).then(|| self.hits() as f64 / reads as f64)
    }
}

impl Counters {
    /// Unlike that of any other method of the engine.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Where the hits of this method are counted, of fresh values or stale ones.
    pub(crate) fn tally(&self, stale: bool) -> Tally {
        Tally::new(self.number, stale)
    }

    #[cfg(feature = "metrics")]
    fn export_hit(&self, stale: bool) {
        let counter = if stale {
            &self.exported.hits_stale
        } else {
            &self.exported.hits_local
        };
        counter.increment(1);
    }

    /// A body has run for so long.
    #[cfg_attr(
        not(feature = "metrics"),
        allow(clippy::unused_self, unused_variables, reason = "it exports nothing")
    )]
    pub(crate) fn took(&self, time: Duration) {
        #[cfg(feature = "metrics")]
        self.exported.load_seconds.record(time.as_secs_f64());
    }
}

/// The counters of every method that was called, at one moment.
///
/// ```
/// use cacheable_runtime::{Policy, Runtime};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cacheable_runtime::Error> {
/// let runtime = Runtime::embedded();
/// let cache = runtime.cache();
/// let policy = Policy::new(Duration::from_secs(60));
/// for _ in 0..2 {
///     let six = cache.get_or_load("six", policy.clone(), || async { Ok::<_, ()>(6) });
///     assert_eq!(six.await, Ok(6));
/// }
/// let counts = runtime.observe().method("cache");
/// assert_eq!((counts.loads, counts.hits_local), (1, 1));
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Observation {
    methods: BTreeMap<String, MethodCounts>,
}

impl Observation {
    /// The counts of one method, by its label: `key_prefix.method` unless the
    /// attribute gives a `name`. All zero for one that was not called. The
    /// handle of [`Runtime::cache`](crate::Runtime::cache) counts as `cache`.
    pub fn method(&self, label: &str) -> MethodCounts {
        self.methods.get(label).copied().unwrap_or_default()
    }

    /// Every method that was called, in the order of the labels.
    pub fn iter(&self) -> impl Iterator<Item = (&str, MethodCounts)> {
        self.methods
            .iter()
            .map(|(label, counts)| (label.as_str(), *counts))
    }

    /// What happened after `earlier`, an observation of the same runtime.
    /// Methods that were not called in between are left out.
    pub fn since(&self, earlier: &Self) -> Self {
        let methods = self.methods.iter().map(|(label, counts)| {
            let counts = counts.since(earlier.method(label));
            (label.clone(), counts)
        });
        Self {
            methods: methods
                .filter(|(_, counts)| *counts != MethodCounts::default())
                .collect(),
        }
    }

    /// All methods together.
    pub fn total(&self) -> MethodCounts {
        self.methods
            .values()
            .fold(MethodCounts::default(), |sum, counts| sum + *counts)
    }
}

impl fmt::Debug for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.methods).finish()
    }
}
