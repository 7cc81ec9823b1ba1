//! Leases that were given up, from then on until the server has removed them.

use std::collections::{HashSet, VecDeque};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use super::scripts::SCRIPTS;
use crate::conn::{Lane, Leg, Routes};
use crate::error::{Error, ErrorKind};
use crate::sync::{BoxFuture, all, lock};

/// Leases of this process that nobody will fill, and that could not be removed.
/// They go as soon as the server is there again, so that nobody waits for them.
#[derive(Default)]
pub(super) struct Orphans {
    leases: Mutex<Leases>,
    /// How many others are being removed for the first time.
    on_the_way: AtomicUsize,
    /// There may be none left.
    fewer: tokio::sync::Notify,
    /// There is one more, or nobody to clear up for.
    changed: tokio::sync::Notify,
    over: AtomicBool,
}

/// What could not be removed, and comes in this order.
#[derive(Default)]
struct Leases {
    queue: VecDeque<Orphan>,
    /// Those in the queue: whoever finds a lease asks whether it is one of them.
    known: HashSet<Vec<u8>>,
}

#[derive(Clone)]
struct Orphan {
    key: String,
    lease: Vec<u8>,
}

/// So many are removed at once, sent together.
const AT_ONCE: usize = 32;

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
            let orphan = Orphan { key, lease };
            match orphan.remove(leg, lane).await {
                // It never will be.
                Err(error) if error.kind() == ErrorKind::ShutDown => {}
                Err(error) => {
                    tracing::debug!(%error, "a lease was not removed yet");
                    on_the_way.0.add(orphan);
                }
                Ok(()) => {}
            }
        }
    }

    fn add(&self, orphan: Orphan) {
        lock(&self.leases).add(orphan, Self::ROOM);
        self.changed.notify_one();
    }

    /// Waits until there is none left that could be removed.
    pub(super) async fn none(&self) {
        loop {
            let mut fewer = pin!(self.fewer.notified());
            fewer.as_mut().enable();
            // In this order: what could not be removed is in the list before it is
            // no longer on the way.
            if self.on_the_way.load(Ordering::SeqCst) == 0 && lock(&self.leases).queue.is_empty() {
                return;
            }
            fewer.await;
        }
    }

    pub(super) fn holds(&self, lease: &[u8]) -> bool {
        lock(&self.leases).known.contains(lease)
    }

    /// Nobody is there any more to clear up for.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
        self.changed.notify_one();
    }

    /// Works until [`end`](Self::end), as long as there is a connection. It is
    /// held no longer than some take: nobody else may be there to close it.
    pub(super) async fn clear_up(self: Arc<Self>, routes: Weak<Routes>) {
        let mut failed = 0;
        while !self.over.load(Ordering::SeqCst) {
            let some = lock(&self.leases).first();
            if some.is_empty() {
                self.changed.notified().await;
                continue;
            }
            let Some(routes) = routes.upgrade() else {
                return;
            };
            if routes.outage().is_none() {
                let remove = |orphan: &Orphan| -> BoxFuture<'_, bool> {
                    let (orphan, leg) = (orphan.clone(), routes.of(&orphan.key));
                    Box::pin(async move { orphan.remove(leg, Lane::Reads).await.is_ok() })
                };
                let removed = all(some.iter().map(remove).collect()).await;
                let left = lock(&self.leases).settle(&some, &removed);
                if removed.contains(&true) {
                    self.fewer.notify_waiters();
                    failed = 0;
                    continue;
                }
                failed += some.len();
                // Another node may take the next ones.
                if failed < left {
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
}

impl Orphan {
    async fn remove(&self, leg: Result<Leg, Error>, lane: Lane) -> Result<(), Error> {
        let Self { key, lease } = self;
        let script = &SCRIPTS.abandon;
        let removed = leg?.script::<i64, _>(lane, script, &[key], &[lease]).await;
        removed.map(drop)
    }
}

impl Leases {
    fn add(&mut self, orphan: Orphan, room: usize) {
        if !self.known.insert(orphan.lease.clone()) {
            return;
        }
        if self.queue.len() >= room
            && let Some(oldest) = self.queue.pop_front()
        {
            self.known.remove(&oldest.lease);
        }
        self.queue.push_back(orphan);
    }

    /// Those that come next.
    fn first(&self) -> Vec<Orphan> {
        self.queue.iter().take(AT_ONCE).cloned().collect()
    }

    /// Of those that came first, some are removed. The others wait for all behind
    /// them. Returns how many there are left.
    fn settle(&mut self, some: &[Orphan], removed: &[bool]) -> usize {
        for (orphan, removed) in some.iter().zip(removed) {
            let first = self.queue.front();
            // Unless another one has taken its room meanwhile.
            if first.is_none_or(|first| first.lease != orphan.lease) {
                continue;
            }
            let first = self.queue.pop_front().expect("it was just looked at");
            if *removed {
                self.known.remove(&first.lease);
            } else {
                self.queue.push_back(first);
            }
        }
        self.queue.len()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn orphan(number: usize) -> Orphan {
        Orphan {
            key: format!("key {number}"),
            lease: number.to_be_bytes().to_vec(),
        }
    }

    fn those_of(leases: &Leases) -> Vec<usize> {
        let number = |orphan: &Orphan| usize::from_be_bytes(orphan.lease[..].try_into().unwrap());
        let numbers: Vec<_> = leases.queue.iter().map(number).collect();
        let known: HashSet<_> = leases.queue.iter().map(|orphan| &orphan.lease).collect();
        assert_eq!(known, leases.known.iter().collect());
        assert_eq!(known.len(), numbers.len());
        numbers
    }

    #[test]
    fn what_is_not_removed_waits_for_all_others() {
        let mut leases = Leases::default();
        for number in [0, 1, 2, 3, 2, 0] {
            leases.add(orphan(number), 10);
        }
        assert_eq!(those_of(&leases), [0, 1, 2, 3]);
        let some = leases.first();
        assert_eq!(leases.settle(&some[..3], &[false, true, false]), 3);
        assert_eq!(those_of(&leases), [3, 0, 2]);
    }

    #[test]
    fn the_oldest_makes_room_also_while_it_is_removed() {
        let mut leases = Leases::default();
        (0..4).for_each(|number| leases.add(orphan(number), 4));
        let some = leases.first();
        // Two that come, and one of those that have gone, again.
        for number in [4, 5, 0] {
            leases.add(orphan(number), 4);
        }
        assert_eq!(those_of(&leases), [3, 4, 5, 0]);
        assert_eq!(leases.settle(&some, &[true; 4]), 3);
        assert_eq!(those_of(&leases), [4, 5, 0]);
    }
}
