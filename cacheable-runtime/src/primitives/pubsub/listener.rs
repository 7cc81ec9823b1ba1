//! A function that is called for every message.

use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::queue::Queue;
use super::subscription::{Event, Subscription};
use crate::error::Error;

/// Calls a function for every message, one after the other, until it is
/// dropped; a call that is under way then goes on to its end.
///
/// See [`PubSub::subscribe_with`](super::PubSub::subscribe_with).
#[must_use = "nothing is called any more after this is dropped"]
pub struct Listener {
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
    queue: Arc<Queue>,
    patience: Duration,
}

impl Listener {
    pub(super) fn begin<M, F, Fut>(
        mut subscription: Subscription<M>,
        mut handle: F,
        patience: Duration,
    ) -> Self
    where
        M: Send + 'static,
        F: FnMut(M) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let (stop, mut stopped) = watch::channel(false);
        let queue = subscription.queue();
        let task = tokio::spawn(async move {
            let channel = subscription.shown().to_owned();
            loop {
                let event = tokio::select! {
                    biased;
                    // Also when the handle is dropped.
                    _ = stopped.changed() => break,
                    event = subscription.next() => event,
                };
                match event {
                    None => break,
                    Some(Event::Message { message, .. }) => {
                        if !completes(|| handle(message)).await {
                            tracing::error!(channel, "a handler of messages panicked");
                        }
                    }
                    Some(event) => {
                        tracing::warn!(channel, ?event, "messages are missing");
                    }
                }
            }
            subscription.quit().await;
        });
        Self {
            stop,
            task: Some(task),
            queue,
            patience,
        }
    }

    /// Ends it: the function is called no more, a call that is under way is
    /// waited for, and the server is told if nobody else in this process
    /// listens. After the command timeout such a call is dropped. A second call
    /// does nothing.
    pub async fn quit(&mut self) {
        self.quit_within(self.patience).await;
    }

    /// [`quit`](Self::quit) with a deadline of one's own.
    pub async fn quit_within(&mut self, deadline: Duration) {
        self.stop.send_replace(true);
        if let Some(task) = &mut self.task {
            if timeout(deadline, &mut *task).await.is_err() {
                task.abort();
            }
            self.task = None;
        }
    }

    /// Whether it has ended; see [`reason`](Self::reason).
    pub fn is_finished(&self) -> bool {
        self.task.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Why it has ended, as [`Subscription::reason`].
    pub fn reason(&self) -> Option<Error> {
        self.queue.reason()
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}

/// `false`: it panicked. One message that cannot be handled must not keep the
/// later ones from being.
async fn completes<Fut: Future<Output = ()>>(handle: impl FnOnce() -> Fut) -> bool {
    let Ok(future) = catch_unwind(AssertUnwindSafe(handle)) else {
        return false;
    };
    let mut future = pin!(future);
    poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(())) => Poll::Ready(true),
            Err(_) => Poll::Ready(false),
        },
    )
    .await
}
