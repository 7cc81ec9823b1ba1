//! What a store of sessions does, and the two that there are.

use super::memory::Here;
#[cfg(feature = "redis")]
use super::redis::There;
use super::token::{Owner, Place};
use crate::error::{Error, ErrorKind};

/// Epoch milliseconds, in the reckoning of the store, and lengths of time.
pub(super) type Millis = u64;

/// Each step happens as a whole or not at all. None takes a time from the
/// caller, so that clocks of clients do not matter.
pub(super) enum Store<'a> {
    Here(Here<'a>),
    #[cfg(feature = "redis")]
    There(There<'a>),
}

/// Where all about one session is, in one slot of a cluster.
pub(super) struct Keys {
    pub(super) session: String,
    /// The mark that the sessions of its user are made under: one with another
    /// mark, or without any there, has ended.
    pub(super) mark: String,
    /// The sessions of its user.
    pub(super) index: String,
    pub(super) place: Place,
}

/// A session to be made.
pub(super) struct New<'a> {
    /// Empty: it is nobody's.
    pub(super) user_id: &'a str,
    pub(super) idle: Millis,
    pub(super) absolute: Millis,
    pub(super) data: &'a [u8],
}

/// What is kept of one.
pub(super) struct Stored {
    pub(super) user_id: String,
    pub(super) created: Millis,
    /// When it is over however much it is used.
    pub(super) ends: Millis,
    pub(super) idle: Millis,
    pub(super) version: u64,
    /// Another one has taken over from it.
    pub(super) retired: bool,
    pub(super) expires: Millis,
    /// When this was read.
    pub(super) now: Millis,
    pub(super) data: Vec<u8>,
}

/// The times of a session that was made.
pub(super) struct Made {
    pub(super) now: Millis,
    pub(super) expires: Millis,
    pub(super) ends: Millis,
}

/// How a step ended.
pub(super) enum Step<T> {
    Done(T),
    Gone,
    /// Another version is there, or another one has taken over.
    Conflict,
    /// It is to be done there.
    Moved(Place),
}

/// A change of a session that is there.
pub(super) enum Change<'a> {
    Write {
        data: &'a [u8],
        version: Option<u64>,
        /// A new idle timeout.
        idle: Option<Millis>,
        /// It is all the time that there is.
        last: bool,
    },
    /// For so long from now, or for its idle timeout.
    Extend(Option<Millis>),
    Delete,
}

/// What a change leaves: nothing of it matters after a deletion.
#[derive(Default)]
pub(super) struct Changed {
    pub(super) version: u64,
    pub(super) expires: Millis,
}

/// One of a list.
pub(super) struct Listed {
    pub(super) hash: String,
    pub(super) created: Millis,
    pub(super) ends: Millis,
    pub(super) idle: Millis,
    pub(super) expires: Millis,
}

/// The living sessions of a user, and how many dead ones were removed.
#[derive(Default)]
pub(super) struct List {
    pub(super) now: Millis,
    pub(super) living: Vec<Listed>,
    pub(super) removed: u64,
}

macro_rules! on_each {
    ($self:ident, $store:ident => $here:expr, $there:expr) => {
        match $self {
            Self::Here($store) => Ok($here),
            #[cfg(feature = "redis")]
            Self::There($store) => $there.await,
        }
    };
}

#[cfg_attr(
    not(feature = "redis"),
    allow(
        unused_variables,
        clippy::unused_async,
        clippy::unnecessary_wraps,
        reason = "as with the feature"
    )
)]
impl Store<'_> {
    /// `None`: there is one under this key.
    pub(super) async fn create(&self, keys: &Keys, new: &New<'_>) -> Result<Option<Made>, Error> {
        on_each!(self, store => store.create(keys, new), store.create(keys, new))
    }

    pub(super) async fn read(&self, keys: &Keys) -> Result<Step<Stored>, Error> {
        on_each!(self, store => store.read(keys), store.read(keys))
    }

    pub(super) async fn change(
        &self,
        keys: &Keys,
        change: &Change<'_>,
    ) -> Result<Step<Changed>, Error> {
        on_each!(self, store => store.change(keys, change), store.change(keys, change))
    }

    /// Gives a session another key of the same owner. `None`: it is taken.
    pub(super) async fn rotate(
        &self,
        old: &Keys,
        new: &Keys,
        grace: Millis,
    ) -> Result<Option<Step<Stored>>, Error> {
        on_each!(self, store => store.rotate(old, new, grace), store.rotate(old, new, grace))
    }

    /// Ends the session of another one's.
    pub(super) async fn retire(
        &self,
        keys: &Keys,
        version: u64,
        grace: Millis,
    ) -> Result<Step<()>, Error> {
        on_each!(self, store => store.retire(keys, version, grace), store.retire(keys, version, grace))
    }

    /// Ends all sessions under a mark in one step, but for one to keep.
    pub(super) async fn revoke(&self, all: &Keys, keep: Option<&Keys>) -> Result<bool, Error> {
        on_each!(self, store => store.revoke(all, keep), store.revoke(all, keep))
    }

    pub(super) async fn list(&self, all: &Keys) -> Result<List, Error> {
        on_each!(self, store => store.list(all), store.list(all))
    }
}

impl Keys {
    /// `room`: what all keys of this store of sessions begin with.
    pub(super) fn of(room: &str, place: Place) -> Self {
        let owner = place.owner.to_string();
        let key = |of: &str| [room, "{", &owner, "}:", of].concat();
        Self {
            session: key(&place.hash),
            mark: key("generation"),
            index: key("index"),
            place,
        }
    }

    /// About all sessions of an owner, and no one of them.
    pub(super) fn of_all(room: &str, owner: Owner) -> Self {
        let hash = String::new();
        Self::of(room, Place { owner, hash })
    }

    /// The key of a session of the same owner.
    #[cfg(feature = "redis")]
    pub(super) fn beside(&self, hash: &str) -> String {
        let common = self.session.len() - self.place.hash.len();
        format!("{}{hash}", &self.session[..common])
    }
}

impl Stored {
    /// Whether a tenth of the idle timeout has passed since it was last noted
    /// that the session is in use.
    pub(super) fn is_to_be_touched(&self) -> bool {
        let could_be = self.now.saturating_add(self.idle).min(self.ends);
        !self.retired && could_be.saturating_sub(self.expires) > self.idle / 10
    }
}

/// The bytes under a key of a session are something else.
pub(super) fn corrupt() -> Error {
    Error::new(
        ErrorKind::Codec,
        "what is kept of a session is no session: another program has written it, delete it",
    )
}
