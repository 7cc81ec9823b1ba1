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

/// What the future that is polled on a thread has noted.
#[derive(Clone, Copy)]
enum Noted {
    /// Nobody asks.
    Unasked,
    Nothing,
    Last(Outcome),
}

thread_local! {
    static NOTED: Cell<Noted> = const { Cell::new(Noted::Unasked) };
}

impl Outcome {
    /// What spans call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::HitLocal => "hit_local",
            Self::HitRemote => "hit_remote",
            Self::Stale => "stale",
            Self::Miss => "miss",
            Self::Wait => "wait",
            Self::Bypass => "bypass",
        }
    }

    /// Says that the call that is polled now was answered so. A call inside of
    /// it has said so before, and is overruled.
    pub(crate) fn note(self) {
        if !matches!(NOTED.get(), Noted::Unasked) {
            NOTED.set(Noted::Last(self));
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
    let mut noted = Noted::Nothing;
    let output = std::future::poll_fn(|context| {
        // Given back also when the call panics.
        let _back = Back(NOTED.replace(noted));
        let polled = call.as_mut().poll(context);
        noted = NOTED.get();
        polled
    })
    .await;
    match noted {
        Noted::Last(outcome) => (output, Some(outcome)),
        Noted::Unasked | Noted::Nothing => (output, None),
    }
}

struct Back(Noted);

impl Drop for Back {
    fn drop(&mut self) {
        NOTED.set(self.0);
    }
}
