//! What goes on for locks while nobody awaits it: renewals, and releases of
//! guards that were dropped.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// How much of it there is, and whether it is to end.
#[derive(Debug)]
pub(super) struct Background {
    work: watch::Sender<Work>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Work {
    running: usize,
    ending: bool,
}

/// Something that goes on, for as long as this lives.
#[derive(Debug)]
pub(super) struct Running(Arc<Background>);

impl Background {
    pub(super) fn begin(self: &Arc<Self>) -> Running {
        self.work.send_modify(|work| work.running += 1);
        Running(Arc::clone(self))
    }

    /// Has renewals end, and waits for what is on its way, for so long.
    #[cfg(feature = "redis")]
    pub(super) async fn end(&self, deadline: Duration) {
        self.work.send_modify(|work| work.ending = true);
        let mut work = self.work.subscribe();
        let gone = work.wait_for(|work| work.running == 0);
        drop(tokio::time::timeout(deadline, gone).await);
    }
}

impl Default for Background {
    fn default() -> Self {
        Self {
            work: watch::Sender::new(Work::default()),
        }
    }
}

impl Running {
    /// Sleeps. `false`: it was cut short, since all is to end.
    pub(super) async fn sleep(&self, duration: Duration) -> bool {
        let mut work = self.0.work.subscribe();
        let ending = work.wait_for(|work| work.ending);
        tokio::time::timeout(duration, ending).await.is_err()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.work.send_modify(|work| work.running -= 1);
    }
}
