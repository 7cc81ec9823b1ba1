//! From nothing in the store to a loaded and kept value.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;

use super::call::Cached;
use super::flight::{Landing, Leader, Lease};
use crate::codec::envelope::{self, Header};
use crate::codec::{self, CodecId, EncodeError};
use crate::policy;
use crate::sync::random;

/// Room for most values, in bytes, so that writing one does not grow a buffer
/// step by step.
const TYPICAL_PAYLOAD: usize = 256;

/// The right, and the duty, to run the body.
pub(crate) struct Load {
    call: Box<Cached>,
    /// `None`: the body runs for this caller alone.
    leader: Option<Leader>,
    began: Instant,
}

/// A value in its bytes.
pub(crate) struct Encoded {
    pub(crate) codec: CodecId,
    pub(crate) fingerprint: u64,
    pub(crate) payload: Vec<u8>,
}

impl Load {
    pub(crate) fn new(call: Box<Cached>, leader: Leader) -> Self {
        call.counters.missed();
        leader.loading();
        Self {
            call,
            leader: Some(leader),
            began: Instant::now(),
        }
    }

    pub(crate) fn alone(call: Box<Cached>) -> Self {
        call.counters.bypassed();
        Self {
            call,
            leader: None,
            began: Instant::now(),
        }
    }

    /// Runs the body in the caller's own task, and keeps the lease alive
    /// meanwhile.
    pub(crate) async fn drive<F: Future>(&mut self, mut body: Pin<&mut F>) -> F::Output {
        self.call.counters.loaded();
        self.began = Instant::now();
        let leader = self.leader.as_ref();
        let lease = leader.and_then(|leader| leader.lease.clone());
        let mut pulse = Pulse::new(&self.call, leader, lease);
        std::future::poll_fn(|context| {
            let polled = {
                let _inside = leader.map(Leader::enter);
                body.as_mut().poll(context)
            };
            if polled.is_pending() {
                pulse.poll(context);
            }
            polled
        })
        .await
    }

    /// The body returned an error: it is the caller's, and the next waiter
    /// tries by itself.
    pub(crate) fn failed(self) {
        self.call.counters.load_failed();
    }

    /// The body returned nothing.
    pub(crate) async fn absent(self) {
        let Some(ttl) = self.call.rules.none_ttl else {
            return self.share(|| Landing::Absent).await;
        };
        let encoded = Encoded {
            codec: CodecId::Bincode,
            fingerprint: 0,
            payload: Vec::new(),
        };
        if let Some(load) = self.fill(encoded, ttl, true).await {
            load.share(|| Landing::Absent).await;
        }
    }

    pub(crate) fn call(&self) -> &Cached {
        &self.call
    }

    /// Puts the value in the place of the lease. Returns itself when the value
    /// may be shared with those who wait, `None` when an invalidation came.
    pub(crate) async fn store(self, encoded: Result<Encoded, EncodeError>) -> Option<Self> {
        match encoded {
            Ok(encoded) => {
                let ttl = self.call.rules.ttl;
                self.fill(encoded, ttl, false).await
            }
            Err(error) => {
                self.call.not_stored(&error);
                Some(self)
            }
        }
    }

    async fn fill(mut self, encoded: Encoded, ttl: Duration, absent: bool) -> Option<Self> {
        let Some(leader) = &mut self.leader else {
            return Some(self);
        };
        let Some(lease) = &leader.lease else {
            return Some(self);
        };
        if leader.is_dispersed() {
            self.call.counters.fill_rejected();
            return None;
        }
        let Some((sealed, life)) = self.call.seal(&encoded, ttl, absent, self.began.elapsed())
        else {
            return Some(self);
        };
        match self
            .call
            .engine
            .remote()
            .fill(&self.call.key, lease, sealed, life)
            .await
        {
            Ok(true) => {
                leader.lease = None;
                Some(self)
            }
            Ok(false) => {
                leader.lease = None;
                self.call.counters.fill_rejected();
                if let Some(leader) = self.leader.take() {
                    leader.disperse();
                }
                None
            }
            // The lease is kept, so that it is abandoned in the end.
            Err(error) => {
                self.call.remote_failed("fill", &error);
                Some(self)
            }
        }
    }

