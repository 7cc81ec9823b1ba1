//! Where a subscription to a stream is, and what lies between that and what
//! comes next.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use super::super::Ground;
use super::{Entry, MessageId};
use crate::error::Error;
use crate::sync::BoxFuture;

/// How often to look even if nothing rang.
const INTERVAL: Duration = Duration::from_secs(5);

/// About how many bytes to read at once.
const BATCH: usize = 1 << 20;

/// Where a reader is, and what it has read ahead.
pub(super) struct Reader {
    pub(super) anchor: Anchor,
    pub(super) ready: VecDeque<Read>,
    pub(super) fetch: Option<BoxFuture<'static, Result<Fetched, Error>>>,
    /// There may be more than was read.
    pub(super) more: bool,
    /// When to look again.
    pub(super) pause: Pin<Box<Sleep>>,
    failures: u32,
    /// How many to read at once.
    pub(super) count: usize,
}

/// The message after which to read on.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    /// None: from the oldest one that is kept.
    Oldest,
    /// None: from the first one of a stream that is still to begin.
    New,
    At(MessageId),
    /// None: the stream with this one was removed, and another one begun.
    Removed(MessageId),
}

pub(super) enum Read {
    Entry(Entry),
    Gap {
        after: Option<MessageId>,
        before: MessageId,
        lost: Option<u64>,
    },
}

pub(super) struct Fetched {
    entries: Vec<Entry>,
    /// All that is kept is older than what was read before.
    removed: bool,
}

impl Reader {
    pub(super) fn new(anchor: Anchor) -> Self {
        Self {
            anchor,
            ready: VecDeque::new(),
            fetch: None,
            more: true,
            pause: Box::pin(sleep(INTERVAL)),
            failures: 0,
            // Nobody knows how large they are.
            count: 1,
        }
    }

    pub(super) fn take(&mut self, fetched: Result<Fetched, Error>) -> Result<(), Error> {
        self.fetch = None;
        let fetched = match fetched {
            Ok(fetched) => fetched,
            Err(error) => {
                self.more = false;
                self.pause = Box::pin(sleep(Duration::from_millis(50 << self.failures.min(4))));
                self.failures += 1;
                // Too much at once may be why it takes too long.
                self.count = 1;
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
    pub(super) fn id(self) -> Option<MessageId> {
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
            // A number from before comes of a server that had not had all of it,
            // or began the stream anew with a clock that is behind.
            Self::At(id) if id.number < next.first || number <= id.number => gap(Some(id), None),
            Self::At(id) if number > id.number + 1 => gap(Some(id), Some(number - id.number - 1)),
            Self::Oldest | Self::New | Self::At(_) => None,
        }
    }
}

pub(super) async fn fetch(
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

pub(super) async fn last(ground: &Ground, key: &str) -> Result<Option<Entry>, Error> {
    #[cfg(feature = "redis")]
    if let Some(server) = ground.server() {
        return super::super::redis::last(server, ground.patience(), key).await;
    }
    Ok(ground.messages.logs.last(ground.clock(), key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn id(time: u64, number: u64) -> MessageId {
        MessageId { time, number }
    }

    fn entry(id: MessageId, first: u64) -> Entry {
        let payload = vec![0; 10];
        Entry { id, first, payload }
    }

    /// How many are lost: `?` if nobody knows, nothing without a gap.
    fn lost(anchor: Anchor, next: MessageId, first: u64) -> String {
        match anchor.gap_before(&entry(next, first)) {
            Some(Read::Gap { lost, .. }) => lost.map_or("?".to_owned(), |lost| lost.to_string()),
            _ => String::new(),
        }
    }

    #[test]
    fn numbers_that_do_not_go_on_are_a_gap() {
        let at = |number| Anchor::At(id(5, number));
        assert_eq!(lost(at(7), id(6, 8), 1), "");
        assert_eq!(lost(at(7), id(6, 10), 1), "2");
        assert_eq!(lost(Anchor::New, id(6, 3), 3), "");
        assert_eq!(lost(Anchor::New, id(6, 4), 3), "1");
        assert_eq!(lost(Anchor::Oldest, id(6, 4), 3), "");
        // Another stream of the name.
        assert_eq!(lost(at(7), id(6, 9), 9), "?");
        assert_eq!(lost(Anchor::Removed(id(5, 7)), id(1, 1), 1), "?");
    }

    /// A stream that was begun anew by a server whose clock is behind, and one
    /// that a server has gone on with that had not had all of it.
    #[test]
    fn numbers_that_were_there_before_are_a_gap() {
        for number in [2, 6, 7] {
            let next = id(6, number);
            assert_eq!(lost(Anchor::At(id(5, 7)), next, 1), "?", "{number}");
        }
    }

    #[test]
    fn any_id_can_be_gone_on_from() {
        let anchor = Anchor::At(id(5, u64::MAX));
        assert_eq!(lost(anchor, id(6, 8), 1), "?");
    }

    /// Many large messages behind many small ones.
    #[tokio::test]
    async fn what_takes_too_long_to_read_is_read_one_by_one() {
        let mut reader = Reader::new(Anchor::Oldest);
        // Nobody knows how large they are.
        assert_eq!(reader.count, 1);
        let entries = vec![entry(id(5, 7), 7)];
        let removed = false;
        reader.take(Ok(Fetched { entries, removed })).unwrap();
        assert_eq!(reader.count, 256);
        let late = Error::new(ErrorKind::Timeout, "late");
        reader.take(Err(late)).unwrap_err();
        assert_eq!(reader.count, 1);
    }
}
