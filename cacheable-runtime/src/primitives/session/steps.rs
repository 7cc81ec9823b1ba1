//! The steps that calls are made of.

use std::time::Duration;

use super::data::{SessionData, decode, encode_over};
use super::kinds::{Session, moment};
#[cfg(feature = "redis")]
use super::redis;
use super::store::{Change, Changed, Keys, List, New, Step, Store, Stored};
use super::token::{Owner, Place, SessionToken};
use super::{Sessions, memory};
use crate::error::{Error, ErrorKind};
use crate::observe::SessionOp;

/// A call of a program, which counts as one whatever its steps are.
pub(super) struct Call<'a> {
    sessions: &'a Sessions,
    op: SessionOp,
}

impl Call<'_> {
    /// [`within`](Sessions::within), and then it has ended.
    pub(super) async fn within<T: Told>(
        &self,
        steps: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        // Behind a pointer: several questions make a future of many kilobytes,
        // which a caller would carry about.
        self.ended(self.sessions.within(Box::pin(steps)).await)
    }

    /// Passes on how it has ended.
    pub(super) fn ended<T: Told>(&self, answer: Result<T, Error>) -> Result<T, Error> {
        let figures = self.sessions.ground.figures.sessions();
        match &answer {
            Ok(told) => figures.done(self.op, told.is_there()),
            Err(error) => figures.failed(self.op, error),
        }
        answer
    }
}

/// What a call returns, as far as it says whether there was a session.
pub(super) trait Told {
    fn is_there(&self) -> bool {
        true
    }
}

impl<T> Told for Option<T> {
    fn is_there(&self) -> bool {
        self.is_some()
    }
}

impl<D> Told for Session<D> {}
impl Told for List {}
impl Told for () {}
impl Told for u64 {}

/// How many rotations are followed from an old token.
const HOPS: usize = 8;
/// One in so many new sessions has some of its user's looked at. Each look is
/// at 200, so that no more than half as many as live are dead in the long run.
#[cfg(feature = "redis")]
const TIDY: u64 = 64;

/// A session, and where it is.
pub(super) struct Found {
    pub(super) keys: Keys,
    pub(super) stored: Stored,
    /// By an old token.
    pub(super) rotated: bool,
}

impl Found {
    pub(super) fn session<D: SessionData>(self, token: SessionToken) -> Result<Session<D>, Error> {
        let stored = self.stored;
        Ok(Session {
            token,
            data: decode(&stored.data)?,
            user_id: stored.user_id,
            created_at: moment(stored.created),
            expires_at: moment(stored.expires),
            ends_at: moment(stored.ends),
            version: stored.version,
            rotated: self.rotated,
            id: self.keys.place.hash,
            stored: stored.data,
        })
    }
}

