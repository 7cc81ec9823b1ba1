//! The old value that stands in for a load that fails.

use std::sync::Arc;
use std::time::Duration;

use super::cached::Sealed;
use super::flight::{Landing, Leader};
use super::fresh::millis;
use super::load::Load;
use crate::codec::CodecId;
use crate::codec::envelope::{self, Header, Opened};
use crate::observe::Outcome;
use crate::remote::{Expect, Origin};
use crate::sync::{random, start};

/// An old value that may stand in for a load that fails.
pub(crate) struct Fallback {
    landing: Landing,
    /// No longer than this, in the store's time.
    hard: u64,
    /// The entry that the load has taken the place of.
    stored: Option<Vec<u8>>,
}

impl Fallback {
    pub(super) fn stored(landing: Landing, header: &Header, bytes: Vec<u8>) -> Self {
        Self {
            landing,
            hard: header.hard_expiry_ms,
            stored: Some(bytes),
        }
    }
}

impl Load {
    /// What the caller gets instead of a failed load, if the rules have
    /// something: the old value that was there.
    pub(crate) fn has_fallback(&mut self) -> bool {
        if self.call.rules.stale_if_error.is_zero() {
            return false;
        }
        let dispersed = self.leader.as_ref().is_some_and(Leader::is_dispersed);
        let now = self.call.engine.clock().now();
        if self.fallback.is_none() {
            self.fallback = self.local_fallback();
        }
        let usable = |fallback: &Fallback| !dispersed && now < fallback.hard;
        self.fallback.as_ref().is_some_and(usable)
    }

    /// Without the store, what level 1 still has.
    fn local_fallback(&self) -> Option<Fallback> {
        let local_key = self.call.local_key?;
        let local = self.call.engine.local();
        let entry = local.get_for_want_of_better(local_key)?;
        let window = millis(self.call.rules.stale_if_error);
        Some(Fallback {
            landing: entry.value.clone(),
            hard: entry
                .times
                .hard
                .min(entry.times.soft.saturating_add(window)),
            stored: None,
        })
    }

    /// Ends a failed load with the old value, which is then answered with for
    /// a while without asking the source again.
    pub(crate) async fn fall_back(mut self: Box<Self>) -> Landing {
        let counters = self.call.counters();
        counters.load_failed();
        counters.hit_stale();
        let fallback = self.fallback.take().expect("there is a fallback");
        self.call
            .engine
            .observe()
            .once(self.call.location.path, "stale", || {
                tracing::warn!(
                    method = self.call.label,
                    "a load failed, and the value before it stands in"
                );
            });
        let landing = fallback.landing.clone();
        if let Some(load) = self.put_back(fallback).await {
            load.share(&|| landing.clone()).await;
        }
        Outcome::Stale.note();
        landing
    }

    async fn put_back(mut self: Box<Self>, fallback: Fallback) -> Option<Box<Self>> {
        let call = &self.call;
        let now = call.engine.clock().now();
        let soft = now
            .saturating_add(millis(call.rules.retry_after))
            .min(fallback.hard);
        let sealed = fallback.stored.and_then(|bytes| {
            let Ok(Opened::Value(mut header, payload)) =
                envelope::open(call.key.as_bytes(), &bytes)
            else {
                return None;
            };
            header.soft_expiry_ms = soft;
            header.stand_in = true;
            header.serial = random();
            let bytes = envelope::seal(call.key.as_bytes(), &header, payload).ok()?;
            let life = Duration::from_millis(fallback.hard.saturating_sub(now));
            Some(Sealed {
                bytes,
                life,
                header,
            })
        });
        let landing = fallback.landing;
        if let Some(sealed) = sealed {
            // It is removed by the tags it has, since it was loaded itself.
            let tags = sealed.header.tags.iter().map(ToString::to_string);
            self.call.tags = tags.collect();
            self.stamp = sealed.header.tag_stamp;
            return self.replace(sealed, &|| landing.clone()).await;
        }
        // The store is away: level 1 alone remembers.
        let header = self.header_of_stand_in(soft, fallback.hard);
        let ticket = self.ticket;
        self.call
            .keep_here(landing, &header, 0, Arc::default(), ticket);
        self.leader.is_some().then_some(self)
    }

    fn header_of_stand_in(&self, soft: u64, hard: u64) -> Header {
        Header {
            codec: CodecId::Bincode,
            absent: false,
            stand_in: true,
            site: self.call.identity,
            fingerprint: 0,
            created_ms: self.call.engine.clock().now(),
            soft_expiry_ms: soft,
            hard_expiry_ms: hard,
            load_micros: 0,
            tag_stamp: 0,
            serial: 0,
            tags: Vec::new(),
        }
    }
}

impl Drop for Load {
    /// A load that is given up puts the old value back where it took its place.
    fn drop(&mut self) {
        let Some(leader) = &mut self.leader else {
            return;
        };
        let Some(bytes) = self.fallback.take().and_then(|fallback| fallback.stored) else {
            return;
        };
        let Some(lease) = leader.lease.take() else {
            return;
        };
        let Ok(Opened::Value(header, _)) = envelope::open(self.call.key.as_bytes(), &bytes) else {
            return;
        };
        // A shutdown waits for it.
        let engine = self.call.engine.busy();
        let key = Arc::clone(&self.call.key);
        let left = header.hard_expiry_ms.saturating_sub(engine.clock().now());
        let put_back = async move {
            let life = Duration::from_millis(left);
            let remote = engine.remote();
            let expected = Expect::Lease(&lease);
            let filled = remote.fill(&key, expected, bytes, life, Origin::Load);
            if let Err(error) = filled.await {
                tracing::debug!(%error, "an old value was not put back");
                remote.abandon(&key, &lease, Origin::Load);
            }
        };
        start(self.call.engine.runtime(), put_back);
    }
}
