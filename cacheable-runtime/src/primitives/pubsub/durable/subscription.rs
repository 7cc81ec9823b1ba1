//! Reads a stream from one message to the next.
//!
//! What is published beside the stream only rings: each message is read from
//! the stream, in its order. So a message that rang for nobody, while the
//! connection was being made again, is read with the next.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures_core::Stream;

use super::super::{End, Ground, Hold, Kind, Receiver, Topic, is_refused, listen, wake};
use super::reader::{Anchor, Read, Reader, fetch, last};
use super::{Entry, MessageId, StartAt};
use crate::error::{Error, ErrorKind};
use crate::observe::Mode;
use crate::sync::lock;

/// What a [`DurableSubscription`] reads.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DurableEvent<M> {
    /// The next message.
    #[non_exhaustive]
    Message {
        /// Where to go on after it, with [`StartAt::After`].
        id: MessageId,
        /// What was published.
        message: M,
    },
    /// Messages are not kept any more that were not read yet. The oldest one
    /// that is kept comes next.
    #[non_exhaustive]
    Gap {
        /// The last message before; `None`: the lost ones were the first.
        after: Option<MessageId>,
        /// The next one.
        before: MessageId,
        /// How many are lost. `None`: nobody knows, since the stream was
        /// removed and begun anew.
        lost: Option<u64>,
    },
    /// The next message is none of this type.
    #[non_exhaustive]
    Undecodable {
        /// Where to go on after it.
        id: MessageId,
        /// How long it is.
        bytes: usize,
    },
}

/// Reads a [`Durable`](super::Durable) stream until it is dropped. It is a
/// [`Stream`], too.
#[must_use = "a subscription ends when it is dropped"]
pub struct DurableSubscription<M> {
    ground: Arc<Ground>,
    stream: String,
    key: String,
    decode: fn(Vec<u8>) -> Option<M>,
    hold: Option<Hold>,
    bell: Arc<Bell>,
    reader: Reader,
}

impl<M> DurableSubscription<M> {
    pub(super) async fn begin(
        ground: Arc<Ground>,
        stream: &str,
        key: String,
        start: StartAt,
        decode: fn(Vec<u8>) -> Option<M>,
    ) -> Result<Self, Error> {
        // First, so that nothing is published unheard after `Now` was read.
        let (hold, bell) = hear(&ground, &key).await?;
        let anchor = match start {
            StartAt::Beginning => Anchor::Oldest,
            StartAt::After(id) => Anchor::At(id),
            StartAt::Now => match last(&ground, &key).await? {
                Some(last) => Anchor::At(last.id),
                None => Anchor::New,
            },
        };
        let mut reader = Reader::new(anchor);
        if start != StartAt::Now {
            // A stream that cannot be read is refused now.
            let (ground, key) = (Arc::clone(&ground), key.clone());
            let first = fetch(ground, key, anchor.id(), reader.count).await?;
            reader.take(Ok(first))?;
        }
        Ok(Self {
            ground,
            stream: stream.to_owned(),
            key,
            decode,
            hold: Some(hold),
            bell,
            reader,
        })
    }

