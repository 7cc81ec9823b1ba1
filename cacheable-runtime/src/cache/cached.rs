//! What a call needs once it goes beyond level 1, and what an entry is made of.

use std::collections::HashSet;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::budget::Budget;
use super::call::ValueType;
use super::flight::Landing;
use super::fresh::{millis, settled};
use super::load::Yield;
use super::site::{Location, Site};
use super::tags::{Tags, marker_of_tag, prefix_of};
use super::{Busy, Engine, tags};
use crate::codec::envelope::{self, Header};
use crate::codec::{self, CodecId, Encodable, EncodeError, Schema, SchemaOf};
use crate::error::{Error, ErrorKind};
use crate::local::{Entry, KeyHash, Marker, Question, Ticket, Times};
use crate::observe::Counters;
use crate::policy::{self, Rules};
use crate::remote::Numbers;
use crate::sync::{BoxFuture, random};

/// Room for most values, in bytes, so that writing one does not grow a buffer
/// step by step.
const TYPICAL_PAYLOAD: usize = 512;

/// One call that its cache was not able to answer at once.
pub(crate) struct Cached {
    pub(crate) known: Known,
    /// What messages call the method, and where it is.
    pub(crate) label: &'static str,
    pub(crate) location: Location,
    /// 0 for a handle, which takes entries of any site.
    pub(crate) identity: u64,
    /// With the namespace.
    pub(crate) key: Arc<str>,
    /// Of the key.
    pub(crate) hash: KeyHash,
    pub(crate) rules: Rules,
    /// The tags that are known before the value is.
    pub(crate) tags: Vec<String>,
    /// What level 1 knows the entry by; `None` if it is not kept there.
    pub(crate) local_key: Option<u128>,
    /// What level 1 has, if it is not just to be answered with.
    pub(crate) local: Option<Arc<Entry>>,
    pub(crate) budget: Budget,
    /// When its time is up.
    pub(crate) deadline: Option<Instant>,
    /// The same call once more, for a refresh in the background. Nobody waits
    /// for this lock: it lets those who only look at the call share it.
    pub(crate) again: Mutex<Option<BoxFuture<'static, ()>>>,
    /// The last to be dropped: a shutdown waits for that.
    pub(crate) engine: Busy,
}

/// Where a call is counted, and the marker of its prefix, if it has one.
pub(crate) enum Known {
    /// The engine knows them. All calls count their references to one thing in
    /// one place, which cores take turns at; so there are as few as can be.
    Site(&'static Site),
    Own {
        counters: Arc<Counters>,
        prefix: Arc<[Arc<Marker>]>,
    },
}

/// A value in its bytes.
pub(crate) struct Encoded {
    pub(crate) codec: CodecId,
    pub(crate) fingerprint: u64,
    pub(crate) payload: Vec<u8>,
}

/// An entry as it is stored.
pub(crate) struct Sealed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) life: Duration,
    pub(crate) header: Header,
}

impl Cached {
    pub(crate) fn counters(&self) -> &Arc<Counters> {
        match &self.known {
            Known::Site(site) => &self.engine.of_site(site).counters,
            Known::Own { counters, .. } => counters,
        }
    }

    /// The markers of an entry without tags.
    pub(crate) fn prefix(&self) -> &Arc<[Arc<Marker>]> {
        match &self.known {
            Known::Site(site) => &self.engine.of_site(site).markers,
            Known::Own { prefix, .. } => prefix,
        }
    }

    /// Awaits an answer of the store within what this call may spend on it.
    pub(crate) fn spend<T>(
        &self,
        answer: impl Future<Output = Result<T, Error>> + Unpin,
    ) -> impl Future<Output = Result<T, Error>> {
        self.budget.spend(&self.engine, answer)
    }

    /// The markers that are known to be the entry's before it is read.
    pub(crate) fn markers(&self, tags: &[String]) -> Arc<[Arc<Marker>]> {
        if tags.is_empty() {
            return Arc::clone(self.prefix());
        }
        let tags = self.engine.markers_of_tags(tags);
        self.prefix().iter().cloned().chain(tags).collect()
    }

