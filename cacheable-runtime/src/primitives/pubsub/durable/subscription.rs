//! Reads a stream from one message to the next.
//!
//! What is published beside the stream only rings: each message is read from
//! the stream, in its order. So a message that rang for nobody, while the
//! connection was being made again, is read with the next.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures_core::Stream;
use tokio::time::{Sleep, sleep};

use super::super::{End, Ground, Hold, Kind, Receiver, Topic, listen};
use super::{Entry, MessageId, StartAt};
use crate::error::{Error, ErrorKind};
use crate::observe::Mode;
use crate::sync::{BoxFuture, lock};

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

/// How often to look even if nothing rang.
const INTERVAL: Duration = Duration::from_secs(5);

/// About how many bytes to read at once.
const BATCH: usize = 1 << 20;

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
        Ok(Self {
            ground,
            stream: stream.to_owned(),
            key,
            decode,
            hold: Some(hold),
            bell,
            reader: Reader::new(anchor),
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
                    && error.kind() == ErrorKind::ShutDown
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

    /// Why it has ended: the runtime was shut down, or the server refuses the
    /// subscription. `None`: it goes on, or was ended by [`quit`](Self::quit).
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

/// Where a reader is, and what it has read ahead.
struct Reader {
    anchor: Anchor,
    ready: VecDeque<Read>,
    fetch: Option<BoxFuture<'static, Result<Fetched, Error>>>,
    /// There may be more than was read.
    more: bool,
    /// When to look again.
    pause: Pin<Box<Sleep>>,
    failures: u32,
    /// How many to read at once.
    count: usize,
}

/// The message after which to read on.
#[derive(Clone, Copy)]
enum Anchor {
    /// None: from the oldest one that is kept.
    Oldest,
    /// None: from the first one of a stream that is still to begin.
    New,
    At(MessageId),
    /// None: the stream with this one was removed, and another one begun.
    Removed(MessageId),
}

enum Read {
    Entry(Entry),
    Gap {
        after: Option<MessageId>,
        before: MessageId,
        lost: Option<u64>,
    },
}

struct Fetched {
    entries: Vec<Entry>,
    /// All that is kept is older than what was read before.
    removed: bool,
}

impl Reader {
    fn new(anchor: Anchor) -> Self {
        Self {
            anchor,
            ready: VecDeque::new(),
            fetch: None,
            more: true,
            pause: Box::pin(sleep(INTERVAL)),
            failures: 0,
            count: 16,
        }
    }

    fn take(&mut self, fetched: Result<Fetched, Error>) -> Result<(), Error> {
        self.fetch = None;
        let fetched = match fetched {
            Ok(fetched) => fetched,
            Err(error) => {
                self.more = false;
                self.pause = Box::pin(sleep(Duration::from_millis(50 << self.failures.min(4))));
                self.failures += 1;
                tracing::debug!(%error, "a stream cannot be read now");
                return Err(error);
            }
        };
        self.failures = 0;
        self.pause = Box::pin(sleep(INTERVAL));
        self.more = fetched.entries.len() == self.count;
        if fetched.removed
            && let Anchor::At(id) = self.anchor
        {
            self.anchor = Anchor::Removed(id);
            self.more = true;
        }
        let bytes: usize = fetched.entries.iter().map(|it| it.payload.len()).sum();
        if let Some(mean) = bytes.checked_div(fetched.entries.len()) {
            self.count = (BATCH / mean.max(1)).clamp(1, 256);
        }
        for entry in fetched.entries {
            self.ready.extend(self.anchor.gap_before(&entry));
            self.anchor = Anchor::At(entry.id);
            self.ready.push_back(Read::Entry(entry));
        }
        Ok(())
    }
}

impl Anchor {
    fn id(self) -> Option<MessageId> {
        match self {
            Self::At(id) => Some(id),
            Self::Oldest | Self::New | Self::Removed(_) => None,
        }
    }

    /// What lies between this and the next message that is kept.
    fn gap_before(self, next: &Entry) -> Option<Read> {
        let gap = |after, lost| {
            Some(Read::Gap {
                after,
                before: next.id,
                lost,
            })
        };
        let number = next.id.number;
        match self {
            Self::New if number > next.first => gap(None, Some(number - next.first)),
            Self::Removed(id) => gap(Some(id), None),
            Self::At(id) if id.number < next.first => gap(Some(id), None),
            Self::At(id) if number > id.number + 1 => gap(Some(id), Some(number - id.number - 1)),
            Self::Oldest | Self::New | Self::At(_) => None,
        }
    }
}

async fn fetch(
    ground: Arc<Ground>,
    key: String,
    after: Option<MessageId>,
    count: usize,
) -> Result<Fetched, Error> {
    let entries = read(&ground, &key, after, count).await?;
    let mut removed = false;
    if entries.is_empty()
        && let Some(after) = after
    {
        let last = last(&ground, &key).await?;
        removed = last.is_some_and(|last| last.id < after);
    }
    Ok(Fetched { entries, removed })
}

async fn read(
    ground: &Ground,
    key: &str,
    after: Option<MessageId>,
    count: usize,
) -> Result<Vec<Entry>, Error> {
    #[cfg(feature = "redis")]
    if let Some(server) = ground.server() {
        return super::super::redis::read(server, ground.patience(), key, after, count).await;
    }
    let logs = &ground.messages.logs;
    Ok(logs.read(ground.clock(), key, after, count))
}

async fn last(ground: &Ground, key: &str) -> Result<Option<Entry>, Error> {
    #[cfg(feature = "redis")]
    if let Some(server) = ground.server() {
        return super::super::redis::last(server, ground.patience(), key).await;
    }
    Ok(ground.messages.logs.last(ground.clock(), key))
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
    fn ring(&self) {
        let mut state = lock(&self.state);
        state.rang = true;
        state.wake();
    }

    fn rang(&self) -> bool {
        std::mem::take(&mut lock(&self.state).rang)
    }

    fn wakes(&self, waker: &Waker) {
        lock(&self.state).waker = Some(waker.clone());
    }

    /// The first reason stays.
    fn end(&self, how: End) {
        let mut state = lock(&self.state);
        state.ended.get_or_insert(how);
        state.wake();
    }

    fn has_ended(&self) -> bool {
        lock(&self.state).ended.is_some()
    }

    fn reason(&self) -> Option<Error> {
        lock(&self.state).ended.as_ref().and_then(End::reason)
    }
}

impl Ringing {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Receiver for Bell {
    fn message(&self, _: &[u8], _: &[u8]) {
        self.ring();
    }

    fn gap(&self, _: Instant) {
        self.ring();
    }

    fn ended(&self, why: &Error) {
        self.end(End::Because(why.clone()));
    }
}
