//! Messages that are kept for those who are away.

mod id;
mod log;
mod reader;
mod subscription;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Ground, Kind, Topic, decode, encode, fits, name};
use crate::error::{Error, ErrorKind};
use crate::observe::Mode;
pub use id::MessageId;
pub(super) use log::Logs;
pub use subscription::{DurableEvent, DurableSubscription};

/// A stream of messages that are kept for a while: whoever was away reads on
/// where it was, in order, each at least once. Cheap to clone.
///
/// ```
/// use cacheable_runtime::{DurableEvent, Runtime, StartAt};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cacheable_runtime::Error> {
/// # let runtime = Runtime::embedded();
/// let orders = runtime.pubsub().durable("orders");
/// let first = orders.publish("a book").await?;
/// orders.publish("a lamp").await?;
///
/// // A consumer that had handled the first one before it was restarted.
/// let mut consumer = orders.subscribe::<String>(StartAt::After(first)).await?;
/// match consumer.next().await {
///     Some(DurableEvent::Message { message, .. }) => assert_eq!(message, "a lamp"),
///     other => panic!("{other:?}"),
/// }
/// # Ok(()) }
/// ```
///
/// A message is stored and told of in one step, in the order of its
/// [`MessageId`]. Messages are kept by number and by age, see
/// [`max_len`](Self::max_len) and [`ttl`](Self::ttl): all publishers of a
/// stream should say the same. A subscriber that was away for longer gets a
/// [`DurableEvent::Gap`] first.
///
/// It is as durable as the server: what a server has confirmed and then loses,
/// in a failover or without persistence, is lost.
#[derive(Clone)]
pub struct Durable {
    ground: Arc<Ground>,
    stream: String,
    most: u64,
    life: Duration,
}

/// Where a subscription to a [`Durable`] stream begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StartAt {
    /// With what is published from now on.
    Now,
    /// With the oldest message that is kept.
    Beginning,
    /// With the message after this one: the last one that was handled.
    After(MessageId),
}

/// One message, as it is kept.
pub(super) struct Entry {
    pub(super) id: MessageId,
    /// The number that its stream began with.
    pub(super) first: u64,
    pub(super) payload: Vec<u8>,
}

/// Ten years, as a server can keep it.
const LONGEST_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

impl Durable {
    pub(super) fn new(ground: Arc<Ground>, stream: &str) -> Self {
        Self {
            ground,
            stream: stream.to_owned(),
            most: 10_000,
            life: Duration::from_secs(24 * 3600),
        }
    }

    /// How many messages are kept at least, if they are not too old; a server
    /// keeps up to 100 more, or as its `stream-node-max-entries` says.
    /// Default: 10 000.
    #[must_use = "this is another handle"]
    pub fn max_len(mut self, messages: u64) -> Self {
        self.most = messages;
        self
    }

    /// How long messages are kept at least, if they are not too many. After as
    /// long without a new one the stream is removed. Default: a day.
    #[must_use = "this is another handle"]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.life = ttl;
        self
    }

    /// Publishes a message, as `MessagePack` with field names, and returns its
    /// id.
    ///
    /// # Errors
    /// The server cannot be reached or refuses. After a timeout it may have
    /// been published all the same. [`ErrorKind::TooLarge`]: over 30 MiB.
    /// [`ErrorKind::Argument`]: the stream has no name, or is to keep nothing.
    pub async fn publish<M: Serialize + ?Sized>(&self, message: &M) -> Result<MessageId, Error> {
        let payload = encode(message)?;
        self.publish_bytes(&payload).await
    }

    /// [`publish`](Self::publish) for bytes as they are.
    pub async fn publish_bytes(&self, payload: &[u8]) -> Result<MessageId, Error> {
        let key = self.key()?;
        fits(payload)?;
        let life = self.millis()?;
        let figures = self.ground.figures.messages();
        #[cfg(feature = "redis")]
        if let Some(server) = self.ground.server() {
            let patience = self.ground.patience();
            let append = super::redis::append(server, patience, &key, payload, self.most, life);
            return figures.published(Mode::Durable, append.await);
        }
        let (messages, clock) = (&self.ground.messages, self.ground.clock());
        let id = messages.logs.append(clock, &key, payload, self.most, life);
        let bell = Topic {
            kind: Kind::Sharded,
            name: key,
        };
        messages.publish(&bell, id.to_string().as_bytes());
        figures.published(Mode::Durable, Ok(id))
    }

    /// Reads what is published, and what was, from `start` on, at the pace of
    /// who reads: a slow subscriber needs no queue and loses nothing that is
    /// kept. About 1 MiB is read ahead, going by the messages before, and one
    /// message of any size.
    ///
    /// # Errors
    /// The server cannot be reached or refuses, or another program has written
    /// the stream. Afterwards a server that is away is waited for. [`ErrorKind::Argument`] as for
    /// [`publish`](Self::publish).
    pub async fn subscribe<M: DeserializeOwned>(
        &self,
        start: StartAt,
    ) -> Result<DurableSubscription<M>, Error> {
        self.begin(start, |payload| decode(&payload)).await
    }

    /// [`subscribe`](Self::subscribe) for messages as they are.
    pub async fn subscribe_bytes(
        &self,
        start: StartAt,
    ) -> Result<DurableSubscription<Vec<u8>>, Error> {
        self.begin(start, Some).await
    }

    async fn begin<M>(
        &self,
        start: StartAt,
        decode: fn(Vec<u8>) -> Option<M>,
    ) -> Result<DurableSubscription<M>, Error> {
        let (ground, key) = (Arc::clone(&self.ground), self.key()?);
        DurableSubscription::begin(ground, &self.stream, key, start, decode).await
    }

    fn key(&self) -> Result<String, Error> {
        name::check("stream", &self.stream)?;
        let namespace = self.ground.namespace();
        Ok(format!("{namespace}stream:{}", name::tagged(&self.stream)))
    }

    fn millis(&self) -> Result<u64, Error> {
        let refuse = |message: &str| Err(Error::new(ErrorKind::Argument, message));
        if self.most == 0 {
            return refuse("a stream of no messages keeps nothing: write a max_len of 1 or more");
        }
        let life = u64::try_from(self.life.as_millis()).unwrap_or(u64::MAX);
        if life == 0 || self.life > LONGEST_LIFE {
            return refuse(
                "messages are kept for 1 ms to ten years: write a ttl such as \
                 Duration::from_secs(86_400)",
            );
        }
        Ok(life)
    }
}

impl fmt::Debug for Durable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Durable")
            .field("stream", &self.stream)
            .field("max_len", &self.most)
            .field("ttl", &self.life)
            .finish_non_exhaustive()
    }
}
