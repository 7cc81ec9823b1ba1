//! Which layer answered one call.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;

/// Where the answer of a cached call came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Level 1, in this process.
    HitLocal,
    /// The store.
    HitRemote,
    /// A value past its `ttl`, from either.
    Stale,
    /// The body, whose value was kept or shared.
    Miss,
    /// The load of another call that was under way.
    Wait,
    /// The body, without the cache.
    Bypass,
}

thread_local! {
    /// Of the future that is polled on this thread; `None` if nobody asks.
    static NOTED: Cell<Option<Option<Outcome>>> = const { Cell::new(None) };
}

impl Outcome {
    /// Says that the call that is polled now was answered so. A call inside of
    /// it has said so before, and is overruled.
    pub(crate) fn note(self) {
        if NOTED.get().is_some() {
            NOTED.set(Some(Some(self)));
        }
    }
}

/// Runs `call` and says which layer answered the cached method that it calls;
/// `None` if it called none. Of several, the last one counts.
///
/// ```
/// use cacheable_runtime::{Outcome, Policy, Runtime, with_outcome};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let cache = Runtime::embedded().cache();
/// let policy = || Policy::new(Duration::from_secs(60));
/// let six = || cache.get_or_load("six", policy(), || async { Ok::<_, ()>(6) });
///
/// assert_eq!(with_outcome(six()).await, (Ok(6), Some(Outcome::Miss)));
/// assert_eq!(with_outcome(six()).await, (Ok(6), Some(Outcome::HitLocal)));
/// # }
/// ```
pub async fn with_outcome<F: Future>(call: F) -> (F::Output, Option<Outcome>) {
    let mut call = pin!(call);
    let mut noted = None;
    let output = std::future::poll_fn(|context| {
        let outer = NOTED.replace(Some(noted));
        // Given back also when the call panics.
        let _back = Back(outer);
        let polled = call.as_mut().poll(context);
        noted = NOTED.get().flatten();
        polled
    })
    .await;
    (output, noted)
}

struct Back(Option<Option<Outcome>>);

impl Drop for Back {
    fn drop(&mut self) {
        NOTED.set(self.0);
    }
}
