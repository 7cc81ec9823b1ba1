//! The cache by hand: what the attributes do, under keys of one's own.

mod bytes;
mod clear;
mod inspect;

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cache::Engine;
use crate::cache::budget::Budget;
use crate::cache::cached::{Cached, Known};
use crate::cache::call::Call;
use crate::cache::flight::Among;
use crate::cache::removal::{How, Targets};
use crate::cache::shape::{ByLayer as _, Kind};
use crate::cache::site::Location;
use crate::cache::tags;
use crate::error::{Error, ErrorKind};
use crate::key::IntoKey;
use crate::pattern::IntoPattern;
use crate::policy::Policy;
pub use clear::Clear;
pub use inspect::Inspection;

/// Entries under keys of one's own.
///
/// Values are kept with a fingerprint of their type: an entry that was written
/// for another form of the type is a miss, never a wrong value.
///
/// ```
/// use cacheable_runtime::Runtime;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cacheable_runtime::Error> {
/// let runtime = Runtime::embedded();
/// let cache = runtime.cache();
///
/// cache.set("api:users:123", &("Ada".to_owned(), 36_u8), Duration::from_secs(60)).await?;
/// let user: Option<(String, u8)> = cache.get("api:users:123").await?;
/// assert_eq!(user.unwrap().0, "Ada");
///
/// assert_eq!(cache.clear("api:users:*").await?, 1);
/// assert_eq!(cache.get::<(String, u8)>("api:users:123").await?, None);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Cache {
    engine: Engine,
}

/// Keys that begin so belong to the other parts of the runtime.
const RESERVED: [&str; 7] = [
    "session:", "lock:", "limit:", "stream:", "tag:", "refresh:", "parked:",
];

/// What the counters call the handle.
const LABEL: &str = "cache";

impl Cache {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// The value under `key`. `None`: there is none, or it is not a `T` as
    /// this program knows it.
    ///
    /// # Errors
    /// A key that cannot be used, or a store that fails.
    pub async fn get<T>(&self, key: impl IntoKey) -> Result<Option<T>, Error>
    where
        T: DeserializeOwned + 'static,
    {
        let key = self.engine.full(key.into_key()?.as_str());
        if self.engine.repair().covers(&key) {
            return Ok(None);
        }
        let markers = self.engine.markers_of(&key, &[]);
        let bytes = self.engine.read(&key, &markers).await?;
        match bytes {
            Some(bytes) => self.open(&key, &bytes).await,
            None => Ok(None),
        }
    }

    /// [`get`](Self::get) for several keys in one round trip, answered in
    /// their order.
    ///
    /// # Errors
    /// A key that cannot be used, or a store that fails.
    pub async fn get_many<T, K>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<Option<T>>, Error>
    where
        T: DeserializeOwned + 'static,
        K: IntoKey,
    {
        let keys = self.full_keys(keys)?;
        // Before they are read: the removal may be delivered meanwhile.
        let covered = keys.iter().map(|key| self.engine.repair().covers(key));
        let covered: Vec<bool> = covered.collect();
        let mut found = self.engine.remote().get_many(&keys).await?;
        for (bytes, covered) in found.iter_mut().zip(covered) {
            bytes.take_if(|_| covered);
        }
        self.learn_markers(&keys, &found).await?;
        let mut values = Vec::with_capacity(keys.len());
        for (key, bytes) in keys.iter().zip(found) {
            values.push(match bytes {
                Some(bytes) => self.open(key, &bytes).await?,
                None => None,
            });
        }
        Ok(values)
    }

    /// Stores `value` for `ttl`. Of two calls that overlap, the one that
    /// reaches the store last stands; use `#[cache_put]`, or remove, where the
    /// order of writes to a database matters.
    ///
    /// # Errors
    /// A key that cannot be used, a value that its codec cannot carry or that
    /// is over the size limit, a `ttl` under a millisecond, or a store that
    /// fails.
    pub async fn set<T>(&self, key: impl IntoKey, value: &T, ttl: Duration) -> Result<(), Error>
    where
        T: Serialize + ToOwned + ?Sized + 'static,
        T::Owned: DeserializeOwned + 'static,
    {
        let _busy = self.engine.busy();
        let keys = [self.checked(key)?];
        self.catch_up(&keys).await;
        let (sealed, ttl) = self.seal(&keys[0], value, ttl)?;
        self.overwrite(&keys, self.engine.remote().set(&keys[0], sealed, ttl))
            .await
    }

