//! One clock for every decision about age: the server's when there is one,
//! this process's otherwise. Nobody else reads the time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch, as the store counts them.
pub(crate) type Millis = u64;

/// Where the time comes from. Cheap to clone; clones agree.
#[derive(Clone, Debug)]
pub(crate) enum Clock {
    /// A monotonic clock set to an epoch time: a step of the machine's wall
    /// clock neither expires nor revives an entry.
    Process(Arc<ProcessClock>),
    Manual(ManualClock),
}

#[derive(Debug)]
pub(crate) struct ProcessClock {
    started: Instant,
    /// The same moment, on the clock of the system's timer.
    coarse: Coarse,
    /// Epoch milliseconds at `started`, in the store's reckoning.
    epoch_at_start: AtomicI64,
    /// Whether a server has told its time.
    followed: AtomicBool,
}

/// The clock of the system's timer, where there is one, since some moment.
#[derive(Debug)]
struct Coarse(u64);

impl Coarse {
    fn start() -> Self {
        Self(Self::now())
    }

    /// Milliseconds since the start.
    #[inline]
    fn elapsed(&self) -> Millis {
        Self::now().saturating_sub(self.0)
    }

    #[cfg(target_os = "linux")]
    #[inline]
    fn now() -> Millis {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse);
        // Neither is negative: it counts from the start of the machine.
        now.tv_sec.cast_unsigned() * 1000 + (now.tv_nsec / 1_000_000).cast_unsigned()
    }

    #[cfg(not(target_os = "linux"))]
    fn now() -> Millis {
        use once_cell::sync::Lazy;
        static FIRST: Lazy<Instant> = Lazy::new(Instant::now);
        u64::try_from(FIRST.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Milliseconds on a clock of this process, as exactly as the system's timer goes.
pub(crate) fn coarsely() -> Millis {
    Coarse::now()
}

/// An answer that took longer says too little about when it was given.
const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(1);

/// One moment, in both reckonings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// In the store's time.
    pub(crate) now: Millis,
    /// On the clock of this process.
    pub(crate) monotonic: Millis,
}

impl Clock {
    pub(crate) fn process() -> Self {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self::Process(Arc::new(ProcessClock {
            started: Instant::now(),
            coarse: Coarse::start(),
            epoch_at_start: AtomicI64::new(signed(since_epoch)),
            followed: AtomicBool::new(false),
        }))
    }

    pub(crate) fn now(&self) -> Millis {
        match self {
            Self::Process(clock) => {
                let elapsed = signed(clock.started.elapsed());
                let epoch = clock.epoch_at_start.load(Ordering::Relaxed);
                u64::try_from(epoch.saturating_add(elapsed)).unwrap_or(0)
            }
            Self::Manual(clock) => clock.now(),
        }
    }

    /// The same in microseconds.
    pub(crate) fn micros(&self) -> u64 {
        match self {
            Self::Process(clock) => {
                let elapsed = clock.started.elapsed().as_micros();
                let epoch = clock.epoch_at_start.load(Ordering::Relaxed);
                u64::try_from(elapsed)
                    .unwrap_or(u64::MAX)
                    .saturating_add_signed(epoch.saturating_mul(1000))
            }
            Self::Manual(clock) => clock.now().saturating_mul(1000),
        }
    }

    /// Reads the clock once for both, and not more exactly than the system's
    /// timer goes: some milliseconds off, to either side, at a third of the cost.
    /// What must not be answered with a moment too long is told about, not timed
    /// out.
    #[inline]
    pub(crate) fn moment(&self) -> Moment {
        match self {
            Self::Process(clock) => {
                let monotonic = clock.coarse.elapsed();
                let epoch = clock.epoch_at_start.load(Ordering::Relaxed);
                Moment {
                    now: monotonic.saturating_add_signed(epoch),
                    monotonic,
                }
            }
            Self::Manual(clock) => Moment {
                now: clock.now(),
                monotonic: clock.now(),
            },
        }
    }

    /// What [`Moment::monotonic`] is at another moment.
    pub(crate) fn monotonic_at(&self, moment: Instant) -> Millis {
        match self {
            // Relative to now: nothing says that the two clocks go alike.
            Self::Process(clock) => {
                let ago = u64::try_from(moment.elapsed().as_millis()).unwrap_or(u64::MAX);
                let ahead = moment.saturating_duration_since(Instant::now()).as_millis();
                let ahead = u64::try_from(ahead).unwrap_or(u64::MAX);
                let now = clock.coarse.elapsed();
                now.saturating_sub(ago).saturating_add(ahead)
            }
            Self::Manual(clock) => clock.now(),
        }
    }

    /// Follows the server: it said `server_now` in answer to a question that
    /// was on its way for `round_trip`. The true time lies within half of it.
    pub(crate) fn follow(&self, server_now: Millis, round_trip: Duration) {
        if let Self::Process(clock) = self {
            let first = !clock.followed.swap(true, Ordering::Relaxed);
            if round_trip > LONGEST_ROUND_TRIP && !first {
                return;
            }
            let now = i64::try_from(server_now).unwrap_or(i64::MAX);
            let ahead = signed(round_trip) / 2 - signed(clock.started.elapsed());
            let epoch = now.saturating_add(ahead);
            clock.epoch_at_start.store(epoch, Ordering::Relaxed);
        }
    }
}

fn signed(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A clock that moves only when told to, for tests over the embedded store.
///
/// ```
/// use cacheable_runtime::{ManualClock, Runtime};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cacheable_runtime::Error> {
/// let clock = ManualClock::new();
/// let runtime = Runtime::builder().clock(&clock).build().await?;
/// let cache = runtime.cache();
///
/// cache.set("greeting", "hello", Duration::from_secs(60)).await?;
/// clock.advance(Duration::from_secs(61));
/// assert_eq!(cache.get::<String>("greeting").await?, None);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ManualClock {
    now: Arc<AtomicU64>,
}

impl ManualClock {
    /// A clock that stands at a fixed time until [`advance`](Self::advance)d.
    pub fn new() -> Self {
        // Any time after the epoch serves; this one is easy to recognise.
        Self {
            now: Arc::new(AtomicU64::new(1_000_000_000_000)),
        }
    }

    /// Moves the clock, and every clone of it, forward.
    pub fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.now.fetch_add(millis, Ordering::SeqCst);
    }

    fn now(&self) -> Millis {
        self.now.load(Ordering::SeqCst)
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManualClock")
            .field("millis", &self.now())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_server_by_half_the_round_trip() {
        let clock = Clock::process();
        clock.follow(5_000_000, Duration::from_millis(40));
        let now = clock.now();
        assert!((5_000_020..5_010_000).contains(&now), "{now}");
    }

    #[test]
    fn an_answer_that_took_too_long_moves_no_clock_but_the_first_does() {
        let clock = Clock::process();
        clock.follow(5_000_000, Duration::from_secs(4));
        assert!((5_002_000..5_010_000).contains(&clock.now()));
        clock.follow(9_000_000, Duration::from_secs(4));
        assert!((5_002_000..5_010_000).contains(&clock.now()));
        clock.follow(9_000_000, Duration::ZERO);
        assert!(clock.now() >= 9_000_000);
    }

    #[test]
    fn a_server_may_say_any_time() {
        let clock = Clock::process();
        for told in [u64::MAX, 0] {
            clock.follow(told, Duration::from_secs(1));
            std::thread::sleep(Duration::from_millis(2));
            clock.now();
            clock.moment();
        }
    }

    #[test]
    fn a_manual_clock_moves_with_its_clones() {
        let manual = ManualClock::new();
        let clock = Clock::Manual(manual.clone());
        let before = clock.now();
        manual.advance(Duration::from_millis(7));
        assert_eq!(clock.now(), before + 7);
    }
}