    /// What comes next. `None`: the subscription has ended, and
    /// [`reason`](Self::reason) tells why. A server that is away is waited for.
    ///
    /// # Cancellation
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<DurableEvent<M>> {
        poll_fn(|context| self.poll_event(context)).await
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<DurableEvent<M>>> {
        loop {
            if let Some(read) = self.reader.ready.pop_front() {
                return Poll::Ready(Some(self.event(read)));
            }
            if self.bell.has_ended() {
                self.hold = None;
                self.reader.fetch = None;
                return Poll::Ready(None);
            }
            // Before anything is looked at, so that no ring is missed.
            self.bell.wakes(context.waker());
            if let Some(fetch) = &mut self.reader.fetch {
                let Poll::Ready(fetched) = fetch.as_mut().poll(context) else {
                    return Poll::Pending;
                };
                if let Err(error) = self.reader.take(fetched)
                    && (error.kind() == ErrorKind::ShutDown || is_refused(&error))
                {
                    self.bell.end(End::Because(error));
                }
                continue;
            }
            let due = self.reader.pause.as_mut().poll(context).is_ready();
            if !self.bell.rang() && !self.reader.more && !due {
                return Poll::Pending;
            }
            let (ground, key) = (Arc::clone(&self.ground), self.key.clone());
            let (after, count) = (self.reader.anchor.id(), self.reader.count);
            self.reader.fetch = Some(Box::pin(fetch(ground, key, after, count)));
        }
    }

    fn event(&self, read: Read) -> DurableEvent<M> {
        let figures = self.ground.figures.messages();
        match read {
            Read::Gap {
                after,
                before,
                lost,
            } => {
                figures.gap(Mode::Durable);
                DurableEvent::Gap {
                    after,
                    before,
                    lost,
                }
            }
            Read::Entry(Entry { id, payload, .. }) => {
                figures.received(Mode::Durable);
                let bytes = payload.len();
                if let Some(message) = (self.decode)(payload) {
                    return DurableEvent::Message { id, message };
                }
                figures.undecodable();
                DurableEvent::Undecodable { id, bytes }
            }
        }
    }

    /// Why it has ended: the runtime was shut down, the server refuses the
    /// subscription or that the stream is read, or another program has written
    /// to it. `None`: it goes on, or was ended by [`quit`](Self::quit).
    pub fn reason(&self) -> Option<Error> {
        self.bell.reason()
    }

    /// Ends it, as [`Subscription::quit`](super::super::Subscription::quit).
    pub async fn quit(&mut self) {
        let deadline = self.ground.patience().budget;
        self.quit_within(deadline).await;
    }

    /// [`quit`](Self::quit) with a deadline of one's own.
    pub async fn quit_within(&mut self, deadline: Duration) {
        self.bell.end(End::Quit);
        self.reader.fetch = None;
        if let Some(hold) = self.hold.take() {
            hold.end(deadline).await;
        }
    }
}

impl<M> Stream for DurableSubscription<M> {
    type Item = DurableEvent<M>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_event(context)
    }
}

impl<M> fmt::Debug for DurableSubscription<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableSubscription")
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

/// Without the message.
impl<M> fmt::Debug for DurableEvent<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { id, .. } => f
                .debug_struct("Message")
                .field("id", id)
                .finish_non_exhaustive(),
            Self::Gap {
                after,
                before,
                lost,
            } => f
                .debug_struct("Gap")
                .field("after", after)
                .field("before", before)
                .field("lost", lost)
                .finish(),
            Self::Undecodable { id, bytes } => f
                .debug_struct("Undecodable")
                .field("id", id)
                .field("bytes", bytes)
                .finish(),
        }
    }
}

/// Listens for the ring: over a sharded channel where the server has them, as
/// the script that publishes decides, too.
async fn hear(ground: &Ground, key: &str) -> Result<(Hold, Arc<Bell>), Error> {
    let listen = async |kind| {
        let topic = Topic {
            kind,
            name: key.to_owned(),
        };
        // One that was refused has been told to end.
        let bell = Arc::new(Bell::default());
        let hold = listen(ground, &topic, Arc::clone(&bell) as _).await?;
        Ok((hold, bell))
    };
    match listen(Kind::Sharded).await {
        Err(error) if super::super::is_unsharded(&error) => listen(Kind::Exact).await,
        other => other,
    }
}

/// Rings when there may be something to read.
#[derive(Default)]
struct Bell {
    state: Mutex<Ringing>,
}

#[derive(Default)]
struct Ringing {
    rang: bool,
    ended: Option<End>,
    waker: Option<Waker>,
}

impl Bell {
    fn ring(&self) -> Option<Waker> {
        let mut state = lock(&self.state);
        state.rang = true;
        state.waker.take()
    }

    fn rang(&self) -> bool {
        std::mem::take(&mut lock(&self.state).rang)
    }

    fn wakes(&self, waker: &Waker) {
        let before = lock(&self.state).waker.replace(waker.clone());
        drop(before);
    }

    /// The first reason stays.
    fn end(&self, how: End) {
        let mut state = lock(&self.state);
        state.ended.get_or_insert(how);
        let waker = state.waker.take();
        drop(state);
        wake(waker);
    }

    fn has_ended(&self) -> bool {
        lock(&self.state).ended.is_some()
    }

    fn reason(&self) -> Option<Error> {
        lock(&self.state).ended.as_ref().and_then(End::reason)
    }
}

impl Receiver for Bell {
    fn message(&self, _: &[u8], _: &[u8]) -> Option<Waker> {
        self.ring()
    }

    fn gap(&self, _: Instant) {
        wake(self.ring());
    }

    fn ended(&self, why: &Error) {
        self.end(End::Because(why.clone()));
    }
}
