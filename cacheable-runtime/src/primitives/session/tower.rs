//! A store for the crate `tower-sessions`.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower_sessions_core::session::{Id, Record};
use tower_sessions_core::session_store::{self, SessionStore};

use super::data::{decode, encode};
use super::options::{LONGEST, millis};
use super::store::{Change, Millis, New, Step};
use super::token::Place;
use super::{Sessions, steps};
use crate::error::{Error, ErrorKind};
use crate::observe::SessionOp;

/// A [`SessionStore`] of `tower-sessions` over [`Sessions`], with the feature
/// `tower-sessions`.
///
/// Beside what that middleware asks for, ids are hashed before they leave the
/// process, no id is used twice, and a save never brings a session back that
/// has ended: it fails, which the middleware answers with 500.
///
/// Its sessions are nobody's: they are in no [`list`](Sessions::list), and
/// [`revoke_all`](Sessions::revoke_all) does not reach them. When they expire
/// is what the middleware says.
///
/// ```
/// use cacheable_runtime::{Runtime, TowerSessions};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cacheable_runtime::Error> {
/// let runtime = Runtime::embedded();
/// let store = TowerSessions::new(runtime.sessions().prefix("web")?);
/// // tower_sessions::SessionManagerLayer::new(store)
/// # drop(store); Ok(()) }
/// ```
#[derive(Clone)]
pub struct TowerSessions {
    sessions: Sessions,
}

impl TowerSessions {
    /// A store in these sessions; of their options, `prefix` and `max_size`
    /// count.
    pub fn new(sessions: Sessions) -> Self {
        Self { sessions }
    }

    async fn written(&self, record: &Record) -> Result<(), Error> {
        let data = self.encoded(&record.data)?;
        let change = Change::Write {
            data: &data,
            version: None,
            idle: Some(life(record)?),
            last: true,
        };
        let place = Place::of_number(record.id.0);
        let steps = self.sessions.change(place, &change);
        let changed = self.sessions.call(SessionOp::Set).within(steps).await?;
        changed.map(drop).ok_or_else(steps::gone)
    }

    async fn made(&self, record: &mut Record) -> Result<(), Error> {
        let data = self.encoded(&record.data)?;
        let life = life(record)?;
        let new = New {
            user_id: "",
            idle: life,
            absolute: life,
            data: &data,
        };
        loop {
            let keys = self.sessions.keys(Place::of_number(record.id.0));
            if self.sessions.store().create(&keys, &new).await?.is_some() {
                return Ok(());
            }
            record.id = Id::default();
        }
    }

    async fn loaded(&self, id: &Id) -> Result<Option<Record>, Error> {
        let keys = self.sessions.keys(Place::of_number(id.0));
        let Step::Done(stored) = self.sessions.store().read(&keys).await? else {
            return Ok(None);
        };
        // By this machine's clock, since the middleware compares it with that.
        let left = stored.expires.min(stored.ends).saturating_sub(stored.now);
        // Another program can have set any time, and not all are dates.
        let left = Duration::from_millis(left).min(LONGEST);
        Ok(Some(Record {
            id: *id,
            data: decoded(&stored.data)?,
            expiry_date: (SystemTime::now() + left).into(),
        }))
    }

    fn encoded<V>(&self, data: &HashMap<String, V>) -> Result<Vec<u8>, Error>
    where
        V: Serialize + DeserializeOwned + 'static,
    {
        encode(data, self.sessions.options.max_size)
    }
}

fn decoded<V>(bytes: &[u8]) -> Result<HashMap<String, V>, Error>
where
    V: Serialize + DeserializeOwned + 'static,
{
    decode(bytes)
}

/// How much longer a record is to live.
fn life(record: &Record) -> Result<Millis, Error> {
    let left = SystemTime::from(record.expiry_date).duration_since(SystemTime::now());
    // One that has expired is gone in a moment.
    millis(
        "life",
        left.unwrap_or_default().max(Duration::from_millis(1)),
    )
}

#[async_trait]
impl SessionStore for TowerSessions {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        let made = self.made(record);
        self.sessions
            .call(SessionOp::Create)
            .within(made)
            .await
            .map_err(|error| told(&error))
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        self.written(record).await.map_err(|error| told(&error))
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        self.sessions
            .call(SessionOp::Get)
            .within(self.loaded(id))
            .await
            .map_err(|error| told(&error))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        let place = Place::of_number(id.0);
        let steps = self.sessions.change(place, &Change::Delete);
        self.sessions
            .call(SessionOp::Delete)
            .within(steps)
            .await
            .map(drop)
            .map_err(|error| told(&error))
    }
}

fn told(error: &Error) -> session_store::Error {
    match error.kind() {
        ErrorKind::Codec => session_store::Error::Decode(error.to_string()),
        ErrorKind::TooLarge => session_store::Error::Encode(error.to_string()),
        _ => session_store::Error::Backend(error.to_string()),
    }
}

impl fmt::Debug for TowerSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TowerSessions")
            .field(&self.sessions)
            .finish()
    }
}