    /// Ends the flight, and hands what it brought to those who wait. It is made
    /// only when somebody does: an owned value has to be copied for that.
    ///
    /// A lease that is still held has seen no fill, so the store is asked
    /// whether an invalidation has taken it: then those who wait start again.
    /// Without a lease, when the store could not be reached, they share what
    /// is there.
    pub(crate) async fn share(mut self, landing: impl FnOnce() -> Landing) {
        let Some(leader) = self.leader.take() else {
            return;
        };
        let Err(mut leader) = leader.land_alone() else {
            return;
        };
        let landing = landing();
        if let Some(lease) = &leader.lease {
            let released = self.call.engine.remote().release(&self.call.key, lease);
            match released.await {
                Ok(true) => leader.lease = None,
                Ok(false) => {
                    leader.lease = None;
                    return leader.disperse();
                }
                Err(error) => self.call.remote_failed("release", &error),
            }
        }
        leader.land(landing);
    }
}

impl Cached {
    pub(crate) fn encode<T>(&self, value: &T) -> Result<Encoded, EncodeError>
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let rules = &self.rules;
        let schema =
            codec::schema::<T>(rules.codec, rules.schema).of_version(self.location.version);
        let mut payload = Vec::with_capacity(TYPICAL_PAYLOAD);
        let codec = codec::encode(
            &schema,
            value,
            self.engine.settings().max_value,
            &mut payload,
        )?;
        Ok(Encoded {
            codec,
            fingerprint: schema.fingerprint,
            payload,
        })
    }

    /// The bytes to store and their life; `None` when there is nothing to
    /// store.
    pub(crate) fn seal(
        &self,
        encoded: &Encoded,
        ttl: Duration,
        absent: bool,
        load: Duration,
    ) -> Option<(Vec<u8>, Duration)> {
        let life = policy::life(ttl, self.rules.jitter, random())?;
        let now = self.engine.clock().now();
        let expiry = now.saturating_add(u64::try_from(life.as_millis()).unwrap_or(u64::MAX));
        let header = Header {
            codec: encoded.codec,
            absent,
            site: self.identity,
            fingerprint: encoded.fingerprint,
            created_ms: now,
            soft_expiry_ms: expiry,
            hard_expiry_ms: expiry,
            load_micros: u32::try_from(load.as_micros()).unwrap_or(u32::MAX),
            tag_stamp: 0,
            tags: Vec::new(),
        };
        let sealed = envelope::seal(self.key.as_bytes(), &header, &encoded.payload)
            .expect("a payload within the size limit and no tags");
        Some((sealed, life))
    }

    pub(crate) fn not_stored(&self, error: &EncodeError) {
        self.counters.not_stored();
        self.engine.observe().once(self.location.path, "kept", || {
            tracing::warn!(
                method = self.label,
                at = self.location.path,
                %error,
                "a value is returned but not kept"
            );
        });
    }
}

/// Says that a body is being run: to those who wait in this process, and to
/// the store by renewing the lease.
pub(crate) struct Pulse<'a> {
    call: &'a Cached,
    leader: Option<&'a Leader>,
    lease: Option<Lease>,
    lost: Arc<AtomicBool>,
    timer: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl<'a> Pulse<'a> {
    pub(crate) fn new(call: &'a Cached, leader: Option<&'a Leader>, lease: Option<Lease>) -> Self {
        Self {
            call,
            leader,
            lease: lease.filter(|_| call.engine.settings().renews),
            lost: Arc::default(),
            timer: None,
        }
    }

    /// To be called when the body is pending. The body is never held up: a
    /// renewal runs beside it.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) {
        if self.leader.is_none() && self.lease.is_none() || Handle::try_current().is_err() {
            return;
        }
        // Two renewals may fail before the lease ends.
        let interval = self.call.engine.settings().lease / 3;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(interval)));
        if timer.as_mut().poll(context).is_pending() {
            return;
        }
        if let Some(leader) = self.leader {
            leader.show_life();
        }
        // Until one is sure to wake this task: where a thread is held up, a
        // new timer may be over before it is polled.
        loop {
            timer.set(tokio::time::sleep(interval));
            if timer.as_mut().poll(context).is_pending() {
                break;
            }
        }
        self.renew();
    }

    fn renew(&self) {
        let Some(lease) = self.lease.clone() else {
            return;
        };
        if self.lost.load(Ordering::Relaxed) {
            return;
        }
        let (engine, lost) = (self.call.engine.clone(), Arc::clone(&self.lost));
        let key = Arc::clone(&self.call.key);
        tokio::spawn(async move {
            let life = engine.settings().lease;
            match engine.remote().renew(&key, &lease, life).await {
                Ok(renewed) => lost.store(!renewed, Ordering::Relaxed),
                Err(error) => tracing::debug!(%error, "a lease was not renewed"),
            }
        });
    }
}
