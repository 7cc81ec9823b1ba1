//! What callers get.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::store::{Listed, Millis};
use super::token::SessionToken;

/// One session, as it was when it was read.
///
/// Times are those of the server, if there is one. `Debug` shows neither the
/// token nor the user nor the data.
#[non_exhaustive]
pub struct Session<D> {
    /// What its client shows. Put it into a cookie after
    /// [`create`](super::Sessions::create), [`rotate`](super::Sessions::rotate)
    /// and [`rotate_as`](super::Sessions::rotate_as).
    pub token: SessionToken,
    /// Whose it is; empty if it is nobody's.
    pub user_id: String,
    /// What the program keeps in it.
    pub data: D,
    /// When it was made.
    pub created_at: SystemTime,
    /// When it is over unless it is used before.
    pub expires_at: SystemTime,
    /// When it is over however much it is used.
    pub ends_at: SystemTime,
    /// Raised by every write of the data.
    pub version: u64,
    /// The token that was shown has been replaced by another one, and is good
    /// for a moment more: see [`grace`](super::Sessions::grace).
    pub rotated: bool,
    pub(super) id: String,
    /// As it was read, for what `D` does not know of it.
    pub(super) stored: Vec<u8>,
}

impl<D> Session<D> {
    /// Which of a [`list`](super::Sessions::list) it is. It is no secret: it
    /// lets nobody in.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether it is nobody's; see
    /// [`create_anonymous`](super::Sessions::create_anonymous).
    pub fn is_anonymous(&self) -> bool {
        self.user_id.is_empty()
    }
}

impl<D> fmt::Debug for Session<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id)
            .field("created_at", &self.created_at)
            .field("expires_at", &self.expires_at)
            .field("ends_at", &self.ends_at)
            .field("version", &self.version)
            .field("rotated", &self.rotated)
            .finish_non_exhaustive()
    }
}

/// One of the sessions of a user, for a page that shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Names the session for [`revoke`](super::Sessions::revoke); the same as
    /// [`Session::id`]. It lets nobody in.
    pub id: String,
    /// When it was made.
    pub created_at: SystemTime,
    /// When it was last used, give or take a tenth of its idle timeout. `None`
    /// where that is not known: near its end, or if it was extended.
    pub last_used_at: Option<SystemTime>,
    /// When it is over unless it is used before.
    pub expires_at: SystemTime,
    /// When it is over however much it is used.
    pub ends_at: SystemTime,
}

impl SessionInfo {
    pub(super) fn of(listed: Listed, now: Millis) -> Self {
        let used = listed.expires.saturating_sub(listed.idle);
        // A server rounds what is left of a life, so it can be off by a little.
        let known = listed.expires < listed.ends && used <= now.saturating_add(1000);
        let used = used.min(now).max(listed.created);
        Self {
            id: listed.hash,
            created_at: moment(listed.created),
            last_used_at: known.then(|| moment(used)),
            expires_at: moment(listed.expires),
            ends_at: moment(listed.ends),
        }
    }
}

pub(super) fn moment(millis: Millis) -> SystemTime {
    // What a server says can be anything.
    UNIX_EPOCH
        .checked_add(Duration::from_millis(millis))
        .unwrap_or(UNIX_EPOCH)
}
