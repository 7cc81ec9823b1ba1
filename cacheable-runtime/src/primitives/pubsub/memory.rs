//! In this process, for the embedded store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::task::Waker;

use super::durable::Logs;
use super::{Kind, Receiver, Topic, glob};
use crate::error::{Error, ErrorKind};
use crate::sync::{lock, unique};

/// Who listens in this process, and what is kept.
#[derive(Default)]
pub(crate) struct Memory {
    listed: Arc<Mutex<HashMap<Topic, Receivers>>>,
    pub(super) logs: Logs,
}

type Receivers = Vec<(u64, Arc<dyn Receiver>)>;

/// A receiver that is listed until this is dropped.
pub(super) struct Listed {
    all: Arc<Mutex<HashMap<Topic, Receivers>>>,
    topic: Topic,
    id: u64,
}

impl Memory {
    /// Counts as a server does: this process once for its channel, and once for
    /// each of its patterns that match.
    pub(super) fn publish(&self, topic: &Topic, payload: &[u8]) -> u64 {
        // Held while it is handed out, so that all hear the same order.
        let listed = lock(&self.listed);
        let (mut heard, mut wakers) = (0, Vec::new());
        let mut tell = |receivers: &Receivers| {
            heard += 1;
            for (_, receiver) in receivers {
                wakers.extend(receiver.message(topic.name.as_bytes(), payload));
            }
        };
        if let Some(receivers) = listed.get(topic) {
            tell(receivers);
        }
        if topic.kind == Kind::Exact {
            for (pattern, receivers) in &*listed {
                let matches = pattern.kind == Kind::Pattern
                    && glob::matches(pattern.name.as_bytes(), topic.name.as_bytes());
                if matches {
                    tell(receivers);
                }
            }
        }
        drop(listed);
        wakers.into_iter().for_each(Waker::wake);
        heard
    }

    pub(super) fn listen(&self, topic: &Topic, receiver: Arc<dyn Receiver>) -> Listed {
        let id = unique();
        let mut listed = lock(&self.listed);
        let receivers = listed.entry(topic.clone()).or_default();
        receivers.push((id, receiver));
        Listed {
            all: Arc::clone(&self.listed),
            topic: topic.clone(),
            id,
        }
    }

    /// Ends what is listed now.
    pub(crate) fn close(&self) {
        let listed = std::mem::take(&mut *lock(&self.listed));
        let why = Error::new(ErrorKind::ShutDown, "the runtime has been shut down");
        for (_, receiver) in listed.into_values().flatten() {
            receiver.ended(&why);
        }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut listed = lock(&self.all);
        if let Some(receivers) = listed.get_mut(&self.topic) {
            let at = receivers.iter().position(|(id, _)| *id == self.id);
            let ended = at.map(|at| receivers.remove(at));
            if receivers.is_empty() {
                listed.remove(&self.topic);
            }
            drop(listed);
            // With it goes what it has kept, such as a waker.
            drop(ended);
        }
    }
}
