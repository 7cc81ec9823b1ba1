//! Where the values come from, and what the next loads are to do.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{Semaphore, watch};

use crate::source::Broken;
use crate::stores::PATIENCE;

/// A value with a version. Loads that nothing else is planned for answer at
/// once.
pub(super) struct Origin {
    version: AtomicU64,
    begun: watch::Sender<u64>,
    dropped: watch::Sender<u64>,
    plan: Mutex<VecDeque<Step>>,
    old: AtomicBool,
}

/// What one load does once it has read the version.
pub(super) enum Step {
    Fail,
    Panic,
    Wait(Arc<Semaphore>),
    WaitAndFail(Arc<Semaphore>),
}

impl Default for Origin {
    fn default() -> Self {
        Self {
            version: AtomicU64::new(1),
            begun: watch::Sender::new(0),
            dropped: watch::Sender::new(0),
            plan: Mutex::default(),
            old: AtomicBool::default(),
        }
    }
}

/// A load that is held where it is.
#[must_use = "what is held goes on when it is released"]
pub(super) struct Held(Arc<Semaphore>);

impl Held {
    pub(super) fn release(&self) {
        self.0.add_permits(1);
    }
}

impl Origin {
    /// Writes behind the cache's back.
    pub(super) fn write(&self) -> u64 {
        self.version.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// From here on what is loaded lives for long.
    pub(super) fn grow_old(&self) {
        self.old.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_old(&self) -> bool {
        self.old.load(Ordering::SeqCst)
    }

    pub(super) fn plan(&self, step: Step) {
        self.plan.lock().unwrap().push_back(step);
    }

    /// The next load waits until it is released.
    pub(super) fn hold(&self) -> Held {
        let gate = Arc::new(Semaphore::new(0));
        self.plan(Step::Wait(Arc::clone(&gate)));
        Held(gate)
    }

    /// The next load waits until it is released, and then fails.
    pub(super) fn hold_and_fail(&self) -> Held {
        let gate = Arc::new(Semaphore::new(0));
        self.plan(Step::WaitAndFail(Arc::clone(&gate)));
        Held(gate)
    }

    /// How many loads have begun.
    pub(super) fn loads(&self) -> u64 {
        *self.begun.borrow()
    }

    /// Waits until so many loads have begun.
    pub(super) async fn begun(&self, loads: u64) {
        let mut begun = self.begun.subscribe();
        let begun = begun.wait_for(|begun| *begun >= loads);
        let begun = tokio::time::timeout(PATIENCE, begun).await;
        begun
            .expect("as many loads begin")
            .expect("the origin is there");
    }

    /// Waits until so many loads were dropped before their end.
    pub(super) async fn dropped(&self, loads: u64) {
        let mut dropped = self.dropped.subscribe();
        let dropped = dropped.wait_for(|dropped| *dropped >= loads);
        let dropped = tokio::time::timeout(PATIENCE, dropped).await;
        dropped
            .expect("as many are dropped")
            .expect("the origin is there");
    }

    pub(super) async fn load(&self) -> Result<u64, Broken> {
        let version = self.version.load(Ordering::SeqCst);
        let step = self.plan.lock().unwrap().pop_front();
        self.begun.send_modify(|begun| *begun += 1);
        let under_way = UnderWay(Some(&self.dropped));
        match step {
            None => {}
            Some(Step::Fail) => return under_way.end(Err(Broken)),
            Some(Step::Panic) => panic!("this load was planned to panic"),
            Some(Step::Wait(gate)) => gate.acquire().await.unwrap().forget(),
            Some(Step::WaitAndFail(gate)) => {
                gate.acquire().await.unwrap().forget();
                return under_way.end(Err(Broken));
            }
        }
        under_way.end(Ok(version))
    }
}

/// Counts a load that does not come to its end.
struct UnderWay<'a>(Option<&'a watch::Sender<u64>>);

impl UnderWay<'_> {
    fn end<T>(mut self, result: T) -> T {
        self.0 = None;
        result
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(dropped) = self.0 {
            dropped.send_modify(|dropped| *dropped += 1);
        }
    }
}
