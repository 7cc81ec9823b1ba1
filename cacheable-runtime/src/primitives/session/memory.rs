//! In this process, for the embedded store.

use std::collections::{HashMap, HashSet};

use base64ct::{Base64UrlUnpadded, Encoding};

use super::super::secret;
use super::store::{Change, Changed, Keys, List, Listed, Made, Millis, New, Step, Stored};
use super::token::Place;
use crate::sync::{Mutex, lock};

/// What this process knows.
#[derive(Default)]
pub(crate) struct Memory {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    sessions: HashMap<String, Entry>,
    users: HashMap<String, User>,
    /// How many were made, or moved, since the dead were last removed.
    made: usize,
}

struct Entry {
    what: What,
    /// `None`: it is nobody's.
    mark: Option<String>,
    expires: Millis,
}

enum What {
    Session(Session),
    /// Under another name.
    Moved(Place),
}

struct Session {
    user_id: String,
    created: Millis,
    ends: Millis,
    idle: Millis,
    version: u64,
    retired: bool,
    data: Vec<u8>,
}

/// Sessions of one user.
struct User {
    mark: String,
    index: HashSet<String>,
    /// When the last of them ends.
    ends: Millis,
}

/// Fewer are not worth looking through.
const FEW: usize = 64;

/// The sessions of this process, now.
pub(super) struct Here<'a> {
    memory: &'a Memory,
    now: Millis,
}

impl<'a> Here<'a> {
    pub(super) fn new(memory: &'a Memory, now: Millis) -> Self {
        Self { memory, now }
    }

    pub(super) fn create(&self, keys: &Keys, new: &New<'_>) -> Option<Made> {
        let now = self.now;
        let mut kept = lock(&self.memory.kept);
        kept.sweep(now);
        if kept.living(keys, now).is_some() {
            return None;
        }
        let ends = now.saturating_add(new.absolute);
        let expires = now.saturating_add(new.idle).min(ends);
        let mark = (!new.user_id.is_empty()).then(|| {
            let user = kept.users.entry(keys.mark.clone());
            let user = user.or_insert_with(|| User {
                mark: fresh_mark(),
                index: HashSet::new(),
                ends,
            });
            user.index.insert(keys.session.clone());
            user.ends = user.ends.max(ends);
            user.mark.clone()
        });
        let session = Session {
            user_id: new.user_id.to_owned(),
            created: now,
            ends,
            idle: new.idle,
            version: 1,
            retired: false,
            data: new.data.to_vec(),
        };
        let entry = Entry {
            what: What::Session(session),
            mark,
            expires,
        };
        kept.sessions.insert(keys.session.clone(), entry);
        kept.made += 1;
        Some(Made { now, expires, ends })
    }

    pub(super) fn read(&self, keys: &Keys) -> Step<Stored> {
        let mut kept = lock(&self.memory.kept);
        match kept.living(keys, self.now) {
            None => Step::Gone,
            Some(entry) => match &entry.what {
                What::Moved(place) => Step::Moved(place.clone()),
                What::Session(session) => Step::Done(session.stored(entry.expires, self.now)),
            },
        }
    }

    pub(super) fn change(&self, keys: &Keys, change: &Change<'_>) -> Step<Changed> {
        let now = self.now;
        let mut kept = lock(&self.memory.kept);
        let Some(entry) = kept.living(keys, now) else {
            return Step::Gone;
        };
        if matches!(change, Change::Delete) {
            let entry = kept.remove(keys);
            return match entry.map(|entry| entry.what) {
                Some(What::Moved(place)) => Step::Moved(place),
                _ => Step::Done(Changed::default()),
            };
        }
        let session = match &mut entry.what {
            What::Moved(place) => return Step::Moved(place.clone()),
            What::Session(session) if session.retired => return Step::Gone,
            What::Session(session) => session,
        };
        match *change {
            Change::Write {
                data,
                version,
                idle,
                last,
            } => {
                if version.is_some_and(|version| version != session.version) {
                    return Step::Conflict;
                }
                session.data = data.to_vec();
                session.version += 1;
                if let Some(idle) = idle {
                    if last {
                        session.ends = now.saturating_add(idle);
                    }
                    session.idle = idle;
                    entry.expires = now.saturating_add(idle).min(session.ends);
                }
            }
            Change::Extend(ttl) => {
                let expires = now.saturating_add(ttl.unwrap_or(session.idle));
                entry.expires = entry.expires.max(expires.min(session.ends));
            }
            Change::Delete => {}
        }
        Step::Done(Changed {
            version: session.version,
            expires: entry.expires,
        })
    }

    pub(super) fn rotate(&self, old: &Keys, new: &Keys, grace: Millis) -> Option<Step<Stored>> {
        let now = self.now;
        let mut kept = lock(&self.memory.kept);
        kept.sweep(now);
        match kept.living(old, now) {
            None => return Some(Step::Gone),
            Some(Entry {
                what: What::Session(session),
                ..
            }) if !session.retired => {}
            Some(_) => return Some(Step::Conflict),
        }
        if kept.living(new, now).is_some() {
            return None;
        }
        let mut entry = kept.remove(old)?;
        let What::Session(session) = &entry.what else {
            return Some(Step::Conflict);
        };
        let used = now.saturating_add(session.idle).min(session.ends);
        entry.expires = entry.expires.max(used);
        let stored = session.stored(entry.expires, now);
        if grace > 0 {
            let moved = Entry {
                what: What::Moved(new.place.clone()),
                mark: entry.mark.clone(),
                expires: now.saturating_add(grace),
            };
            kept.sessions.insert(old.session.clone(), moved);
            kept.made += 1;
        }
        if let Some(user) = kept.users.get_mut(&old.mark) {
            user.index.insert(new.session.clone());
        }
        kept.sessions.insert(new.session.clone(), entry);
        Some(Step::Done(stored))
    }

