//! Small helpers around the standard locks and hashes, and process-unique numbers.
//!
//! Level 1 and the flights take their locks and atomics from here, so that
//! tests can run them in orders of their choosing; see `controlled`.

#[cfg(all(test, cacheable_shuttle))]
pub(crate) mod controlled;

mod chunks;

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::pin::{Pin, pin};
#[cfg(not(all(test, cacheable_shuttle)))]
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use once_cell::sync::Lazy;
use tokio::runtime::Handle;
use tokio::task::unconstrained;

pub(crate) use chunks::Chunks;
#[cfg(all(test, cacheable_shuttle))]
pub(crate) use controlled::{
    AtomicU32, AtomicU64, AtomicUsize, Mutex, MutexGuard, RwLock, lock, thread_local,
};
#[cfg(not(all(test, cacheable_shuttle)))]
pub(crate) use std::{
    sync::atomic::{AtomicU32, AtomicU64, AtomicUsize},
    sync::{Mutex, MutexGuard, RwLock},
    thread_local,
};

/// A future behind a pointer, for traits that are used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Locks without regard to poison: no code of ours panics while it holds a
/// lock, and a user's panic must not spread to other callers.
#[cfg(not(all(test, cacheable_shuttle)))]
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hashes what is a hash already: a number, by itself.
#[derive(Default)]
pub(crate) struct Ready(u64);

impl Hasher for Ready {
    fn write(&mut self, _: &[u8]) {
        unreachable!("a hash is written as a number");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A number that no other call in this process gets.
pub(crate) fn unique() -> u64 {
    // The standard one in any case: it outlives the runs that others belong to.
    use std::sync::atomic::AtomicU64;
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The same, in no order, and for the most part without a write that all threads
/// share.
pub(crate) fn distinct() -> u64 {
    const AT_ONCE: u64 = 1 << 10;
    std::thread_local! {
        /// The next one, and those of this thread end before the other.
        static MINE: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
    }
    let next = MINE.try_with(|mine| {
        let (mut next, mut end) = mine.get();
        if next == end {
            next = unique() * AT_ONCE;
            end = next + AT_ONCE;
        }
        mine.set((next + 1, end));
        next
    });
    // A thread that is ending.
    next.unwrap_or_else(|_| unique() * AT_ONCE)
}

/// Numbers that nobody can foresee and no other process draws: the standard
/// library's keyed hash, seeded by the operating system, over a counter.
pub(crate) fn random() -> u64 {
    static KEYS: Lazy<RandomState> = Lazy::new(RandomState::new);
    let mut hasher = KEYS.build_hasher();
    hasher.write_u64(distinct());
    hasher.finish()
}

/// Begins `future` at once, so that what it sends is sent before anything that
/// comes after, and lets it go on in the background. Without a runtime it goes
/// no further than its first wait.
pub(crate) fn start(runtime: Option<&Handle>, future: impl Future<Output = ()> + Send + 'static) {
    let _entered = runtime.map(Handle::enter);
    let mut future = Box::pin(future);
    // A task that has used up its turn could send nothing.
    let polled = pin!(unconstrained(future.as_mut())).poll(&mut Context::from_waker(Waker::noop()));
    if let (Poll::Pending, Some(runtime)) = (polled, runtime) {
        runtime.spawn(future);
    }
}

/// How often all other tasks may run before an answer is given up.
const GRACE: usize = 3;

/// Awaits an answer until a moment, and a little longer: the answer may be here by
/// then and wait for its turn behind tasks of ours, and a busy process is no slow
/// server.
pub(crate) async fn in_time<T>(
    until: Instant,
    mut answer: impl Future<Output = T> + Unpin,
) -> Option<T> {
    let answered = tokio::time::timeout_at(until.into(), &mut answer).await;
    if let Ok(answered) = answered {
        return Some(answered);
    }
    for _ in 0..GRACE {
        tokio::task::yield_now().await;
        let answered = poll_fn(|context| Poll::Ready(Pin::new(&mut answer).poll(context)));
        if let Poll::Ready(answered) = answered.await {
            return Some(answered);
        }
    }
    None
}

/// Runs `future` to its end once this is polled: where the caller goes away,
/// what is left of it goes on in the background.
pub(crate) fn detached<T: Send + 'static>(
    runtime: Option<&Handle>,
    future: impl Future<Output = T> + Send + 'static,
) -> Detached<T> {
    Detached {
        future: Some(Box::pin(future)),
        begun: false,
        runtime: runtime.cloned(),
    }
}

/// What [`detached`] returns.
#[must_use = "it does nothing until it is polled"]
pub(crate) struct Detached<T: Send + 'static> {
    /// `None`: it has ended.
    future: Option<BoxFuture<'static, T>>,
    begun: bool,
    runtime: Option<Handle>,
}

impl<T: Send + 'static> Future for Detached<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let this = &mut *self;
        this.begun = true;
        // Timers that it starts must live where it may have to go on.
        let _entered = this.runtime.as_ref().map(Handle::enter);
        let future = this.future.as_mut();
        let future = future.expect("a future that has ended is not polled");
        let polled = future.as_mut().poll(context);
        if polled.is_ready() {
            this.future = None;
        }
        polled
    }
}

