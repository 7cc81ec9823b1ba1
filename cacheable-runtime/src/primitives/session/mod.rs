//! Sessions of users.

mod data;
mod kinds;
mod memory;
mod merge;
mod options;
#[cfg(feature = "redis")]
mod redis;
mod steps;
#[cfg_attr(
    not(feature = "redis"),
    allow(dead_code, reason = "for a store elsewhere")
)]
mod store;
#[cfg_attr(
    not(feature = "redis"),
    allow(dead_code, reason = "for a store elsewhere")
)]
mod token;
#[cfg(feature = "tower-sessions")]
mod tower;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Ground;
use crate::error::Error;
use crate::observe::SessionOp;
pub use data::SessionData;
use data::{decode, encode};
use kinds::moment;
pub use kinds::{Session, SessionInfo};
pub(super) use memory::Memory;
use options::{Options, argument, check_user, millis};
use steps::{Found, conflict, gone, rotated};
use store::{Change, Step};
pub use token::SessionToken;
use token::{Owner, Place};
#[cfg(feature = "tower-sessions")]
pub use tower::TowerSessions;

#[doc = include_str!("../../docs/sessions.md")]
#[derive(Clone)]
pub struct Sessions {
    ground: Arc<Ground>,
    options: Options,
}

/// How often a step is tried that others come before.
const TRIES: u32 = 100;

impl Sessions {
    pub(crate) fn new(ground: Arc<Ground>) -> Self {
        Self {
            ground,
            options: Options::default(),
        }
    }