    pub(super) fn retire(&self, keys: &Keys, version: u64, grace: Millis) -> Step<()> {
        let mut kept = lock(&self.memory.kept);
        let Some(entry) = kept.living(keys, self.now) else {
            return Step::Gone;
        };
        match &mut entry.what {
            What::Session(session) if !session.retired && session.version == version => {
                session.retired = true;
                entry.expires = entry.expires.min(self.now.saturating_add(grace));
            }
            _ => return Step::Conflict,
        }
        if let Some(user) = kept.users.get_mut(&keys.mark) {
            user.index.remove(&keys.session);
        }
        Step::Done(())
    }

    pub(super) fn revoke(&self, all: &Keys, keep: Option<&Keys>) -> bool {
        let mut kept = lock(&self.memory.kept);
        let keep = keep.filter(|keys| {
            let living = kept.living(keys, self.now);
            living.is_some_and(|entry| matches!(&entry.what, What::Session(s) if !s.retired))
        });
        let Some(keep) = keep else {
            // The sessions are removed by the `list` that follows.
            if let Some(user) = kept.users.get_mut(&all.mark) {
                user.mark = fresh_mark();
            }
            return false;
        };
        let mark = fresh_mark();
        if let Some(user) = kept.users.get_mut(&all.mark) {
            user.mark.clone_from(&mark);
        }
        if let Some(entry) = kept.sessions.get_mut(&keep.session) {
            entry.mark = Some(mark);
        }
        true
    }

    pub(super) fn list(&self, all: &Keys) -> List {
        let now = self.now;
        let mut kept = lock(&self.memory.kept);
        let Kept {
            sessions, users, ..
        } = &mut *kept;
        let mut list = List {
            now,
            ..List::default()
        };
        let Some(user) = users.get_mut(&all.mark) else {
            return list;
        };
        let mark = &user.mark;
        user.index.retain(|key| {
            let entry = sessions.get(key);
            let living = entry.filter(|entry| entry.lives(Some(mark), now));
            if let Some((session, entry)) = living.and_then(Entry::session) {
                let hash = key.rsplit(':').next().unwrap_or_default().to_owned();
                list.living.push(Listed {
                    hash,
                    created: session.created,
                    ends: session.ends,
                    idle: session.idle,
                    expires: entry.expires,
                });
                return true;
            }
            list.removed += u64::from(sessions.remove(key).is_some());
            false
        });
        list
    }
}

impl Kept {
    fn living(&mut self, keys: &Keys, now: Millis) -> Option<&mut Entry> {
        let mark = self.users.get(&keys.mark).map(|user| &user.mark);
        let entry = self.sessions.get_mut(&keys.session)?;
        entry.lives(mark, now).then_some(entry)
    }

    fn remove(&mut self, keys: &Keys) -> Option<Entry> {
        if let Some(user) = self.users.get_mut(&keys.mark) {
            user.index.remove(&keys.session);
        }
        self.sessions.remove(&keys.session)
    }

    /// Removes the dead once as many were made as there are: what is kept is
    /// never more than twice what lives, and each session pays for one look.
    fn sweep(&mut self, now: Millis) {
        if self.made < FEW || self.made < self.sessions.len() / 2 {
            return;
        }
        self.made = 0;
        self.sessions.retain(|_, entry| entry.expires > now);
        let Self {
            sessions, users, ..
        } = self;
        users.retain(|_, user| {
            user.index.retain(|key| sessions.contains_key(key));
            user.ends > now && !user.index.is_empty()
        });
    }
}

impl Entry {
    /// `mark`: of its user, if there is one.
    fn lives(&self, mark: Option<&String>, now: Millis) -> bool {
        self.expires > now && (self.mark.is_none() || self.mark.as_ref() == mark)
    }

    fn session(&self) -> Option<(&Session, &Self)> {
        match &self.what {
            What::Session(session) if !session.retired => Some((session, self)),
            _ => None,
        }
    }
}

impl Session {
    fn stored(&self, expires: Millis, now: Millis) -> Stored {
        Stored {
            user_id: self.user_id.clone(),
            created: self.created,
            ends: self.ends,
            idle: self.idle,
            version: self.version,
            retired: self.retired,
            expires,
            now,
            data: self.data.clone(),
        }
    }
}

/// Unlike any other, so that no clock is needed to tell new from old.
pub(super) fn fresh_mark() -> String {
    Base64UrlUnpadded::encode_string(&secret::bytes::<18>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primitives::session::token::{Owner, SessionToken};

    #[test]
    fn what_rotations_leave_is_removed_without_any_new_session() {
        let memory = Memory::default();
        let owner = Owner::user("u");
        let keys = || Keys::of("session:", SessionToken::of(&owner).place());
        let mut current = keys();
        let new = New {
            user_id: "u",
            idle: 1_000_000,
            absolute: 100_000_000,
            data: b"",
        };
        assert!(Here::new(&memory, 0).create(&current, &new).is_some());
        for now in 1..=10_000 {
            let next = keys();
            let here = Here::new(&memory, now * 10);
            let rotated = here.rotate(&current, &next, 100);
            assert!(matches!(rotated, Some(Step::Done(_))));
            current = next;
        }
        // Ten lead on at any moment.
        let kept = lock(&memory.kept).sessions.len();
        assert!(kept < 10 * FEW, "{kept}");
    }
}