impl<T: Send + 'static> Drop for Detached<T> {
    fn drop(&mut self) {
        if let (true, Some(future), Some(runtime)) = (self.begun, self.future.take(), &self.runtime)
        {
            runtime.spawn(async move { drop(future.await) });
        }
    }
}

/// Awaits all of them at once, and answers in their order. For a few: each is
/// looked at whenever any of them goes on.
#[cfg(feature = "redis")]
pub(crate) async fn all<T>(futures: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.into_iter().map(Some).collect();
    let mut results: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    poll_fn(|context| {
        let mut pending = false;
        for (future, result) in futures.iter_mut().zip(&mut results) {
            let polled = future.as_mut().map(|future| future.as_mut().poll(context));
            match polled {
                Some(Poll::Ready(value)) => {
                    *result = Some(value);
                    *future = None;
                }
                Some(Poll::Pending) => pending = true,
                None => {}
            }
        }
        if pending {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "redis")]
    #[tokio::test]
    async fn all_are_awaited_at_once_and_keep_their_order() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let waits = async move { receiver.await.expect("it is sent") };
        let sends = async move {
            tokio::task::yield_now().await;
            sender.send(1).expect("it is awaited");
            2
        };
        assert_eq!(all(vec![Box::pin(waits), Box::pin(sends)]).await, [1, 2]);
        assert_eq!(all(Vec::<BoxFuture<'_, u8>>::new()).await, [0_u8; 0]);
    }

    #[tokio::test]
    async fn what_was_begun_goes_on_without_its_caller_and_what_was_not_never_begins() {
        let here = Handle::current();
        let task = || {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            let sends = detached(Some(&here), async move {
                tokio::task::yield_now().await;
                sender.send(1).expect("it is awaited");
                2
            });
            (sends, receiver)
        };
        let (sends, receiver) = task();
        drop(sends);
        assert!(receiver.await.is_err(), "nobody has polled it");
        let (mut sends, receiver) = task();
        poll_fn(|context| Poll::Ready(Pin::new(&mut sends).poll(context).is_pending()))
            .await
            .then_some(())
            .expect("it waits");
        drop(sends);
        assert_eq!(receiver.await, Ok(1));
        let (sends, receiver) = task();
        assert_eq!((sends.await, receiver.await), (2, Ok(1)));
    }

    #[tokio::test]
    async fn what_is_started_begins_at_once_whatever_its_task_has_done_before() {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
        let mut sender = Some(sender);
        poll_fn(|context| {
            // Until the task has used up its turn.
            while pin!(tokio::task::consume_budget()).poll(context).is_ready() {}
            let sender = sender.take().expect("this is polled once");
            start(Some(&Handle::current()), async move {
                sender.send(1).await.expect("the receiver is there");
            });
            Poll::Ready(())
        })
        .await;
        assert_eq!(receiver.try_recv(), Ok(1));
    }
}
