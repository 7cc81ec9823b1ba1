//! Between a handle's values and what the store has.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Cache, LABEL};
use crate::cache::budget::Budget;
use crate::cache::cached::{Cached, Encoded, Fill, Known};
use crate::cache::site::Location;
use crate::codec::envelope::{self, Opened};
use crate::codec::{self, CodecChoice, Schema};
use crate::error::{Error, ErrorKind};
use crate::policy::Rules;

impl Cache {
    /// Asks once for all markers that these entries need.
    pub(super) async fn learn_markers(
        &self,
        keys: &[String],
        found: &[Option<Vec<u8>>],
    ) -> Result<(), Error> {
        let mut markers = Vec::new();
        for (key, bytes) in keys.iter().zip(found) {
            let opened = bytes
                .as_ref()
                .map(|bytes| envelope::open(key.as_bytes(), bytes));
            if let Some(Ok(Opened::Value(header, _))) = opened {
                let tags: Vec<String> = header.tags.iter().map(ToString::to_string).collect();
                markers.extend_from_slice(&self.engine.markers_of(key, &tags));
            }
        }
        self.engine.learn(&markers).await
    }

    pub(super) async fn open<T: DeserializeOwned + 'static>(
        &self,
        key: &str,
        bytes: &[u8],
    ) -> Result<Option<T>, Error> {
        let counters = self.engine.counters(LABEL);
        let (header, payload) = match envelope::open(key.as_bytes(), bytes) {
            Ok(Opened::Value(header, payload)) => (header, payload),
            Ok(Opened::Lease(_)) => return Ok(None),
            Err(_) => {
                counters.undecodable();
                return Ok(None);
            }
        };
        // What is kept beyond its `ttl` is for those whose rules say so.
        if header.absent || header.soft_expiry_ms <= self.engine.clock().now() {
            return Ok(None);
        }
        if self.engine.permitted(key, &header).await?.is_none() {
            return Ok(None);
        }
        // An entry of a method with a `schema` number is known only to it.
        let fits = schema::<T>().fingerprint == header.fingerprint;
        let value = fits
            .then(|| codec::decode(header.codec, payload).ok())
            .flatten();
        if value.is_some() {
            counters.hit_remote();
        } else {
            counters.undecodable();
        }
        Ok(value)
    }

    /// Learns which removals were before now, for what is stored next: one
    /// that is not known is taken to be later.
    pub(super) async fn catch_up(&self, keys: &[String]) {
        let mut markers = Vec::new();
        for key in keys {
            markers.extend_from_slice(&self.engine.markers_of(key, &[]));
        }
        if let Err(error) = self.engine.learn(&markers).await {
            tracing::debug!(%error, "a value may be taken for an older one");
        }
    }

    /// The bytes of a value under a checked key, and their life.
    pub(super) fn seal<T>(
        &self,
        key: &str,
        value: &T,
        ttl: Duration,
    ) -> Result<(Vec<u8>, Duration), Error>
    where
        T: Serialize + ToOwned + ?Sized + 'static,
        T::Owned: DeserializeOwned + 'static,
    {
        let limit = self.engine.settings().max_value;
        let schema = schema::<T::Owned>();
        let mut payload = Vec::new();
        let codec = codec::encode(&schema, &value, limit, &mut payload)?;
        let call = Cached {
            known: Known::Own {
                counters: self.engine.counters(LABEL),
                // Nothing is asked of it.
                prefix: Arc::default(),
            },
            label: LABEL,
            location: Location::of_handle("Cache::set"),
            identity: 0,
            hash: self.engine.local().hash(key.as_bytes()),
            key: key.into(),
            rules: Rules::new(ttl).jitter(0.0),
            tags: Vec::new(),
            local_key: None,
            local: None,
            budget: Budget::new(None),
            deadline: None,
            again: std::sync::Mutex::default(),
            engine: self.engine.busy(),
        };
        let encoded = Encoded {
            codec,
            fingerprint: schema.fingerprint,
            payload,
        };
        let fill = Fill {
            absent: false,
            took: Duration::ZERO,
            stamp: self.engine.local().markers.counter(),
            tags: &[],
        };
        match call.seal(&encoded, fill)? {
            Some(sealed) => Ok((sealed.bytes, sealed.life)),
            None => Err(Error::new(
                ErrorKind::Configuration,
                "a ttl under one millisecond keeps nothing: use `remove` to end an entry now",
            )),
        }
    }
}

/// How a handle writes and knows a `T`, by its calls that load, too: see
/// [`Cached::schema`].
fn schema<T: DeserializeOwned + 'static>() -> Schema {
    let version = Location::of_handle(LABEL).version;
    codec::schema::<T>(CodecChoice::Auto, 0).of_version(version)
}
