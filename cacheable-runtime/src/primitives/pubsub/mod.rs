//! Messages between processes.

pub(crate) mod durable;
mod glob;
mod listener;
mod memory;
mod queue;
#[cfg(feature = "redis")]
mod redis;
mod subscriber;
mod subscription;

use std::fmt;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Ground, name};
use crate::codec;
use crate::error::{Error, ErrorKind};
use crate::observe::Mode;
use durable::Durable;
pub use listener::Listener;
pub(super) use memory::Memory;
pub use queue::Overflow;
pub use subscriber::Subscriber;
pub use subscription::{Event, Subscription};

/// Messages between processes. Cheap to clone.
///
#[doc = include_str!("../../docs/pubsub.md")]
#[derive(Clone)]
pub struct PubSub {
    ground: Arc<Ground>,
}

/// A larger message would end every subscription with the limits that servers
/// come with: `client-output-buffer-limit pubsub 32mb`.
const LARGEST: usize = 30 << 20;

/// Longer names help nobody.
const LONGEST: usize = 1024;

/// What the other primitives keep under these names is theirs.
const RESERVED: [&str; 4] = ["limit:", "lock:", "session:", "stream:"];

impl PubSub {
    pub(crate) fn new(ground: Arc<Ground>) -> Self {
        Self { ground }
    }

    /// Publishes a message, as `MessagePack` with field names, to whoever
    /// listens to the channel now. Returns how many connections the server has
    /// passed it to: one for each process that listens, and one more for each
    /// of its patterns that match. 0: nobody listens.
    ///
    /// In a cluster they are only those of the node that was asked, so 0 does
    /// not mean that nobody listens. In no case it proves that anybody has
    /// handled it: [`durable`](Self::durable) messages wait until they are
    /// read.
    ///
    /// # Errors
    /// The server cannot be reached or refuses. After a timeout it may have
    /// been published all the same. [`ErrorKind::TooLarge`]: over 30 MiB.
    /// [`ErrorKind::Argument`]: a channel whose name is empty, longer than 1024
    /// bytes, or begins with `lock:`, `limit:`, `session:` or `stream:`.
    pub async fn publish<M: Serialize + ?Sized>(
        &self,
        channel: &str,
        message: &M,
    ) -> Result<u64, Error> {
        let payload = encode(message)?;
        self.publish_bytes(channel, &payload).await
    }

    /// [`publish`](Self::publish) for bytes as they are.
    pub async fn publish_bytes(&self, channel: &str, payload: &[u8]) -> Result<u64, Error> {
        self.send(Kind::Exact, channel, payload).await
    }

    /// Publishes over a sharded channel: in a cluster only the node of the
    /// channel's slot carries it, instead of every node. Only sharded
    /// subscriptions hear it, also without a cluster.
    ///
    /// # Errors
    /// As [`publish`](Self::publish). [`ErrorKind::Server`] before Redis 7,
    /// which has no sharded channels.
    pub async fn publish_sharded<M: Serialize + ?Sized>(
        &self,
        channel: &str,
        message: &M,
    ) -> Result<u64, Error> {
        let payload = encode(message)?;
        self.publish_sharded_bytes(channel, &payload).await
    }

    /// [`publish_sharded`](Self::publish_sharded) for bytes as they are.
    pub async fn publish_sharded_bytes(&self, channel: &str, payload: &[u8]) -> Result<u64, Error> {
        self.send(Kind::Sharded, channel, payload).await
    }

    async fn send(&self, kind: Kind, channel: &str, payload: &[u8]) -> Result<u64, Error> {
        let topic = Topic::new(&self.ground, kind, channel)?;
        fits(payload)?;
        let figures = self.ground.figures.messages();
        #[cfg(feature = "redis")]
        if let Some(server) = self.ground.server() {
            let answer = redis::publish(server, self.ground.patience(), &topic, payload).await;
            return figures.published(Mode::Live, answer);
        }
        let heard = self.ground.messages.publish(&topic, payload);
        figures.published(Mode::Live, Ok(heard))
    }

