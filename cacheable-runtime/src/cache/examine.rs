//! What bytes of the store are to a call: a value, a lease, or of no use.

use std::pin::pin;
use std::sync::Arc;

use super::cached::Cached;
use super::call::ValueType;
use super::flight::Landing;
use super::fresh::{Phase, phase};
use super::{Engine, site};
use crate::codec::envelope::{self, Header, Opened};
use crate::error::Error;
use crate::local::{Marker, Times};
use crate::sync::random;
use crate::time::{Millis, Moment};

pub(super) enum Seen {
    Value(Readable),
    Lease,
    /// Expired, removed, foreign, or of another form: to be replaced. With its
    /// serial, if it has one.
    Useless(Option<u64>),
}

/// What of [`Seen`] is no value.
enum NoValue {
    Lease,
    Useless(Option<u64>),
}

impl From<NoValue> for Seen {
    fn from(what: NoValue) -> Self {
        match what {
            NoValue::Lease => Self::Lease,
            NoValue::Useless(serial) => Self::Useless(serial),
        }
    }
}

pub(super) struct Readable {
    pub(super) header: Header,
    pub(super) landing: Landing,
    /// `None`: that of its prefix alone.
    pub(super) markers: Option<Arc<[Arc<Marker>]>>,
    pub(super) times: Times,
    /// When it was looked at.
    pub(super) phase: Phase,
}

impl Cached {
    /// What these bytes are to this call.
    pub(super) async fn examine(&self, value: &ValueType, bytes: &[u8]) -> Result<Seen, Error> {
        if let Some(seen) = self.examine_at_once(value, bytes) {
            return Ok(seen);
        }
        let (header, payload, now) = match self.open(bytes) {
            Ok(opened) => opened,
            Err(other) => return Ok(other.into()),
        };
        let permitted = self.engine.permitted(&self.key, &header);
        let permitted = self.spend(pin!(permitted)).await?;
        Ok(match permitted {
            Some(markers) => self.decode(value, header, payload, Some(markers), now),
            None => Seen::Useless(Some(header.serial)),
        })
    }

    /// The same, where nothing more has to be asked for: the commonest case, and
    /// the one that every call from the store goes through.
    pub(super) fn examine_at_once(&self, value: &ValueType, bytes: &[u8]) -> Option<Seen> {
        let (header, payload, now) = match self.open(bytes) {
            Ok(opened) => opened,
            Err(other) => return Some(other.into()),
        };
        let untagged = header.tags.is_empty() && self.tags.is_empty();
        let permits = |marker: &Arc<Marker>| marker.permits(header.tag_stamp);
        let permitted = untagged && self.prefix().iter().all(permits);
        permitted.then(|| self.decode(value, header, payload, None, now))
    }

    /// The parts of an entry that is not over, and this call's; else what it is.
    fn open<'a>(&self, bytes: &'a [u8]) -> Result<(Header, &'a [u8], Millis), NoValue> {
        let (header, payload) = match envelope::open(self.key.as_bytes(), bytes) {
            Ok(Opened::Lease(_)) => return Err(NoValue::Lease),
            Ok(Opened::Value(header, payload)) => (header, payload),
            Err(error) => {
                self.undecodable(&error);
                return Err(NoValue::Useless(None));
            }
        };
        let useless = NoValue::Useless(Some(header.serial));
        let Moment { now, .. } = self.engine.clock().moment();
        if header.hard_expiry_ms <= now {
            return Err(useless);
        }
        if header.site != 0 && self.identity != 0 && header.site != self.identity {
            self.claimed_by_another(header.site);
            return Err(useless);
        }
        // It was loaded before this tag was given, which would not remove it. What
        // was set has no tags, and is an answer all the same.
        let has = |tag: &String| header.tags.iter().any(|present| **present == **tag);
        if header.load_micros != 0 && !self.tags.iter().all(has) {
            return Err(useless);
        }
        Ok((header, payload, now))
    }

    fn decode(
        &self,
        value: &ValueType,
        header: Header,
        payload: &[u8],
        markers: Option<Arc<[Arc<Marker>]>>,
        now: Millis,
    ) -> Seen {
        let useless = Seen::Useless(Some(header.serial));
        // An absence has no payload that a codec would have to be right for. One of
        // the same value may be of a method that returned it in an `Option` once.
        let fits = if header.absent {
            (value.has_absence)()
        } else {
            self.rules.codec.accepts(header.codec)
        };
        if !fits || header.fingerprint != self.schema(value.schema).fingerprint {
            self.undecodable(&"it was written for another form of this type");
            return useless;
        }
        let landing = if header.absent {
            None
        } else {
            match (value.decode)(header.codec, payload) {
                Ok(value) => Some(value),
                Err(error) => {
                    self.undecodable(&error);
                    return useless;
                }
            }
        };
        let times = self.times(&header);
        Seen::Value(Readable {
            phase: phase(&self.rules, &times, now, random),
            header,
            landing,
            markers,
            times,
        })
    }

    fn undecodable(&self, why: &dyn std::fmt::Display) {
        self.counters().undecodable();
        tracing::debug!(method = self.label, why = %why, "an entry is not readable and will be replaced");
    }

    fn claimed_by_another(&self, other: u64) {
        self.counters().undecodable();
        self.counters().clashed();
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
