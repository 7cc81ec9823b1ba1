//! Leases that were given up, from then on until the server has removed them.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use super::scripts::SCRIPTS;
use crate::conn::{Lane, Leg, Routes};
use crate::error::{Error, ErrorKind};
use crate::sync::lock;

/// Leases of this process that nobody will fill, and that could not be removed.
/// They go as soon as the server is there again, so that nobody waits for them.
#[derive(Default)]
pub(super) struct Orphans {
    leases: Mutex<VecDeque<(String, Vec<u8>)>>,
    /// How many others are being removed for the first time.
    on_the_way: AtomicUsize,
    /// There may be none left.
    fewer: tokio::sync::Notify,
    /// There is one more, or nobody to clear up for.
    changed: tokio::sync::Notify,
    over: AtomicBool,
}

impl Orphans {
    /// Beyond so many, the oldest ends by itself.
    const ROOM: usize = 10_000;

    /// Removes one, or takes note of it. It counts from this call on.
    pub(super) fn remove(
        self: Arc<Self>,
        leg: Result<Leg, Error>,
        lane: Lane,
        key: String,
        lease: Vec<u8>,
    ) -> impl Future<Output = ()> + Send + use<> {
        self.on_the_way.fetch_add(1, Ordering::SeqCst);
        let on_the_way = OnTheWay(self);
        async move {
            let script = &SCRIPTS.abandon;
            let removed = match leg {
                Ok(leg) => leg.script::<i64, _>(lane, script, &[&key], &[&lease]).await,
                Err(error) => Err(error),
            };
            match removed {
                // It never will be.
                Err(error) if error.kind() == ErrorKind::ShutDown => {}
                Err(error) => {
                    tracing::debug!(%error, "a lease was not removed yet");
                    on_the_way.0.add(key, lease);
                }
                Ok(_) => {}
            }
        }
    }

    fn add(&self, key: String, lease: Vec<u8>) {
        let mut leases = lock(&self.leases);
        if leases.len() >= Self::ROOM {
            leases.pop_front();
        }
        leases.push_back((key, lease));
        drop(leases);
        self.changed.notify_one();
    }

    /// Waits until there is none left that could be removed.
    pub(super) async fn none(&self) {
        loop {
            let mut fewer = pin!(self.fewer.notified());
            fewer.as_mut().enable();
            // In this order: what could not be removed is in the list before it is
            // no longer on the way.
            if self.on_the_way.load(Ordering::SeqCst) == 0 && lock(&self.leases).is_empty() {
                return;
            }
            fewer.await;
        }
    }

    pub(super) fn holds(&self, lease: &[u8]) -> bool {
        lock(&self.leases).iter().any(|(_, orphan)| orphan == lease)
    }

    /// Nobody is there any more to clear up for.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.changed.notify_one();
    }

    /// Works until [`end`](Self::end), as long as there is a connection. It is
    /// held only for a moment: nobody else may be there to close it.
    pub(super) async fn clear_up(self: Arc<Self>, routes: Weak<Routes>) {
        let mut failed = 0;
        while !self.over.load(Ordering::SeqCst) {
            let first = lock(&self.leases).front().cloned();
            let Some((key, lease)) = first else {
                self.changed.notified().await;
                continue;
            };
            let Some(routes) = routes.upgrade() else {
                return;
            };
            if routes.outage().is_none() {
                let gone = async {
                    let script = &SCRIPTS.abandon;
                    let leg = routes.of(&key)?;
                    leg.script::<i64, _>(Lane::Reads, script, &[&key], &[&lease])
                        .await
                };
                if gone.await.is_ok() {
                    lock(&self.leases).retain(|orphan| orphan.1 != lease);
                    failed = 0;
                    self.fewer.notify_waiters();
                    continue;
                }
                failed += 1;
                // Another node may take the next one.
                if failed < self.put_off(&lease) {
                    tokio::task::yield_now().await;
                    continue;
                }
            }
            drop(routes);
            failed = 0;
            // Whatever the reason, it does not go away by asking faster.
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Has the first one wait for all others. Returns how many there are.
    fn put_off(&self, first: &[u8]) -> usize {
        let mut leases = lock(&self.leases);
        if leases.front().is_some_and(|orphan| orphan.1 == first) {
            leases.rotate_left(1);
        }
        leases.len()
    }
}

/// One that is being removed. It is in the list, or gone, before this is dropped.
struct OnTheWay(Arc<Orphans>);

impl Drop for OnTheWay {
    fn drop(&mut self) {
        self.0.on_the_way.fetch_sub(1, Ordering::SeqCst);
        self.0.fewer.notify_waiters();
    }
}

const RETRY: Duration = Duration::from_millis(50);
