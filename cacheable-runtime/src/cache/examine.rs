//! What bytes of the store are to a call: a value, a lease, or of no use.

use std::sync::Arc;

use super::cached::Cached;
use super::call::ValueType;
use super::flight::Landing;
use super::{Engine, site};
use crate::codec::envelope::{self, Header, Opened};
use crate::error::Error;
use crate::local::Marker;
use crate::time::Millis;

pub(super) enum Seen {
    Value(Readable),
    Lease,
    /// Expired, removed, foreign, or of another form: to be replaced. With its
    /// serial, if it has one.
    Useless(Option<u64>),
}

pub(super) struct Readable {
    pub(super) header: Header,
    pub(super) landing: Landing,
    pub(super) markers: Arc<[Arc<Marker>]>,
    /// When it was looked at.
    pub(super) now: Millis,
}

impl Cached {
    /// What these bytes are to this call. `known`: the markers that are the
    /// entry's whatever it holds.
    pub(super) async fn examine(
        &self,
        value: &ValueType,
        bytes: &[u8],
        known: &Arc<[Arc<Marker>]>,
    ) -> Result<Seen, Error> {
        let (header, payload) = match envelope::open(self.key.as_bytes(), bytes) {
            Ok(Opened::Lease(_)) => return Ok(Seen::Lease),
            Ok(Opened::Value(header, payload)) => (header, payload),
            Err(error) => {
                self.undecodable(&error);
                return Ok(Seen::Useless(None));
            }
        };
        let useless = Seen::Useless(Some(header.serial));
        let now = self.engine.clock().now();
        if header.hard_expiry_ms <= now {
            return Ok(useless);
        }
        if header.site != 0 && self.identity != 0 && header.site != self.identity {
            self.claimed_by_another(header.site);
            return Ok(useless);
        }
        let Some(markers) = self.permitted(&header, known).await? else {
            return Ok(useless);
        };
        let readable = |header, landing| {
            Seen::Value(Readable {
                header,
                landing,
                markers,
                now,
            })
        };
        if header.absent {
            return Ok(readable(header, None));
        }
        let schema = (value.schema)(self.rules.codec, self.rules.schema);
        let schema = schema.of_version(self.location.version);
        if header.fingerprint != schema.fingerprint || !self.rules.codec.accepts(header.codec) {
            self.undecodable(&"it was written for another form of this type");
            return Ok(useless);
        }
        Ok(match (value.decode)(header.codec, payload) {
            Ok(value) => readable(header, Some(value)),
            Err(error) => {
                self.undecodable(&error);
                useless
            }
        })
    }

    /// The entry's markers, unless one of its tags was removed.
    async fn permitted(
        &self,
        header: &Header,
        known: &Arc<[Arc<Marker>]>,
    ) -> Result<Option<Arc<[Arc<Marker>]>>, Error> {
        // Nothing more to look up or to ask for: the commonest case, and the one
        // that every call from the store goes through.
        let untagged = header.tags.is_empty() && self.tags.is_empty();
        if untagged && known.iter().all(|marker| marker.permits(header.tag_stamp)) {
            return Ok(Some(Arc::clone(known)));
        }
        // What is seldom gone through is behind a pointer: the future of every
        // call from the store would have room for it.
        Box::pin(self.spend(self.engine.permitted(&self.key, header))).await
    }

    fn undecodable(&self, why: &dyn std::fmt::Display) {
        self.counters.undecodable();
        tracing::debug!(method = self.label, why = %why, "an entry is not readable and will be replaced");
    }

    fn claimed_by_another(&self, other: u64) {
        self.counters.undecodable();
        self.counters.clashed();
        self.engine.observe().once(self.location.path, "clash", || {
            let other = site::location_of(other);
            tracing::error!(
                method = self.label,
                at = self.location.path,
                other = other.unwrap_or("a method of another process or version"),
                "two methods keep their entries under the same keys and overwrite each other: \
                 give one of them another `key_prefix`, or name what tells them apart in `key`"
            );
        });
    }
}

impl Engine {
    /// The markers of an entry that was read, unless one of its tags was
    /// removed since its load began, as far as anybody can know.
    pub(crate) async fn permitted(
        &self,
        key: &str,
        header: &Header,
    ) -> Result<Option<Arc<[Arc<Marker>]>>, Error> {
        let tags: Vec<String> = header.tags.iter().map(ToString::to_string).collect();
        let markers = self.markers_of(key, &tags);
        self.learn(&markers).await?;
        let permitted = markers
            .iter()
            .all(|marker| marker.permits(header.tag_stamp));
        Ok(permitted.then_some(markers))
    }
}