    /// Listens to one channel. Every character of its name stands for itself.
    ///
    /// It returns after the server has confirmed: what is published from then
    /// on is heard.
    ///
    /// # Errors
    /// The server cannot be reached, refuses, or does not confirm within the
    /// command timeout. [`ErrorKind::Argument`] as for [`publish`](Self::publish).
    pub async fn subscribe<M: DeserializeOwned>(
        &self,
        channel: &str,
    ) -> Result<Subscription<M>, Error> {
        self.subscriber().subscribe(channel).await
    }

    /// [`subscribe`](Self::subscribe) for messages as they are, such as those
    /// of [`publish_bytes`](Self::publish_bytes) and of other programs.
    pub async fn subscribe_bytes(&self, channel: &str) -> Result<Subscription<Vec<u8>>, Error> {
        self.subscriber().subscribe_bytes(channel).await
    }

    /// Listens to all channels of this namespace that a pattern matches, as the
    /// server has it: `*`, `?`, `[a-z]`, and a backslash before what is meant
    /// as it is. One that listens to a channel and also to a pattern that
    /// matches it hears each message once on each.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub async fn subscribe_pattern<M: DeserializeOwned>(
        &self,
        pattern: &str,
    ) -> Result<Subscription<M>, Error> {
        self.subscriber().subscribe_pattern(pattern).await
    }

    /// Listens to one sharded channel; see
    /// [`publish_sharded`](Self::publish_sharded). It follows the channel's
    /// slot when that moves, with an [`Event::Gap`].
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe). [`ErrorKind::Server`] before Redis 7.
    pub async fn subscribe_sharded<M: DeserializeOwned>(
        &self,
        channel: &str,
    ) -> Result<Subscription<M>, Error> {
        self.subscriber().subscribe_sharded(channel).await
    }

    /// Calls a function for every message of a channel, one after the other,
    /// until the handle is dropped. What is missing is logged as a warning: a
    /// program that has to know takes a [`Subscription`]. A panic in the
    /// function is logged, and the next message handled.
    ///
    /// ```
    /// use cacheable_runtime::Runtime;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cacheable_runtime::Error> {
    /// # let runtime = Runtime::embedded();
    /// let (seen, mut saw) = tokio::sync::mpsc::unbounded_channel();
    /// let pubsub = runtime.pubsub();
    /// let mut listener = pubsub
    ///     .subscribe_with("orders", move |order: u64| {
    ///         let seen = seen.clone();
    ///         async move { seen.send(order).expect("somebody looks") }
    ///     })
    ///     .await?;
    /// pubsub.publish("orders", &7).await?;
    /// assert_eq!(saw.recv().await, Some(7));
    /// listener.quit().await;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub async fn subscribe_with<M, F, Fut>(
        &self,
        channel: &str,
        handle: F,
    ) -> Result<Listener, Error>
    where
        M: DeserializeOwned + Send + 'static,
        F: FnMut(M) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.subscriber().subscribe_with(channel, handle).await
    }

    /// Subscriptions with other bounds than the usual ones.
    pub fn subscriber(&self) -> Subscriber {
        Subscriber::new(Arc::clone(&self.ground))
    }

    /// Messages that are kept for those who are away: see [`Durable`].
    pub fn durable(&self, stream: &str) -> Durable {
        Durable::new(Arc::clone(&self.ground), stream)
    }
}

impl fmt::Debug for PubSub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PubSub").finish_non_exhaustive()
    }
}

/// How a name is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Exact,
    Pattern,
    Sharded,
}

/// What is published to, or listened to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Topic {
    kind: Kind,
    /// With the namespace.
    name: String,
}

impl Topic {
    fn new(ground: &Ground, kind: Kind, name: &str) -> Result<Self, Error> {
        let what = if kind == Kind::Pattern {
            "pattern of channels"
        } else {
            "channel"
        };
        name::check(what, name)?;
        if name.len() > LONGEST {
            return Err(Error::new(
                ErrorKind::Argument,
                format!("the name of a {what} is longer than {LONGEST} bytes: write a shorter one"),
            ));
        }
        if is_reserved(name.as_bytes()) {
            return Err(Error::new(
                ErrorKind::Argument,
                format!(
                    "the name of a {what} begins with one of {}, which the other primitives use: \
                     write another one",
                    RESERVED.join(" ")
                ),
            ));
        }
        let namespace = ground.namespace();
        // A pattern must not reach into another namespace.
        let name = if kind == Kind::Pattern {
            format!("{}{name}", glob::escaped(namespace))
        } else {
            format!("{namespace}{name}")
        };
        Ok(Self { kind, name })
    }

