//! Messages.

use super::meter::{Count, counts};

counts! {
    /// What this process has published and heard.
    MessageCounts {
        /// Messages that were published.
        published,
        /// Messages that came to subscriptions: one counts for each
        /// subscription that hears it.
        received,
        /// Gaps that subscriptions have heard of.
        gaps,
        /// Durable messages that were published.
        durable_published,
        /// Durable messages that were read.
        durable_received,
        /// Gaps in durable streams that were read: messages that are lost.
        durable_gaps,
        /// Messages, of both, that were not published, or nobody knows.
        publish_errors,
        /// Of the received messages, those that were dropped because a
        /// subscriber was too slow.
        lagged,
        /// Messages, of both, that were none of the subscriber's type.
        undecodable,
    }
}

/// How messages are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    /// Not at all.
    Live,
    /// In a stream.
    Durable,
}

/// Of one [`Mode`].
struct Traffic {
    published: Count,
    received: Count,
    gaps: Count,
}

pub(crate) struct MessageFigures {
    live: Traffic,
    durable: Traffic,
    publish_errors: Count,
    lagged: Count,
    undecodable: Count,
}

impl Default for MessageFigures {
    fn default() -> Self {
        let traffic = |mode| {
            let messages = |direction| {
                let labels = [("direction", direction), ("mode", mode)];
                Count::new("cacheable_pubsub_messages_total", &labels)
            };
            Traffic {
                published: messages("out"),
                received: messages("in"),
                gaps: Count::new("cacheable_pubsub_gaps_total", &[("mode", mode)]),
            }
        };
        Self {
            live: traffic("live"),
            durable: traffic("durable"),
            publish_errors: Count::new("cacheable_pubsub_publish_errors_total", &[]),
            lagged: Count::new("cacheable_pubsub_lagged_total", &[]),
            undecodable: Count::new("cacheable_pubsub_undecodable_total", &[]),
        }
    }
}

impl MessageFigures {
    fn of(&self, mode: Mode) -> &Traffic {
        match mode {
            Mode::Live => &self.live,
            Mode::Durable => &self.durable,
        }
    }

    /// Passes on what came of publishing.
    pub(crate) fn published<T, E>(&self, mode: Mode, answer: Result<T, E>) -> Result<T, E> {
        match answer {
            Ok(_) => self.of(mode).published.add(1),
            Err(_) => self.publish_errors.add(1),
        }
        answer
    }

    pub(crate) fn received(&self, mode: Mode) {
        self.of(mode).received.add(1);
    }

    pub(crate) fn gap(&self, mode: Mode) {
        self.of(mode).gaps.add(1);
    }

    pub(crate) fn lagged(&self, messages: u64) {
        self.lagged.add(messages);
    }

    pub(crate) fn undecodable(&self) {
        self.undecodable.add(1);
    }

    pub(super) fn snapshot(&self) -> MessageCounts {
        MessageCounts {
            published: self.live.published.get(),
            received: self.live.received.get(),
            gaps: self.live.gaps.get(),
            durable_published: self.durable.published.get(),
            durable_received: self.durable.received.get(),
            durable_gaps: self.durable.gaps.get(),
            publish_errors: self.publish_errors.get(),
            lagged: self.lagged.get(),
            undecodable: self.undecodable.get(),
        }
    }
}
