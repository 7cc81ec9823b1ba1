//! Waiting until a key changes.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::Notify;

use crate::sync::{AtomicUsize, Mutex, lock};

/// Who waits for what, by stripe: a wake-up for another key of the stripe is
/// only one look too many.
#[derive(Default)]
pub(super) struct Watch {
    /// Spares those who tell of changes the lock while nobody waits.
    waiting: AtomicUsize,
    stripes: Mutex<HashMap<u16, Arc<Notify>>>,
}

impl Watch {
    /// Waits for the next wake-up of the stripe, unless `has_changed` by the
    /// time that one would be heard.
    pub(super) async fn wait(&self, stripe: u16, has_changed: impl Fn() -> bool) {
        let seat = Seat::take(self, stripe);
        let mut woken = pin!(seat.notify.notified());
        woken.as_mut().enable();
        if !has_changed() {
            woken.await;
        }
    }

    pub(super) fn wake(&self, stripe: u16) {
        if self.waiting.load(Ordering::SeqCst) > 0
            && let Some(notify) = lock(&self.stripes).get(&stripe)
        {
            notify.notify_waiters();
        }
    }

    #[cfg(all(test, cacheable_shuttle))]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) == 0 && lock(&self.stripes).is_empty()
    }

    pub(super) fn wake_all(&self) {
        for notify in lock(&self.stripes).values() {
            notify.notify_waiters();
        }
    }
}

struct Seat<'a> {
    watch: &'a Watch,
    stripe: u16,
    notify: Arc<Notify>,
}

impl<'a> Seat<'a> {
    fn take(watch: &'a Watch, stripe: u16) -> Self {
        watch.waiting.fetch_add(1, Ordering::SeqCst);
        let notify = Arc::clone(lock(&watch.stripes).entry(stripe).or_default());
        Self {
            watch,
            stripe,
            notify,
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut stripes = lock(&self.watch.stripes);
        // The map's and this one: nobody else waits.
        if Arc::strong_count(&self.notify) == 2 {
            stripes.remove(&self.stripe);
        }
        self.watch.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