impl Sessions {
    pub(super) fn store(&self) -> Store<'_> {
        #[cfg(feature = "redis")]
        if let Some(server) = self.ground.server() {
            return Store::There(redis::There::new(server));
        }
        let now = self.ground.clock().now();
        Store::Here(memory::Here::new(&self.ground.sessions, now))
    }

    /// A call, which counts when it has ended.
    pub(super) fn call(&self, op: SessionOp) -> Call<'_> {
        Call { sessions: self, op }
    }

    /// Holds what takes several steps to the time of one command.
    pub(super) async fn within<T>(
        &self,
        steps: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        #[cfg(feature = "redis")]
        if let Some(server) = self.ground.server() {
            return redis::within(server, self.ground.patience().command, steps).await;
        }
        steps.await
    }

    /// What all keys begin with.
    pub(super) fn room(&self) -> String {
        let prefix = &self.options.prefix;
        format!("{}session:{prefix}", self.ground.namespace())
    }

    pub(super) fn keys(&self, place: Place) -> Keys {
        Keys::of(&self.room(), place)
    }

    pub(super) async fn created<D: SessionData>(
        &self,
        user_id: &str,
        owner: Owner,
        data: Vec<u8>,
        ttl: Duration,
    ) -> Result<Session<D>, Error> {
        let (idle, absolute) = self.options.lives(ttl)?;
        // It must be read back before a client is told of it.
        let value = decode(&data)?;
        let new = New {
            user_id,
            idle,
            absolute,
            data: &data,
        };
        loop {
            let token = SessionToken::of(&owner);
            let keys = self.keys(token.place());
            if let Some(made) = self.store().create(&keys, &new).await? {
                #[cfg(feature = "redis")]
                self.tidied(&keys).await;
                return Ok(Session {
                    token,
                    user_id: user_id.to_owned(),
                    data: value,
                    created_at: moment(made.now),
                    expires_at: moment(made.expires),
                    ends_at: moment(made.ends),
                    version: 1,
                    rotated: false,
                    id: keys.place.hash,
                    stored: data,
                });
            }
        }
    }

    /// Now and then looks for what is left of a user's sessions that have
    /// expired, since an index keeps a name until its session would have ended
    /// at last.
    #[cfg(feature = "redis")]
    async fn tidied(&self, keys: &Keys) {
        let Some(server) = self.ground.server() else {
            return;
        };
        if !crate::sync::random().is_multiple_of(TIDY) {
            return;
        }
        let there = redis::There::new(server);
        let tidied = redis::soon(self.ground.patience().budget, there.tidy(keys));
        if let Err(error) = tidied.await {
            tracing::debug!(%error, "what is left of expired sessions was not removed yet");
        }
    }

    /// The session of a token. `used`: note that it is.
    pub(super) async fn find(
        &self,
        token: &SessionToken,
        used: bool,
    ) -> Result<Option<Found>, Error> {
        let mut keys = self.keys(token.place());
        let mut rotated = false;
        for _ in 0..HOPS {
            let mut stored = match self.store().read(&keys).await? {
                Step::Done(stored) => stored,
                Step::Moved(place) => {
                    keys = self.keys(place);
                    rotated = true;
                    continue;
                }
                Step::Gone | Step::Conflict => return Ok(None),
            };
            if used && stored.is_to_be_touched() {
                match self.touched(&keys).await {
                    Some(Step::Done(changed)) => stored.expires = changed.expires,
                    Some(Step::Moved(place)) => {
                        keys = self.keys(place);
                        rotated = true;
                        continue;
                    }
                    Some(Step::Gone | Step::Conflict) => return Ok(None),
                    // It is alive, and that is what was asked.
                    None => {}
                }
            }
            let rotated = rotated || stored.retired;
            return Ok(Some(Found {
                keys,
                stored,
                rotated,
            }));
        }
        Ok(None)
    }

    /// Notes that a session is in use. `None`: the server does not, or not soon
    /// enough to wait for it.
    async fn touched(&self, keys: &Keys) -> Option<Step<Changed>> {
        let store = self.store();
        let touched = store.change(keys, &Change::Extend(None));
        #[cfg(feature = "redis")]
        let touched = async {
            match self.ground.server() {
                Some(_) => redis::soon(self.ground.patience().budget, touched).await,
                None => touched.await,
            }
        };
        match touched.await {
            Ok(step) => Some(step),
            Err(error) => {
                tracing::debug!(%error, "that a session is in use was not noted");
                None
            }
        }
    }

    /// `None`: there is no such session.
    pub(super) async fn change(
        &self,
        place: Place,
        change: &Change<'_>,
    ) -> Result<Option<Changed>, Error> {
        let mut place = place;
        for _ in 0..HOPS {
            match self.store().change(&self.keys(place), change).await? {
                Step::Done(changed) => return Ok(Some(changed)),
                Step::Gone => return Ok(None),
                Step::Conflict => return Err(conflict()),
                Step::Moved(to) => place = to,
            }
        }
        Ok(None)
    }

    /// As [`save`](Self::save), in the time of its caller.
    pub(super) async fn saved<D: SessionData>(
        &self,
        session: &mut Session<D>,
    ) -> Result<(), Error> {
        let bytes = encode_over(&session.data, &session.stored, self.options.max_size)?;
        let change = Change::Write {
            data: &bytes,
            version: Some(session.version),
            idle: None,
            last: false,
        };
        let changed = self.change(session.token.place(), &change).await?;
        let changed = changed.ok_or_else(gone)?;
        session.version = changed.version;
        session.expires_at = moment(changed.expires);
        session.stored = bytes;
        Ok(())
    }

    pub(super) async fn listed(&self, owner: Owner) -> Result<List, Error> {
        self.store().list(&Keys::of_all(&self.room(), owner)).await
    }

    pub(super) async fn revoked(&self, owner: Owner, keep: Option<Keys>) -> Result<u64, Error> {
        let all = Keys::of_all(&self.room(), owner);
        self.within(async { self.store().revoke(&all, keep.as_ref()).await })
            .await?;
        // They have ended; what is left of them would go by itself.
        match self.within(self.listed(owner)).await {
            Ok(list) => Ok(list.removed),
            Err(error) => {
                tracing::debug!(%error, "what is left of revoked sessions was not removed yet");
                Ok(0)
            }
        }
    }

    /// Lets others go first once there are many of them.
    pub(super) async fn step_back(&self, attempt: u32) {
        #[cfg(feature = "redis")]
        if self.ground.server().is_some() && attempt > 2 {
            let most = u64::from(attempt.min(20));
            let pause = Duration::from_millis(1 + crate::sync::random() % most);
            return tokio::time::sleep(pause).await;
        }
        let _ = attempt;
        tokio::task::yield_now().await;
    }
}

pub(super) fn gone() -> Error {
    Error::new(
        ErrorKind::Gone,
        "there is no such session any more: it has expired, ended or been revoked",
    )
}

pub(super) fn conflict() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "the session was written by somebody else since it was read: get it again, or use `update`",
    )
}

pub(super) fn rotated() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "the session was rotated by another request, which brings its client the new token: go on \
         with what `get` returns",
    )
}
