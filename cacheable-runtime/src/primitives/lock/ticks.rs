//! What the life of a lock is measured by in this process.

use std::time::Duration;

use crate::time::Clock;

/// Time since some fixed moment. It never steps, and goes on while the machine
/// sleeps, as the server's does.
#[derive(Clone, Debug)]
pub(super) enum Ticks {
    /// The machine's, for locks that a server keeps.
    Machine,
    /// The store's, for locks that this process keeps.
    Store(Clock),
}

impl Ticks {
    pub(super) fn now(&self) -> Duration {
        match self {
            Self::Machine => machine(),
            Self::Store(clock) => Duration::from_micros(clock.micros()),
        }
    }

    /// How long to sleep at most until something may have happened, if it
    /// happens in so long by this clock. Timers stand still while the machine
    /// sleeps, and a manual clock wakes nobody.
    pub(super) fn nap(&self, left: Duration) -> Duration {
        const LONGEST: Duration = Duration::from_secs(1);
        const GLANCE: Duration = Duration::from_millis(5);
        match self {
            Self::Store(Clock::Manual(_)) => GLANCE,
            _ => left.min(LONGEST),
        }
    }

    /// By how much less than its life a lock is held here. The server's clock
    /// may run faster than this one, and it counts whole milliseconds.
    pub(super) fn margin(&self, life: Duration) -> Duration {
        match self {
            Self::Machine => life / 100 + Duration::from_millis(2),
            // It is one and the same clock.
            Self::Store(_) => Duration::ZERO,
        }
    }

    /// A life that is held here for `left` at least, whatever the margin.
    pub(super) fn covering(&self, left: Duration) -> Duration {
        match self {
            Self::Machine => left + left / 50 + Duration::from_millis(4),
            Self::Store(_) => left,
        }
    }
}

/// `Instant` leaves out the time in which a Linux machine was suspended.
#[cfg(target_os = "linux")]
fn machine() -> Duration {
    use rustix::time::{ClockId, clock_gettime};

    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(not(target_os = "linux"))]
fn machine() -> Duration {
    use std::time::Instant;

    use once_cell::sync::Lazy;

    static START: Lazy<Instant> = Lazy::new(Instant::now);
    START.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_s_time_goes_on_and_the_margin_is_more_than_a_hundredth() {
        let ticks = Ticks::Machine;
        let before = ticks.now();
        std::thread::sleep(Duration::from_millis(2));
        assert!(ticks.now() >= before + Duration::from_millis(2));
        let margin = ticks.margin(Duration::from_secs(1));
        assert_eq!(margin, Duration::from_millis(12));
        for left in [0, 1, 10, 99, 1000, 100_000].map(Duration::from_millis) {
            let life = ticks.covering(left);
            assert!(life.saturating_sub(ticks.margin(life)) >= left, "{left:?}");
        }
    }
}