    /// A new session of a user. `ttl` is its idle timeout: it lives for so
    /// long after it was last used, and in all no longer than
    /// [`absolute`](Self::absolute).
    ///
    /// At a sign-in with a session that is there already, use
    /// [`rotate_as`](Self::rotate_as), so that the token from before is not
    /// that of the signed-in user.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`](crate::ErrorKind::Argument): an empty user id, or a `ttl` of zero.
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge): the data are over [`max_size`](Self::max_size).
    /// Otherwise why the server cannot be used.
    ///
    /// # Cancellation
    /// The session may have been made; nobody has its token, and it expires.
    pub async fn create<D: SessionData>(
        &self,
        user_id: impl AsRef<str>,
        data: &D,
        ttl: Duration,
    ) -> Result<Session<D>, Error> {
        let user_id = user_id.as_ref();
        check_user(user_id)?;
        let bytes = encode(data, self.options.max_size)?;
        let owner = Owner::user(user_id);
        let call = self.call(SessionOp::Create);
        call.within(self.created(user_id, owner, bytes, ttl)).await
    }

    /// A new session of nobody, from before a sign-in. It is in no
    /// [`list`](Self::list).
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub async fn create_anonymous<D: SessionData>(
        &self,
        data: &D,
        ttl: Duration,
    ) -> Result<Session<D>, Error> {
        let bytes = encode(data, self.options.max_size)?;
        let call = self.call(SessionOp::Create);
        call.within(self.created("", Owner::nobody(), bytes, ttl))
            .await
    }

    /// The session of a token. `None`: there is none, or it has expired, ended
    /// or been revoked. Nothing is made under a token that is not known.
    ///
    /// To get a session is to use it: its idle timeout begins anew, which is
    /// written once a tenth of it has passed. Where the server refuses that
    /// write, or is slow to do it, the session is returned all the same.
    ///
    /// # Errors
    /// [`ErrorKind::Codec`](crate::ErrorKind::Codec): what is kept is no `D`. Otherwise why the server
    /// cannot be used.
    pub async fn get<D: SessionData>(
        &self,
        token: &SessionToken,
    ) -> Result<Option<Session<D>>, Error> {
        let call = self.call(SessionOp::Get);
        call.within(async {
            let found = self.find(token, true).await?;
            found.map(|found| found.session(token.clone())).transpose()
        })
        .await
    }

    /// Replaces the data of a session that is there, whatever they are. With a
    /// `ttl`, that is its idle timeout from now on, within its absolute
    /// timeout; with `None` it lives as long as it would.
    ///
    /// # Errors
    /// [`is_gone`](Error::is_gone): there is no such session, and none is made.
    /// [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) and [`ErrorKind::Argument`](crate::ErrorKind::Argument) as for
    /// [`create`](Self::create).
    pub async fn set<D: SessionData>(
        &self,
        token: &SessionToken,
        data: &D,
        ttl: impl Into<Option<Duration>>,
    ) -> Result<(), Error> {
        let ttl = ttl.into();
        let idle = ttl.map(|ttl| millis("ttl", ttl)).transpose()?;
        let bytes = encode(data, self.options.max_size)?;
        let change = Change::Write {
            data: &bytes,
            version: None,
            idle,
            last: false,
        };
        let call = self.call(SessionOp::Set);
        let changed = call.within(self.change(token.place(), &change)).await?;
        changed.map(drop).ok_or_else(gone)
    }

    /// Writes the data of a session back, unless somebody else has written
    /// them since it was read. Fields of a newer version of `D` are kept, and
    /// so is its life.
    ///
    /// # Errors
    /// [`is_conflict`](Error::is_conflict): somebody has; get it again.
    /// [`is_gone`](Error::is_gone): it is not there any more, and is not made
    /// again.
    pub async fn save<D: SessionData>(&self, session: &mut Session<D>) -> Result<(), Error> {
        let call = self.call(SessionOp::Save);
        call.within(self.saved(session)).await
    }

    /// Changes the data of a session, by as many attempts as it takes to come
    /// between all others: no write of anybody is lost. Fields of a newer
    /// version of `D` are kept, and so is its life.
    ///
    /// `change` may be called more than once.
    ///
    /// # Errors
    /// [`is_gone`](Error::is_gone): there is no such session.
    /// [`is_conflict`](Error::is_conflict): 100 attempts came too late.
    pub async fn update<D: SessionData>(
        &self,
        token: &SessionToken,
        mut change: impl FnMut(&mut D),
    ) -> Result<Session<D>, Error> {
        let call = self.call(SessionOp::Update);
        call.within(async {
            for attempt in 0..TRIES {
                let found = self.find(token, false).await?.ok_or_else(gone)?;
                let mut session: Session<D> = found.session(token.clone())?;
                change(&mut session.data);
                match self.saved(&mut session).await {
                    Ok(()) => return Ok(session),
                    Err(error) if error.is_conflict() => self.step_back(attempt).await,
                    Err(error) => return Err(error),
                }
            }
            Err(conflict())
        })
        .await
    }

    /// Lets a session live for `ttl` from now even if it is not used, within
    /// its absolute timeout, and never shorter than it would. Returns when it
    /// expires now.
    ///
    /// # Errors
    /// [`is_gone`](Error::is_gone): there is no such session.
    pub async fn extend(&self, token: &SessionToken, ttl: Duration) -> Result<SystemTime, Error> {
        let change = Change::Extend(Some(millis("ttl", ttl)?));
        let call = self.call(SessionOp::Extend);
        let changed = call.within(self.change(token.place(), &change)).await?;
        changed
            .map(|changed| moment(changed.expires))
            .ok_or_else(gone)
    }

    /// Ends a session. `false`: there was none.
    pub async fn delete(&self, token: &SessionToken) -> Result<bool, Error> {
        let change = Change::Delete;
        let call = self.call(SessionOp::Delete);
        let changed = call.within(self.change(token.place(), &change)).await?;
        Ok(changed.is_some())
    }

    /// The same session under a new token, in one step. Do this now and then
    /// in the life of a session, and whenever its rights change.
    ///
    /// For the [`grace`](Self::grace) the old token still leads to the session,
    /// marked [`rotated`](Session::rotated), for requests that were sent with
    /// it; after that it is unknown. Its end does not move.
    ///
    /// # Errors
    /// [`is_gone`](Error::is_gone): there is no such session.
    /// [`is_conflict`](Error::is_conflict): a request beside this one has
    /// rotated it. That one brings the client its new token, so go on with
    /// what [`get`](Self::get) returns, and set no cookie.
    ///
    /// # Cancellation
    /// It may have been rotated; the client keeps what it can do with the old
    /// token for the grace, and has to sign in again after that.
    pub async fn rotate<D: SessionData>(&self, token: &SessionToken) -> Result<Session<D>, Error> {
        let call = self.call(SessionOp::Rotate);
        call.within(async {
            // A token that nobody gets to know would be as good as lost, so
            // whether the data can be read is found out before.
            let found = self.find(token, false).await?.ok_or_else(gone)?;
            decode::<D>(&found.stored.data)?;
            let (old, grace) = (self.keys(token.place()), self.options.grace_millis()?);
            loop {
                let token = SessionToken::of(&old.place.owner);
                let new = self.keys(token.place());
                match self.store().rotate(&old, &new, grace).await? {
                    None => {}
                    Some(Step::Done(stored)) => {
                        let found = Found {
                            keys: new,
                            stored,
                            rotated: false,
                        };
                        return found.session(token);
                    }
                    Some(Step::Gone) => return Err(gone()),
                    Some(Step::Conflict | Step::Moved(_)) => return Err(rotated()),
                }
            }
        })
        .await
    }

    /// A new session of a user who signs in, with the data of the one from
    /// before, which ends: the answer to session fixation. Its times begin
    /// anew, with `ttl` as its idle timeout.
    ///
    /// For the [`grace`](Self::grace) the old token still shows what the
    /// session was before, marked [`rotated`](Session::rotated), and can
    /// change nothing: whoever has planted it sees nothing of the user. Where
    /// the one from before is another user's, and its data are theirs alone,
    /// [`delete`](Self::delete) it and [`create`](Self::create) one. The
    /// new session is made before the old one ends, so that in no moment there
    /// is neither.
    ///
    /// # Errors
    /// As [`rotate`](Self::rotate) and [`create`](Self::create).
    ///
    /// # Cancellation
    /// As for [`rotate`](Self::rotate); a session that nobody has the token of
    /// may be left, and expires.
    pub async fn rotate_as<D: SessionData>(
        &self,
        token: &SessionToken,
        user_id: impl AsRef<str>,
        ttl: Duration,
    ) -> Result<Session<D>, Error> {
        let user_id = user_id.as_ref();
        check_user(user_id)?;
        let grace = self.options.grace_millis()?;
        let call = self.call(SessionOp::RotateAs);
        call.within(async {
            for attempt in 0..TRIES {
                let found = self.find(token, false).await?.ok_or_else(gone)?;
                if found.rotated {
                    return Err(rotated());
                }
                let (old, version) = (found.keys, found.stored.version);
                let owner = Owner::user(user_id);
                let data = found.stored.data;
                let session = self.created::<D>(user_id, owner, data, ttl).await?;
                // After an error nobody knows whether the old one has ended,
                // so the new one stays.
                match self.store().retire(&old, version, grace).await? {
                    Step::Done(()) => return Ok(session),
                    Step::Gone => {
                        self.change(session.token.place(), &Change::Delete).await?;
                        return Err(gone());
                    }
                    Step::Conflict | Step::Moved(_) => {
                        self.change(session.token.place(), &Change::Delete).await?;
                        self.step_back(attempt).await;
                    }
                }
            }
            Err(conflict())
        })
        .await
    }

    /// The sessions of a user, in no order, without those that have ended.
    pub async fn list(&self, user_id: impl AsRef<str>) -> Result<Vec<SessionInfo>, Error> {
        check_user(user_id.as_ref())?;
        let call = self.call(SessionOp::List);
        let list = call
            .within(self.listed(Owner::user(user_id.as_ref())))
            .await?;
        let infos = list.living.into_iter();
        Ok(infos.map(|one| SessionInfo::of(one, list.now)).collect())
    }

    /// Ends one session of a user, by the `id` that [`list`](Self::list) gives
    /// it. `false`: there was none.
    pub async fn revoke(&self, user_id: impl AsRef<str>, id: &str) -> Result<bool, Error> {
        check_user(user_id.as_ref())?;
        let Some(place) = Place::listed(Owner::user(user_id.as_ref()), id) else {
            return Ok(false);
        };
        let call = self.call(SessionOp::Revoke);
        let changed = call.within(self.change(place, &Change::Delete)).await?;
        Ok(changed.is_some())
    }

    /// Ends all sessions of a user in one step, also those that no list knows
    /// of: every session that was made before this returns. Returns how many
    /// of the list were removed.
    ///
    /// # Errors
    /// Why the server cannot be used: then they may live on, so try again.
    pub async fn revoke_all(&self, user_id: impl AsRef<str>) -> Result<u64, Error> {
        check_user(user_id.as_ref())?;
        let owner = Owner::user(user_id.as_ref());
        let call = self.call(SessionOp::RevokeAll);
        call.ended(self.revoked(owner, None).await)
    }

    /// Ends all sessions of a user but that of a token: “sign out everywhere
    /// else”. If that one has ended, all do.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`](crate::ErrorKind::Argument): the session of the token is not the user's.
    /// Otherwise as [`revoke_all`](Self::revoke_all).
    pub async fn revoke_all_but(
        &self,
        user_id: impl AsRef<str>,
        token: &SessionToken,
    ) -> Result<u64, Error> {
        check_user(user_id.as_ref())?;
        let owner = Owner::user(user_id.as_ref());
        if token.place().owner != owner {
            return Err(argument(
                "the session to keep is not of this user: write the token of one of theirs",
            ));
        }
        let call = self.call(SessionOp::RevokeAll);
        let revoked = match self.within(self.find(token, false)).await {
            Ok(keep) => self.revoked(owner, keep.map(|found| found.keys)).await,
            Err(error) => Err(error),
        };
        call.ended(revoked)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("keys", &self.room())
            .field("absolute", &self.options.absolute)
            .field("grace", &self.options.grace)
            .field("max_size", &self.options.max_size)
            .finish_non_exhaustive()
    }
}
