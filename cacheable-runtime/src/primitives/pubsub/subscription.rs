//! What one subscriber hears.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_core::Stream;

use super::queue::{Bounds, Next, Queue};
use super::{End, Ground, Hold, Topic};
use crate::error::Error;

/// What a [`Subscription`] hears.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<M> {
    /// Somebody has published this.
    #[non_exhaustive]
    Message {
        /// The channel, without the namespace; one of many under a pattern.
        channel: String,
        /// What was published.
        message: M,
    },
    /// The connection was lost and made again, or another server has taken
    /// over: messages may be missing. It comes before any later message.
    #[non_exhaustive]
    Gap {
        /// All that was published before was heard. It is about a second before
        /// the loss: how often the server is asked whether it is still there.
        since: Instant,
    },
    /// So many messages were dropped because this subscriber was too slow.
    Lagged(u64),
    /// Something was published that is no message of this type.
    #[non_exhaustive]
    Undecodable {
        /// The channel, without the namespace.
        channel: String,
        /// How long it is.
        bytes: usize,
    },
}

/// Listens to one channel, or to those of one pattern, until it is dropped.
///
/// Several subscriptions of one process share one connection, and each has
/// every message. It is a [`Stream`], too.
///
/// ```
/// use cacheable_runtime::{Event, Runtime};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cacheable_runtime::Error> {
/// # let runtime = Runtime::embedded();
/// let pubsub = runtime.pubsub();
/// let mut news = pubsub.subscribe::<String>("news").await?;
/// pubsub.publish("news", "hello").await?;
///
/// match news.next().await {
///     Some(Event::Message { message, .. }) => assert_eq!(message, "hello"),
///     other => panic!("{other:?}"),
/// }
/// news.quit().await;
/// assert!(news.next().await.is_none());
/// # Ok(()) }
/// ```
#[must_use = "a subscription ends when it is dropped"]
pub struct Subscription<M> {
    queue: Arc<Queue>,
    hold: Option<Hold>,
    decode: fn(Vec<u8>) -> Option<M>,
    ground: Arc<Ground>,
    topic: Topic,
}

impl<M> Subscription<M> {
    pub(super) async fn begin(
        ground: Arc<Ground>,
        topic: Topic,
        bounds: Bounds,
        decode: fn(Vec<u8>) -> Option<M>,
    ) -> Result<Self, Error> {
        let queue = Queue::new(bounds, ground.namespace().len());
        let queue = Arc::new(queue.counted_in(&ground.figures));
        let hold = super::listen(&ground, &topic, Arc::clone(&queue) as _).await?;
        Ok(Self {
            queue,
            hold: Some(hold),
            decode,
            ground,
            topic,
        })
    }

    /// What comes next. `None`: the subscription has ended, and
    /// [`reason`](Self::reason) tells why.
    ///
    /// # Cancellation
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Event<M>> {
        poll_fn(|context| self.poll_event(context)).await
    }

    fn poll_event(&mut self, context: &Context<'_>) -> Poll<Option<Event<M>>> {
        let event = match ready!(self.queue.poll(context)) {
            Next::Message(message) => {
                let channel = String::from_utf8_lossy(&message.channel).into_owned();
                let bytes = message.payload.len();
                if let Some(message) = (self.decode)(message.payload) {
                    Event::Message { channel, message }
                } else {
                    self.ground.figures.messages().undecodable();
                    Event::Undecodable { channel, bytes }
                }
            }
            Next::Gap(since) => Event::Gap { since },
            Next::Lagged(count) => Event::Lagged(count),
            Next::End => {
                self.hold = None;
                return Poll::Ready(None);
            }
        };
        Poll::Ready(Some(event))
    }

    /// Why it has ended: the runtime was shut down, the server refuses the
    /// subscription, or the queue was full and set to close. `None`: it goes
    /// on, or was ended by [`quit`](Self::quit).
    pub fn reason(&self) -> Option<Error> {
        self.queue.reason()
    }

    /// Ends it: nothing more is taken in, and the server is told if nobody else
    /// in this process listens. What has come already can still be had from
    /// [`next`](Self::next), which then returns `None`. A second call does
    /// nothing.
    ///
    /// It returns when the server has confirmed, or after the runtime's
    /// [`budget`](crate::Builder::budget); a server that is away ends the
    /// subscription with the connection.
    ///
    /// # Cancellation
    /// Dropped, it has ended the subscription all the same.
    pub async fn quit(&mut self) {
        let deadline = self.ground.patience().budget;
        self.quit_within(deadline).await;
    }

    /// [`quit`](Self::quit) with a deadline of one's own.
    pub async fn quit_within(&mut self, deadline: Duration) {
        self.queue.end(End::Quit);
        if let Some(hold) = self.hold.take() {
            hold.end(deadline).await;
        }
    }

    pub(super) fn queue(&self) -> Arc<Queue> {
        Arc::clone(&self.queue)
    }

    pub(super) fn shown(&self) -> &str {
        self.topic.shown(self.ground.namespace())
    }
}

impl<M> Stream for Subscription<M> {
    type Item = Event<M>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_event(context)
    }
}

impl<M> fmt::Debug for Subscription<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("channel", &self.shown())
            .finish_non_exhaustive()
    }
}

/// Without the message.
impl<M> fmt::Debug for Event<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { channel, .. } => f
                .debug_struct("Message")
                .field("channel", channel)
                .finish_non_exhaustive(),
            Self::Gap { since } => f.debug_struct("Gap").field("since", since).finish(),
            Self::Lagged(count) => f.debug_tuple("Lagged").field(count).finish(),
            Self::Undecodable { channel, bytes } => f
                .debug_struct("Undecodable")
                .field("channel", channel)
                .field("bytes", bytes)
                .finish(),
        }
    }
}
