//! What waits for one subscriber, and what becomes of what it cannot hold.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::{End, Receiver, wake};
use crate::error::{Error, ErrorKind};
use crate::observe::{Figures, Mode};
use crate::sync::lock;

/// What a subscription does when its queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// Drops what has waited longest, and counts it in
    /// [`Event::Lagged`](super::Event::Lagged).
    #[default]
    DropOldest,
    /// Drops what comes, and counts it in
    /// [`Event::Lagged`](super::Event::Lagged).
    DropNewest,
    /// Ends the subscription: what waits is handed out, then the stream ends,
    /// for a reason of the kind [`ErrorKind::Lagged`].
    Close,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) messages: usize,
    pub(super) bytes: usize,
    pub(super) overflow: Overflow,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            messages: 1024,
            bytes: 16 << 20,
            overflow: Overflow::default(),
        }
    }
}

/// Filled by who hears, emptied by who listens.
pub(super) struct Queue {
    bounds: Bounds,
    /// So many bytes of a channel's name are the namespace.
    prefix: usize,
    figures: Arc<Figures>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Was dropped before all that waits.
    lagged: u64,
    /// Were dropped in all.
    dropped: u64,
    /// Is before all that waits, and after what was dropped.
    gap: Option<Instant>,
    items: VecDeque<Item>,
    messages: usize,
    bytes: usize,
    ended: Option<End>,
    waker: Option<Waker>,
}

#[cfg_attr(
    not(feature = "redis"),
    allow(dead_code, reason = "in a process nothing is missed")
)]
enum Item {
    Message(Waiting),
    Gap(Instant),
    Lagged(u64),
}

pub(super) struct Waiting {
    pub(super) channel: Box<[u8]>,
    pub(super) payload: Vec<u8>,
}

/// What comes next.
pub(super) enum Next {
    Message(Waiting),
    Gap(Instant),
    Lagged(u64),
    /// Nothing more ever.
    End,
}

/// What a message takes up beside its bytes.
const OVERHEAD: usize = 64;

impl Queue {
    pub(super) fn new(bounds: Bounds, prefix: usize) -> Self {
        Self {
            bounds,
            prefix,
            figures: Arc::default(),
            inner: Mutex::default(),
        }
    }

    pub(super) fn counted_in(mut self, figures: &Arc<Figures>) -> Self {
        self.figures = Arc::clone(figures);
        self
    }

    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<Next> {
        let mut inner = lock(&self.inner);
        if let Some(next) = inner.next() {
            return Poll::Ready(next);
        }
        let before = inner.waker.replace(context.waker().clone());
        drop(inner);
        drop(before);
        Poll::Pending
    }

    /// Nothing more is taken in; what waits stays to be handed out. The first
    /// reason stays, too.
    pub(super) fn end(&self, how: End) {
        let mut inner = lock(&self.inner);
        inner.ended.get_or_insert(how);
        let waker = inner.waker.take();
        drop(inner);
        wake(waker);
    }

    /// Why it has ended, unless whoever listens did it.
    pub(super) fn reason(&self) -> Option<Error> {
        lock(&self.inner).ended.as_ref().and_then(End::reason)
    }
}

impl Receiver for Queue {
    fn message(&self, channel: &[u8], payload: &[u8]) -> Option<Waker> {
        let channel = channel.get(self.prefix..).unwrap_or(channel);
        if super::is_reserved(channel) {
            return None;
        }
        let mut inner = lock(&self.inner);
        if inner.ended.is_some() {
            return None;
        }
        let dropped = inner.dropped;
        if inner.makes_room(&self.bounds, channel.len() + payload.len() + OVERHEAD) {
            inner.push(Waiting {
                channel: channel.into(),
                payload: payload.to_vec(),
            });
        }
        let figures = self.figures.messages();
        figures.received(Mode::Live);
        figures.lagged(inner.dropped - dropped);
        inner.waker.take()
    }

    fn gap(&self, since: Instant) {
        let mut inner = lock(&self.inner);
        if inner.ended.is_some() {
            return;
        }
        self.figures.messages().gap(Mode::Live);
        if inner.items.is_empty() {
            inner.gap.get_or_insert(since);
        } else if !matches!(inner.items.back(), Some(Item::Gap(_))) {
            inner.items.push_back(Item::Gap(since));
        }
        let waker = inner.waker.take();
        drop(inner);
        wake(waker);
    }

    fn ended(&self, why: &Error) {
        self.end(End::Because(why.clone()));
    }
}

impl Inner {
    fn next(&mut self) -> Option<Next> {
        if self.lagged > 0 {
            return Some(Next::Lagged(std::mem::take(&mut self.lagged)));
        }
        if let Some(since) = self.gap.take() {
            return Some(Next::Gap(since));
        }
        match self.items.pop_front() {
            Some(Item::Message(message)) => {
                self.messages -= 1;
                self.bytes -= message.size();
                Some(Next::Message(message))
            }
            Some(Item::Gap(since)) => Some(Next::Gap(since)),
            Some(Item::Lagged(count)) => Some(Next::Lagged(count)),
            None => self.ended.is_some().then_some(Next::End),
        }
    }

    fn push(&mut self, message: Waiting) {
        self.messages += 1;
        self.bytes += message.size();
        self.items.push_back(Item::Message(message));
    }

    /// `false`: there is none for one more of this size. An empty queue has
    /// room for any.
    fn makes_room(&mut self, bounds: &Bounds, size: usize) -> bool {
        while self.messages > 0
            && (self.messages >= bounds.messages || self.bytes + size > bounds.bytes)
        {
            match bounds.overflow {
                Overflow::DropOldest => self.drop_oldest(),
                Overflow::DropNewest => {
                    self.drop_newest();
                    return false;
                }
                Overflow::Close => {
                    self.ended = Some(End::Because(Error::new(
                        ErrorKind::Lagged,
                        format!(
                            "the subscriber was {} messages behind, and its queue was set to \
                             close then: write a larger `capacity`, or another `overflow`",
                            self.messages
                        ),
                    )));
                    return false;
                }
            }
        }
        true
    }

