//! What a runtime tells of itself and its servers.

use std::sync::Arc;
use std::time::Duration;

use super::Runtime;
use crate::error::Error;
use crate::monitor::{BigKeys, Monitor, Own, Stats, Subject};

impl Runtime {
    /// How the cache and its servers are doing now: the counters of this
    /// process, and what each server says of itself. A server is asked in one
    /// round trip, for as long as a command may take.
    ///
    /// What happened lately is known from two samples: see
    /// [`monitor`](Self::monitor).
    ///
    /// ```
    /// use cacheable_runtime::Runtime;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cacheable_runtime::Error> {
    /// let stats = Runtime::embedded().stats().await?;
    /// // Nothing was read yet.
    /// assert_eq!(stats.hit_rate(), None);
    /// for finding in stats.findings() {
    ///     eprintln!("{finding}");
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// No server can be reached, for the reason of the first. What a server
    /// that is reached does not allow to be asked is marked
    /// [`Unavailable`](crate::Unavailable) in the sample.
    pub async fn stats(&self) -> Result<Stats, Error> {
        self.subject().once().await
    }

    /// Samples at an interval, and what happened from each to the next. An
    /// interval under 10 ms counts as 10 ms.
    ///
    /// ```
    /// use cacheable_runtime::Runtime;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let runtime = Runtime::embedded();
    /// let mut monitor = runtime.monitor(Duration::from_secs(60));
    /// // The first comes at once.
    /// let stats = monitor.next().await.unwrap();
    /// assert!(stats.is_available() && stats.interval.is_none());
    /// monitor.stop();
    /// assert!(monitor.next().await.is_none());
    /// # }
    /// ```
    pub fn monitor(&self, interval: Duration) -> Monitor {
        Monitor::new(self.subject(), interval, &self.ending)
    }

    /// Which keys take most of the servers' memory: a walk over *all* of them,
    /// in small steps with pauses between, so that no other client waits for
    /// it. For operators: it takes a while (a million keys, about a minute),
    /// tells names of keys, and the user of `REDIS_URL` must be allowed `SCAN`
    /// and `MEMORY USAGE`.
    ///
    /// ```no_run
    /// # async fn look(runtime: cacheable_runtime::Runtime) -> Result<(), cacheable_runtime::Error> {
    /// let report = runtime.big_keys().top(10).matching("cache:*").run().await?;
    /// for key in report.keys {
    ///     println!("{:>12} {}", key.bytes, key.key);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn big_keys(&self) -> BigKeys {
        BigKeys::new(self.subject())
    }

    fn subject(&self) -> Subject {
        let engine = self.engine.clone();
        let primitives = Arc::clone(&self.ground.figures);
        Subject {
            clock: engine.clock().clone(),
            own: Arc::new(move || {
                let (entries, bytes) = engine.local().size();
                Own {
                    observation: engine.observe().snapshot(),
                    primitives: primitives.snapshot(),
                    entries,
                    bytes,
                }
            }),
            #[cfg(feature = "redis")]
            routes: self.routes.clone(),
        }
    }
}