    /// How this call writes and knows values of the type that `of` is for.
    pub(crate) fn schema(&self, of: SchemaOf) -> Schema {
        of(self.rules.codec, self.rules.schema).of_version(self.location.version)
    }

    /// `of`: of the value's type.
    pub(crate) fn encode(
        &self,
        of: SchemaOf,
        value: &dyn Encodable,
    ) -> Result<Encoded, EncodeError> {
        let schema = self.schema(of);
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

    /// What a value is kept as, if it is, and under which tags beside this call's.
    pub(super) fn yields(
        &self,
        named: Tags,
        of: &ValueType,
        value: Option<&dyn Encodable>,
    ) -> Yield {
        Yield {
            tags: named.finish(&self.tags),
            encoded: value.map(|value| self.encode(of.schema, value)),
        }
    }

    /// The bytes to store and their life; `None` when there is nothing to
    /// store.
    pub(crate) fn seal(
        &self,
        encoded: &Encoded,
        what: Fill<'_>,
    ) -> Result<Option<Sealed>, EncodeError> {
        let ttl = if what.absent {
            self.rules.none_ttl.unwrap_or_default()
        } else {
            self.rules.ttl
        };
        let Some(life) = policy::life(ttl, self.rules.jitter, random()) else {
            return Ok(None);
        };
        let now = self.engine.clock().now();
        let soft = now.saturating_add(millis(life));
        // Beyond its life a value is kept for as long as it may be of use.
        let beyond = if what.absent {
            Duration::ZERO
        } else {
            self.rules.beyond()
        };
        let header = Header {
            codec: encoded.codec,
            absent: what.absent,
            stand_in: false,
            site: self.identity,
            fingerprint: encoded.fingerprint,
            created_ms: now,
            soft_expiry_ms: soft,
            hard_expiry_ms: soft.saturating_add(millis(beyond)),
            load_micros: u32::try_from(what.took.as_micros()).unwrap_or(u32::MAX),
            tag_stamp: what.stamp,
            serial: random(),
            tags: what.tags.iter().map(|tag| tag.as_str().into()).collect(),
        };
        let bytes = envelope::seal(self.key.as_bytes(), &header, &encoded.payload)?;
        Ok(Some(Sealed {
            bytes,
            life: life.saturating_add(beyond),
            header,
        }))
    }

    /// When an entry with this header may be answered with, by the rules of
    /// this call.
    pub(crate) fn times(&self, header: &Header) -> Times {
        let (soft, hard) = (header.soft_expiry_ms, header.hard_expiry_ms);
        let window = millis(self.rules.stale_while_revalidate);
        Times {
            created: header.created_ms,
            soft,
            revalidate: soft.saturating_add(window).min(hard),
            hard,
            load_micros: header.load_micros,
        }
    }

    /// Keeps the entry at level 1, if the ticket is good and the rules want it.
    pub(crate) fn keep_here(
        &self,
        value: Landing,
        header: &Header,
        size: usize,
        markers: Arc<[Arc<Marker>]>,
        ticket: Ticket,
    ) {
        let Some(local_key) = self.local_key else {
            return;
        };
        let times = self.times(header);
        let until = self.rules.local_ttl.map_or(times.hard, |life| {
            let now = self.engine.clock().now();
            times.hard.min(now.saturating_add(millis(life)))
        });
        let tally = self.counters().tally(header.stand_in);
        let key = Arc::clone(&self.key);
        let mut entry = Entry::new(value, size, key, times, until, ticket, tally);
        entry.settled = until.min(settled(self.rules.early, &times));
        entry.stale = header.stand_in;
        entry.serial = header.serial;
        entry.stamp = header.tag_stamp;
        entry.markers = markers;
        self.engine.local().fill(local_key, entry);
    }

    /// Whether level 1 answers with this version of the entry.
    pub(crate) fn is_kept_here(&self, serial: u64) -> bool {
        let local = self.engine.local();
        let entry = self.local_key.and_then(|key| local.get(key));
        entry.is_some_and(|entry| entry.serial == serial)
    }

    pub(crate) fn not_stored(&self, error: &dyn std::fmt::Display) {
        self.counters().not_stored();
        self.engine.observe().once(self.location.path, "kept", || {
            tracing::warn!(
                method = self.label,
                at = self.location.path,
                %error,
                "a value is returned but not kept"
            );
        });
    }

    pub(crate) fn remote_failed(&self, what: &'static str, error: &Error) {
        self.counters().remote_failed();
        if error.kind() == ErrorKind::Server {
            // An outage is said by the connection; a refusal only here.
            let message = error.to_string();
            self.engine.observe().once("store", &message, || {
                tracing::warn!(method = self.label, what, %error, "the server refuses; calls go on without it");
            });
        }
        tracing::debug!(method = self.label, what, %error, "the store failed; the call goes on without it");
    }
}

/// Markers that are asked for in one go.
const AT_ONCE: usize = 100;

/// What an entry is besides its value.
#[derive(Clone, Copy)]
pub(crate) struct Fill<'a> {
    pub(crate) absent: bool,
    pub(crate) took: Duration,
    pub(crate) stamp: u64,
    pub(crate) tags: &'a [String],
}

