//! How a subscription is made.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::listener::Listener;
use super::queue::{Bounds, Overflow};
use super::subscription::Subscription;
use super::{Ground, Kind, Topic, decode};
use crate::error::{Error, ErrorKind};

/// Makes subscriptions with bounds of one's own.
///
/// Between the connection and a subscriber there is a queue, so that one who is
/// slow holds up nobody else and takes no more memory than it may.
///
/// ```
/// use cacheable_runtime::{Event, Overflow, Runtime};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cacheable_runtime::Error> {
/// # let runtime = Runtime::embedded();
/// let pubsub = runtime.pubsub();
/// let newest = pubsub.subscriber().capacity(1).overflow(Overflow::DropOldest);
/// let mut prices = newest.subscribe::<u32>("prices").await?;
/// for price in 1..=10 {
///     pubsub.publish("prices", &price).await?;
/// }
/// assert_eq!(prices.next().await, Some(Event::Lagged(9)));
/// assert!(matches!(prices.next().await, Some(Event::Message { message: 10, .. })));
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "it listens to nothing yet: write .subscribe(…)"]
pub struct Subscriber {
    ground: Arc<Ground>,
    bounds: Bounds,
}

impl Subscriber {
    pub(super) fn new(ground: Arc<Ground>) -> Self {
        Self {
            ground,
            bounds: Bounds::default(),
        }
    }

    /// How many messages may wait. Default: 1024.
    pub fn capacity(mut self, messages: usize) -> Self {
        self.bounds.messages = messages;
        self
    }

    /// How many bytes may wait; one message of any size may. Default:
    /// 16 [`MIB`](crate::MIB).
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.bounds.bytes = bytes;
        self
    }

    /// What happens when no more may wait. Default: [`Overflow::DropOldest`].
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.bounds.overflow = overflow;
        self
    }

    /// As [`PubSub::subscribe`](super::PubSub::subscribe).
    ///
    /// # Errors
    /// Also [`ErrorKind::Argument`] for a capacity of 0.
    pub async fn subscribe<M: DeserializeOwned>(
        &self,
        channel: &str,
    ) -> Result<Subscription<M>, Error> {
        self.begin(Kind::Exact, channel, |payload| decode(&payload))
            .await
    }

    /// As [`PubSub::subscribe_bytes`](super::PubSub::subscribe_bytes).
    pub async fn subscribe_bytes(&self, channel: &str) -> Result<Subscription<Vec<u8>>, Error> {
        self.begin(Kind::Exact, channel, Some).await
    }

    /// As [`PubSub::subscribe_pattern`](super::PubSub::subscribe_pattern).
    pub async fn subscribe_pattern<M: DeserializeOwned>(
        &self,
        pattern: &str,
    ) -> Result<Subscription<M>, Error> {
        self.begin(Kind::Pattern, pattern, |payload| decode(&payload))
            .await
    }

    /// The same for messages as they are.
    pub async fn subscribe_pattern_bytes(
        &self,
        pattern: &str,
    ) -> Result<Subscription<Vec<u8>>, Error> {
        self.begin(Kind::Pattern, pattern, Some).await
    }

    /// As [`PubSub::subscribe_sharded`](super::PubSub::subscribe_sharded).
    pub async fn subscribe_sharded<M: DeserializeOwned>(
        &self,
        channel: &str,
    ) -> Result<Subscription<M>, Error> {
        self.begin(Kind::Sharded, channel, |payload| decode(&payload))
            .await
    }

    /// The same for messages as they are.
    pub async fn subscribe_sharded_bytes(
        &self,
        channel: &str,
    ) -> Result<Subscription<Vec<u8>>, Error> {
        self.begin(Kind::Sharded, channel, Some).await
    }

    /// As [`PubSub::subscribe_with`](super::PubSub::subscribe_with).
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
        let subscription = self.subscribe(channel).await?;
        let patience = self.ground.patience().command;
        Ok(Listener::begin(subscription, handle, patience))
    }

    async fn begin<M>(
        &self,
        kind: Kind,
        name: &str,
        decode: fn(Vec<u8>) -> Option<M>,
    ) -> Result<Subscription<M>, Error> {
        if self.bounds.messages == 0 || self.bounds.bytes == 0 {
            return Err(Error::new(
                ErrorKind::Argument,
                "a queue of nothing holds no message: write a capacity of 1 or more",
            ));
        }
        let topic = Topic::new(&self.ground, kind, name)?;
        Subscription::begin(Arc::clone(&self.ground), topic, self.bounds, decode).await
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("capacity", &self.bounds.messages)
            .field("max_bytes", &self.bounds.bytes)
            .field("overflow", &self.bounds.overflow)
            .finish_non_exhaustive()
    }
}