    /// Stores under `keys` what may be there already.
    async fn overwrite(
        &self,
        keys: &[String],
        storing: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), Error> {
        let covers = |covered: &str| keys.iter().any(|key| key == covered);
        let local = self.engine.local();
        let hashes = keys.iter().map(|key| local.hash(key.as_bytes()));
        let hashes: Vec<_> = hashes.collect();
        let among = Among::Keys(&hashes);
        let forget = || {
            for key in &hashes {
                local.forget_hashed(*key);
            }
        };
        self.engine.flights().disperse(among, covers);
        forget();
        let stored = storing.await;
        forget();
        self.engine.flights().disperse_lookups(among, covers);
        if stored.as_ref().is_err_and(Error::is_unavailable) {
            // What is there may be the old value, or the new one, or come yet.
            self.engine.repair_later(&Targets::of_keys(keys.to_vec()));
        }
        stored
    }

    /// [`set`](Self::set) for several entries in one round trip.
    ///
    /// # Errors
    /// As [`set`](Self::set); nothing is stored when a key or value cannot be
    /// used, and any part may be when the store fails.
    pub async fn set_many<'a, T, K>(
        &self,
        entries: impl IntoIterator<Item = (K, &'a T)>,
        ttl: Duration,
    ) -> Result<(), Error>
    where
        T: Serialize + ToOwned + ?Sized + 'static,
        T::Owned: DeserializeOwned + 'static,
        K: IntoKey,
    {
        let _busy = self.engine.busy();
        let entries = entries
            .into_iter()
            .map(|(key, value)| Ok((self.checked(key)?, value)))
            .collect::<Result<Vec<_>, Error>>()?;
        let keys: Vec<_> = entries.iter().map(|(key, _)| key.clone()).collect();
        self.catch_up(&keys).await;
        let sealed = entries.into_iter().map(|(key, value)| {
            let (sealed, ttl) = self.seal(&key, value, ttl)?;
            Ok((key, sealed, ttl))
        });
        let sealed = sealed.collect::<Result<Vec<_>, Error>>()?;
        self.overwrite(&keys, self.engine.remote().set_many(sealed))
            .await
    }

    /// The value under `key`, or what `load` returns, which is then kept as
    /// `policy` says. Callers who ask at once share one load; an error goes to
    /// the caller whose load it is and is not kept. A store that fails is
    /// counted and never an error here.
    ///
    /// # Errors
    /// Those of `load`.
    ///
    /// # Cancellation
    /// Dropping this future drops the load if this call runs it; one of the
    /// other callers then runs its own.
    pub async fn get_or_load<T, E, F, L>(
        &self,
        key: impl IntoKey,
        policy: Policy,
        load: L,
    ) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
        L: FnOnce() -> F,
        F: Future<Output = Result<T, E>>,
    {
        let body = pin!(async move { load().await });
        let checked = self.checked(key).and_then(|key| {
            policy.tags.iter().try_for_each(|tag| tags::check(tag))?;
            Ok(key)
        });
        let call = match checked {
            Ok(_) if self.engine.is_closing() => Call::direct(),
            Ok(key) => self.call::<T>(key, policy),
            Err(error) => {
                self.engine.counters(LABEL).bypassed();
                let message = error.to_string();
                self.engine.observe().once(LABEL, &message, || {
                    tracing::warn!(%error, "this call runs uncached");
                });
                Call::direct()
            }
        };
        call.run((&Kind::<Result<T, E>>::new()).shape(), body).await
    }

