//! Numbers that only rise, here and in the `metrics` facade.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Name and value, both from this source.
pub(super) type Label = (&'static str, &'static str);

/// One number.
pub(super) struct Count {
    total: AtomicU64,
    #[cfg(feature = "metrics")]
    exported: ::metrics::Counter,
}

/// How long something took, each time.
pub(super) struct Times {
    micros: AtomicU64,
    #[cfg(feature = "metrics")]
    exported: ::metrics::Histogram,
}

/// Series of one name that differ by their labels, each of which is made when
/// it first counts: there can be many that never do.
pub(super) struct Family<const N: usize> {
    #[cfg(feature = "metrics")]
    series: [once_cell::sync::OnceCell<::metrics::Counter>; N],
}

#[cfg_attr(
    not(feature = "metrics"),
    allow(unused_variables, reason = "it exports nothing")
)]
impl Count {
    pub(super) fn new(name: &'static str, labels: &[Label]) -> Self {
        Self {
            total: AtomicU64::new(0),
            #[cfg(feature = "metrics")]
            exported: ::metrics::counter!(name, labels),
        }
    }

    pub(super) fn add(&self, amount: u64) {
        self.total.fetch_add(amount, Ordering::Relaxed);
        #[cfg(feature = "metrics")]
        self.exported.increment(amount);
    }

    pub(super) fn get(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }
}

#[cfg_attr(
    not(feature = "metrics"),
    allow(unused_variables, reason = "it exports nothing")
)]
impl Times {
    pub(super) fn new(name: &'static str, labels: &[Label]) -> Self {
        Self {
            micros: AtomicU64::new(0),
            #[cfg(feature = "metrics")]
            exported: ::metrics::histogram!(name, labels),
        }
    }

    pub(super) fn add(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        #[cfg(feature = "metrics")]
        self.exported.record(time.as_secs_f64());
    }

    /// All of them together, in microseconds.
    pub(super) fn micros(&self) -> u64 {
        self.micros.load(Ordering::Relaxed)
    }
}

impl<const N: usize> Family<N> {
    pub(super) fn new() -> Self {
        Self {
            #[cfg(feature = "metrics")]
            series: [const { once_cell::sync::OnceCell::new() }; N],
        }
    }

    /// Adds one to the series of this number; `labels` are always the same
    /// ones for it.
    #[cfg_attr(
        not(feature = "metrics"),
        allow(clippy::unused_self, unused_variables, reason = "it exports nothing")
    )]
    pub(super) fn add<const L: usize>(
        &self,
        name: &'static str,
        number: usize,
        labels: impl FnOnce() -> [(&'static str, String); L],
    ) {
        #[cfg(feature = "metrics")]
        self.series[number]
            .get_or_init(|| ::metrics::counter!(name, &labels()))
            .increment(1);
    }
}

/// So many times a server was given the text of a script that it had
/// forgotten.
#[cfg(feature = "redis")]
#[cfg_attr(
    not(feature = "metrics"),
    allow(unused_variables, reason = "it exports nothing")
)]
pub(crate) fn script_reloads(amount: u64) {
    // It is seldom, so that nothing has to be kept for it.
    #[cfg(feature = "metrics")]
    ::metrics::counter!("cacheable_script_reloads_total").increment(amount);
}

/// Counts that callers get, and how they differ from those of another moment.
macro_rules! counts {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $field:ident,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$doc])* pub $field: u64,)+
        }

        impl $name {
            /// What happened after `earlier`, which was counted before these.
            #[must_use]
            pub fn since(self, earlier: Self) -> Self {
                Self { $($field: self.$field.saturating_sub(earlier.$field),)+ }
            }
        }
    };
}
pub(super) use counts;