    /// Without the namespace.
    fn shown(&self, namespace: &str) -> &str {
        let prefix = if self.kind == Kind::Pattern {
            glob::escaped(namespace).len()
        } else {
            namespace.len()
        };
        self.name.get(prefix..).unwrap_or_default()
    }
}

fn is_reserved(channel: &[u8]) -> bool {
    let mut reserved = RESERVED.iter();
    reserved.any(|start| channel.starts_with(start.as_bytes()))
}

/// The server is one before Redis 7.
fn is_unsharded(error: &Error) -> bool {
    error.to_string().contains("no sharded channels")
}

/// A stream that will not be read later, either: another program has written
/// it, or the user may not.
fn is_refused(error: &Error) -> bool {
    const REFUSALS: [&str; 3] = ["NOPERM:", "WRONGTYPE:", FOREIGN];
    let text = error.to_string();
    REFUSALS.iter().any(|refusal| text.starts_with(refusal))
}

const FOREIGN: &str =
    "the stream holds what is no message of this crate: another program has written it";

/// How a subscription has ended.
#[derive(Clone)]
enum End {
    /// Whoever listened wanted no more.
    Quit,
    Because(Error),
}

impl End {
    fn reason(&self) -> Option<Error> {
        match self {
            Self::Quit => None,
            Self::Because(why) => Some(why.clone()),
        }
    }
}

/// Who hears. It is called in the order in which things happen; nothing here
/// may wait or panic.
trait Receiver: Send + Sync {
    /// Returns whom to wake when no lock is held any more: whoever is woken may
    /// end a subscription at once.
    #[must_use = "somebody waits for it"]
    fn message(&self, channel: &[u8], payload: &[u8]) -> Option<Waker>;
    #[cfg_attr(
        not(feature = "redis"),
        allow(dead_code, reason = "in a process nothing is missed")
    )]
    fn gap(&self, since: Instant);
    fn ended(&self, why: &Error);
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// A [`Receiver`] that is listed until this is dropped.
enum Hold {
    Memory {
        _listed: memory::Listed,
    },
    #[cfg(feature = "redis")]
    Redis(redis::Subscribed),
}

/// Lists a receiver: what is published after this has returned is heard.
async fn listen(
    ground: &Ground,
    topic: &Topic,
    receiver: Arc<dyn Receiver>,
) -> Result<Hold, Error> {
    #[cfg(feature = "redis")]
    if let Some(server) = ground.server() {
        let subscribed = redis::listen(server, topic, receiver).await?;
        return Ok(Hold::Redis(subscribed));
    }
    let listed = ground.messages.listen(topic, receiver);
    Ok(Hold::Memory { _listed: listed })
}

impl Hold {
    async fn end(self, deadline: Duration) {
        match self {
            Self::Memory { .. } => {}
            #[cfg(feature = "redis")]
            Self::Redis(subscribed) => return subscribed.end(deadline).await,
        }
        let _ = deadline;
    }
}

fn encode<M: Serialize + ?Sized>(message: &M) -> Result<Vec<u8>, Error> {
    codec::message(message, LARGEST).map_err(|error| {
        Error::new(
            Error::from(error).kind(),
            format!("the message cannot be published: {error}"),
        )
    })
}

fn decode<M: DeserializeOwned>(payload: &[u8]) -> Option<M> {
    codec::decode(codec::CodecId::MsgPack, payload).ok()
}

fn fits(payload: &[u8]) -> Result<(), Error> {
    if payload.len() > LARGEST {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!(
                "the message has more than {LARGEST} bytes, which would end its subscriptions: \
                 publish where it can be read instead"
            ),
        ));
    }
    Ok(())
}
