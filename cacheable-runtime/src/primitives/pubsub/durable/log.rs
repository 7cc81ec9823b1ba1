//! Streams of this process, for the embedded store.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use super::{Entry, MessageId};
use crate::sync::lock;
use crate::time::Clock;

/// All streams. Those that have ended are removed as others are written to.
#[derive(Default)]
pub(in super::super) struct Logs {
    logs: Mutex<HashMap<String, Log>>,
}

struct Log {
    entries: VecDeque<Entry>,
    /// In milliseconds; nothing is kept from then on.
    ends: u64,
}

impl Logs {
    pub(in super::super) fn append(
        &self,
        clock: &Clock,
        key: &str,
        payload: &[u8],
        most: u64,
        life: u64,
    ) -> MessageId {
        let micros = clock.micros();
        let now = micros / 1000;
        let mut logs = lock(&self.logs);
        logs.retain(|_, log| log.ends > now);
        let log = logs.entry(key.to_owned()).or_insert_with(|| Log {
            entries: VecDeque::new(),
            ends: 0,
        });
        let (time, number, first) = match log.entries.back() {
            Some(last) => (last.id.time.max(now), last.id.number + 1, last.first),
            None => (now, micros, micros),
        };
        let id = MessageId { time, number };
        log.entries.push_back(Entry {
            id,
            first,
            payload: payload.to_vec(),
        });
        let oldest = id.time.saturating_sub(life);
        while log.entries.len() as u64 > most
            || log
                .entries
                .front()
                .is_some_and(|entry| entry.id.time < oldest)
        {
            log.entries.pop_front();
        }
        log.ends = now.saturating_add(life);
        id
    }

    /// As [`read`](crate::primitives::pubsub::redis::read) on a server.
    pub(super) fn read(
        &self,
        clock: &Clock,
        key: &str,
        after: Option<MessageId>,
        count: usize,
    ) -> Vec<Entry> {
        self.with(clock, key, |entries| {
            let from = after.map_or(0, |after| entries.partition_point(|it| it.id <= after));
            let entries = entries.iter().skip(from).take(count);
            entries.map(Entry::clone).collect()
        })
    }

    pub(super) fn last(&self, clock: &Clock, key: &str) -> Option<Entry> {
        self.with(clock, key, |entries| entries.back().map(Entry::clone))
    }

    fn with<T: Default>(
        &self,
        clock: &Clock,
        key: &str,
        read: impl FnOnce(&VecDeque<Entry>) -> T,
    ) -> T {
        let logs = lock(&self.logs);
        match logs.get(key) {
            Some(log) if log.ends > clock.now() => read(&log.entries),
            _ => T::default(),
        }
    }
}

impl Entry {
    fn clone(&self) -> Self {
        Self {
            id: self.id,
            first: self.first,
            payload: self.payload.clone(),
        }
    }
}