    fn call<T: 'static>(&self, key: String, policy: Policy) -> Call {
        let engine = &self.engine;
        // Two types, or two forms of one, under one key are two entries here.
        let form = (policy.rules.schema, policy.rules.codec as u8);
        let local_key = engine.local_key(&policy.rules, 0, &|writer| {
            writer.arg(key.as_str()).arg(&form).type_arg::<T>();
            // What a call without a tag has put there is not removed by it.
            if !policy.tags.is_empty() {
                writer.arg(&policy.tags);
            }
        });
        let local = match engine.look(local_key) {
            Ok(value) => return Call::hit(value),
            Err(aged) => aged,
        };
        Call::of(Cached {
            known: Known::Own {
                counters: engine.counters(LABEL),
                prefix: engine.markers_of(&key, &[]),
            },
            label: LABEL,
            location: Location::of_handle("Cache::get_or_load"),
            identity: 0,
            hash: engine.local().hash(key.as_bytes()),
            key: key.into(),
            rules: policy.rules,
            tags: policy.tags,
            local_key,
            local,
            budget: Budget::new(engine.settings().budget),
            deadline: None,
            again: std::sync::Mutex::default(),
            engine: engine.busy(),
        })
    }

    /// Removes the entry under `key`; `false` if there was none. A load of it
    /// that is on its way will not be stored.
    ///
    /// # Errors
    /// A key that cannot be used, or a store that fails.
    ///
    /// # Cancellation
    /// Once polled, the removal is carried out.
    pub async fn remove(&self, key: impl IntoKey) -> Result<bool, Error> {
        let keys = vec![self.checked(key)?];
        let removed = self
            .engine
            .remove(Targets::of_keys(keys), How::PATIENT)
            .await?;
        Ok(removed > 0)
    }

    /// Removes every entry that has this tag, in one round trip whatever their
    /// number. Loads of such entries that are on their way will not be stored.
    ///
    /// ```
    /// use cacheable_runtime::{Policy, Runtime};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), cacheable_runtime::Error> {
    /// let cache = Runtime::embedded().cache();
    /// let policy = || Policy::new(Duration::from_secs(60)).tag("team:7");
    /// let load = |value| async move { Ok::<u8, ()>(value) };
    /// assert_eq!(cache.get_or_load("user:1", policy(), || load(1)).await, Ok(1));
    ///
    /// cache.invalidate_tag("team:7").await?;
    /// assert_eq!(cache.get_or_load("user:1", policy(), || load(2)).await, Ok(2));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// A tag that is empty, longer than 512 bytes or holds control characters;
    /// or a store that fails: then the removal is tried until it is done, and
    /// until then this process does without what it covers.
    ///
    /// # Cancellation
    /// Once polled, the removal is carried out.
    pub async fn invalidate_tag(&self, tag: impl AsRef<str>) -> Result<(), Error> {
        let tag = tag.as_ref();
        tags::check(tag)?;
        let namespace = &self.engine.settings().namespace;
        let targets = Targets {
            tags: vec![tags::marker_of_tag(namespace, tag)],
            ..Targets::default()
        };
        self.engine.remove(targets, How::PATIENT).await.map(drop)
    }

    /// Removes every entry whose key matches, as Redis matches keys (`*`, `?`,
    /// `[a-z]`, `\` before a literal), and says how many there were. Loads of
    /// such entries that are on their way will not be stored. Awaiting it
    /// starts it.
    ///
    /// # Errors
    /// A pattern that is malformed, that begins with a wildcard, or that could
    /// match keys of sessions, locks, limits or streams, unless
    /// [`unrestricted`](Clear::unrestricted); or a store that fails.
    ///
    /// # Cancellation
    /// Once polled, the removal is carried out.
    pub fn clear(&self, pattern: impl IntoPattern) -> Clear {
        Clear::new(self.engine.clone(), pattern.into_pattern())
    }

    /// A key that may be written to, with its namespace.
    fn checked(&self, key: impl IntoKey) -> Result<String, Error> {
        let key = key.into_key()?;
        match RESERVED
            .iter()
            .find(|reserved| key.as_str().starts_with(**reserved))
        {
            Some(reserved) => Err(Error::new(
                ErrorKind::Key,
                format!(
                    "keys that begin with `{reserved}` belong to the runtime: choose another first segment"
                ),
            )),
            None => Ok(self.engine.full(key.as_str())),
        }
    }

    fn full_keys<K: IntoKey>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Vec<String>, Error> {
        keys.into_iter()
            .map(|key| Ok(self.engine.full(key.into_key()?.as_str())))
            .collect()
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}