impl Engine {
    /// The markers of an entry: of its prefix, and of its tags.
    pub(crate) fn markers_of(&self, key: &str, tags: &[String]) -> Arc<[Arc<Marker>]> {
        let namespace = &self.settings().namespace;
        let known = &self.local().markers;
        let prefix = key.strip_prefix(&**namespace).and_then(prefix_of);
        let prefix = prefix.map(|prefix| known.of(&tags::marker_of_prefix(namespace, prefix)));
        let tags = self.markers_of_tags(tags);
        prefix.into_iter().chain(tags).collect()
    }

    fn markers_of_tags(&self, tags: &[String]) -> impl Iterator<Item = Arc<Marker>> {
        let namespace = &self.settings().namespace;
        let known = &self.local().markers;
        tags.iter()
            .map(move |tag| known.of(&marker_of_tag(namespace, tag)))
    }

    /// Asks for those of the markers that are not known.
    pub(crate) async fn learn(&self, markers: &[Arc<Marker>]) -> Result<(), Error> {
        let mut questions = self.questions(markers).into_iter();
        loop {
            // A server looks at all keys of a script for each one that it reads.
            let some: Vec<_> = questions.by_ref().take(AT_ONCE).collect();
            if some.is_empty() {
                return Ok(());
            }
            let names: Vec<&str> = some.iter().map(Question::key).collect();
            let numbers = self.remote().numbers(&names).await?;
            self.answer(some, &numbers);
        }
    }

    /// Reads what is under a key, with those of the markers that are not known.
    pub(crate) async fn read(
        &self,
        key: &str,
        markers: &[Arc<Marker>],
    ) -> Result<Option<Vec<u8>>, Error> {
        let questions = self.questions(markers);
        let names: Vec<&str> = questions.iter().map(Question::key).collect();
        let (bytes, numbers) = self.remote().get(key, &names).await?;
        drop(names);
        if let Some(numbers) = numbers {
            self.answer(questions, &numbers);
        }
        Ok(bytes)
    }

    /// Whether there is nothing to ask about these markers.
    pub(crate) fn knows(&self, markers: &[Arc<Marker>]) -> bool {
        let told = self.local().is_told();
        markers.iter().all(|marker| marker.question(told).is_none())
    }

    fn questions(&self, markers: &[Arc<Marker>]) -> Vec<Question> {
        let told = self.local().is_told();
        let mut questions: Vec<_> = markers
            .iter()
            .filter_map(|marker| marker.question(told))
            .collect();
        // Many entries have one marker. Mostly all are known, and nothing is left
        // to compare.
        if questions.len() > 1 {
            let mut asked = HashSet::new();
            questions.retain(|question| asked.insert(question.key().to_owned()));
        }
        questions
    }

    /// Takes what the store says of markers.
    fn answer(&self, questions: Vec<Question>, numbers: &Numbers) {
        self.local().markers.saw(numbers.counter);
        for (question, &number) in questions.into_iter().zip(&numbers.markers) {
            self.local().markers.saw(number);
            question.answered(number);
        }
    }
}