    /// What stood before and behind the message comes before all that waits.
    fn drop_oldest(&mut self) {
        let mut dropped = false;
        while let Some(item) = self.items.pop_front() {
            match item {
                Item::Message(message) if dropped => {
                    self.items.push_front(Item::Message(message));
                    return;
                }
                Item::Message(message) => {
                    self.messages -= 1;
                    self.bytes -= message.size();
                    self.lagged += 1;
                    self.dropped += 1;
                    dropped = true;
                }
                Item::Gap(since) => {
                    self.gap.get_or_insert(since);
                }
                Item::Lagged(count) => self.lagged += count,
            }
        }
    }

    fn drop_newest(&mut self) {
        self.dropped += 1;
        if let Some(Item::Lagged(count)) = self.items.back_mut() {
            *count += 1;
        } else {
            self.items.push_back(Item::Lagged(1));
        }
    }
}

impl Waiting {
    fn size(&self) -> usize {
        self.channel.len() + self.payload.len() + OVERHEAD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(messages: usize, overflow: Overflow) -> Queue {
        let bounds = Bounds {
            messages,
            overflow,
            ..Bounds::default()
        };
        Queue::new(bounds, 0)
    }

    /// All that can be had now: `m` and the payload, `g`, `l` and a count, `.`
    /// for the end.
    fn drain(queue: &Queue) -> String {
        let mut seen = Vec::new();
        let context = Context::from_waker(Waker::noop());
        while let Poll::Ready(next) = queue.poll(&context) {
            seen.push(match next {
                Next::Message(message) => {
                    format!("m{}", String::from_utf8_lossy(&message.payload))
                }
                Next::Gap(_) => "g".to_owned(),
                Next::Lagged(count) => format!("l{count}"),
                Next::End => {
                    seen.push(".".to_owned());
                    break;
                }
            });
        }
        assert_eq!(lock(&queue.inner).bytes, 0);
        seen.join(" ")
    }

    fn send(queue: &Queue, numbers: std::ops::Range<u32>) {
        for number in numbers {
            let _ = queue.message(b"c", number.to_string().as_bytes());
        }
    }

    #[test]
    fn the_oldest_are_dropped_and_counted_before_what_is_left() {
        let queue = queue(3, Overflow::DropOldest);
        send(&queue, 0..3);
        assert_eq!(drain(&queue), "m0 m1 m2");
        send(&queue, 0..10);
        assert_eq!(drain(&queue), "l7 m7 m8 m9");
        send(&queue, 10..11);
        assert_eq!(drain(&queue), "m10");
    }

    #[test]
    fn the_newest_are_dropped_and_counted_where_they_are_missing() {
        let queue = queue(2, Overflow::DropNewest);
        send(&queue, 0..5);
        let context = Context::from_waker(Waker::noop());
        assert!(queue.poll(&context).is_ready());
        send(&queue, 5..7);
        assert_eq!(drain(&queue), "m1 l3 m5 l1");
    }

    #[test]
    fn one_that_closes_hands_out_what_it_has_and_says_why() {
        let queue = queue(2, Overflow::Close);
        send(&queue, 0..5);
        assert_eq!(drain(&queue), "m0 m1 .");
        assert_eq!(queue.reason().unwrap().kind(), ErrorKind::Lagged);
    }

    #[test]
    fn a_gap_stays_before_what_came_after_it_whatever_is_dropped() {
        let queue = queue(2, Overflow::DropOldest);
        send(&queue, 0..1);
        queue.gap(Instant::now());
        send(&queue, 1..2);
        assert_eq!(drain(&queue), "m0 g m1");
        send(&queue, 0..1);
        for number in 1..50 {
            queue.gap(Instant::now());
            queue.gap(Instant::now());
            send(&queue, number..number + 1);
        }
        // As many items as it can hold, however often it was lost.
        assert!(lock(&queue.inner).items.len() <= 5);
        assert_eq!(drain(&queue), "l48 g m48 g m49");
    }

    #[test]
    fn bytes_bound_it_too_and_one_message_of_any_size_has_room() {
        let bounds = Bounds {
            bytes: 1000,
            ..Bounds::default()
        };
        let queue = Queue::new(bounds, 0);
        let _ = queue.message(b"c", &[b'x'; 5000]);
        send(&queue, 0..1);
        assert_eq!(drain(&queue), "l1 m0");
        send(&queue, 0..100);
        assert!(lock(&queue.inner).bytes <= 1000);
        let drained = drain(&queue);
        assert!(drained.ends_with("m99"), "{drained}");
    }

    #[test]
    fn after_the_end_nothing_is_taken_in() {
        let queue = queue(8, Overflow::DropOldest);
        send(&queue, 0..2);
        queue.end(End::Quit);
        send(&queue, 2..4);
        queue.gap(Instant::now());
        queue.ended(&Error::new(ErrorKind::ShutDown, "late"));
        assert_eq!(drain(&queue), "m0 m1 .");
        assert!(queue.reason().is_none());
    }

    #[test]
    fn what_the_other_primitives_tell_one_another_is_no_message() {
        let queue = Queue::new(Bounds::default(), "shop:".len());
        for channel in ["shop:lock:{a}:wake", "shop:stream:{a}", "shop:locks"] {
            let _ = queue.message(channel.as_bytes(), channel.as_bytes());
        }
        assert_eq!(drain(&queue), "mshop:locks");
    }
}
