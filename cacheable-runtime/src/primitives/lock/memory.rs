//! In this process, for the embedded store.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::Release;
use super::background::Background;
use super::room::Rooms;
use super::slot::{Owner, Standing, Taken};
use crate::sync::{Mutex, lock};

/// What this process knows of locks.
#[derive(Default)]
pub(crate) struct Memory {
    table: Mutex<Table>,
    pub(super) rooms: Rooms,
    pub(super) background: Arc<Background>,
}

#[derive(Default)]
struct Table {
    locks: HashMap<String, Entry>,
    /// The last fence of any lock.
    fence: u64,
    /// With so many locks it is time to look for those that have expired.
    crowded: usize,
}

struct Entry {
    owner: Owner,
    fence: u64,
    until: Duration,
}

/// Fewer locks are not looked through.
const FEW: usize = 64;

impl Memory {
    /// `now`: by the store's clock.
    pub(super) fn take(&self, name: &str, owner: &Owner, now: Duration, ttl: Duration) -> Taken {
        let mut table = lock(&self.table);
        if let Some(entry) = table.locks.get_mut(name)
            && entry.until > now
        {
            if entry.owner != *owner {
                return Taken::Held {
                    left: entry.until.saturating_sub(now),
                };
            }
            entry.until = now.saturating_add(ttl);
            return Taken::Got { fence: entry.fence };
        }
        let micros = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        table.fence = table.fence.saturating_add(1).max(micros);
        let fence = table.fence;
        if table.locks.len() >= table.crowded.max(FEW) {
            table.locks.retain(|_, entry| entry.until > now);
            table.crowded = 2 * table.locks.len();
        }
        let entry = Entry {
            owner: *owner,
            fence,
            until: now.saturating_add(ttl),
        };
        table.locks.insert(name.to_owned(), entry);
        Taken::Got { fence }
    }

    pub(super) fn extend(
        &self,
        name: &str,
        owner: &Owner,
        now: Duration,
        ttl: Duration,
    ) -> Standing {
        match lock(&self.table).locks.get_mut(name) {
            Some(entry) if entry.until <= now => Standing::Missing,
            Some(entry) if entry.owner != *owner => Standing::Others,
            Some(entry) => {
                entry.until = entry.until.max(now.saturating_add(ttl));
                Standing::Ours
            }
            None => Standing::Missing,
        }
    }

    pub(super) fn release(&self, name: &str, owner: &Owner, now: Duration) -> Release {
        let mut table = lock(&self.table);
        match table.locks.get(name) {
            Some(entry) if entry.until <= now => Release::Expired,
            Some(entry) if entry.owner != *owner => Release::NotOwner,
            Some(_) => {
                table.locks.remove(name);
                drop(table);
                self.rooms.ring(name);
                Release::Released
            }
            None => Release::Expired,
        }
    }

    /// Ends what runs in the background.
    #[cfg(feature = "redis")]
    pub(crate) async fn close(&self, deadline: Duration) {
        self.background.end(deadline).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const OWNER: Owner = [1; 16];

    #[test]
    fn locks_that_expired_make_room() {
        let memory = Memory::default();
        for number in 0..10_000_u32 {
            let now = SECOND * number;
            memory.take(&format!("name {number}"), &OWNER, now, SECOND);
        }
        assert!(lock(&memory.table).locks.len() <= FEW);
    }

    #[test]
    fn a_fence_rises_though_the_clock_stands_still() {
        let memory = Memory::default();
        let mut last = 0;
        for _ in 0..100 {
            let Taken::Got { fence } = memory.take("name", &OWNER, SECOND, SECOND) else {
                panic!("it is free");
            };
            assert!(fence > last);
            last = fence;
            assert_eq!(memory.release("name", &OWNER, SECOND), Release::Released);
        }
    }
}
