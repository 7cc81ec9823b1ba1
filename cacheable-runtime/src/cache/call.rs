//! One call of a cached method or handle, from beginning to end.

use std::any::Any;
use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::Engine;
use super::answer::{Alone, Given};
use super::budget::Budget;
use super::cached::{Cached, Known};
use super::course::{Course, settle};
use super::flight::Landing;
use super::load::Load;
use super::read::Found;
use super::settle::{behind, refresh_behind, restore};
use super::shape::CachedShape;
use super::site::Site;
use super::tags::{Tags, add, never_late, no_tags, tag};
use crate::codec::{self, CodecId, DecodeError, SchemaOf};
use crate::error::Error;
use crate::key::KeyWriter;
use crate::local::{Entry, Shared};
use crate::observe::Outcome;
use crate::policy::Rules;
use crate::sync::BoxFuture;

/// One call, ready to run.
#[must_use = "a call does nothing until it is run"]
pub struct Call(State);

enum State {
    /// Only the body is run.
    Direct,
    /// What level 1 answers with.
    Hit(Landing),
    Cached(Box<Cached>),
}

impl Call {
    /// A call that level 1 has no answer for.
    #[cold]
    pub(super) fn beyond(
        engine: &Engine,
        site: &'static Site,
        identity: u64,
        local_key: Option<u128>,
        local: Option<Arc<Entry>>,
        key: &dyn Fn(&mut KeyWriter),
    ) -> Self {
        match site.text(key) {
            Ok(key) => {
                let key = engine.full(key);
                Self::of(Cached {
                    known: Known::Site(site),
                    label: site.label(),
                    location: site.location(),
                    identity,
                    hash: engine.local().hash(key.as_bytes()),
                    key: key.into(),
                    rules: site.rules,
                    tags: Vec::new(),
                    local_key,
                    local,
                    budget: Budget::new(engine.settings().budget),
                    deadline: None,
                    again: Mutex::default(),
                    engine: engine.busy(),
                })
            }
            Err(error) => {
                refuse(engine, site, &error);
                Self::direct()
            }
        }
    }

    pub(crate) fn of(cached: Cached) -> Self {
        Self(State::Cached(Box::new(cached)))
    }

    pub(crate) fn hit(value: Landing) -> Self {
        Self(State::Hit(value))
    }

    /// A call that only runs its body.
    pub(crate) fn direct() -> Self {
        Self(State::Direct)
    }

    fn rules(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        if let State::Cached(call) = &mut self.0 {
            change(&mut call.rules);
        }
        self
    }

    /// `ttl`, when it is an expression.
    pub fn ttl(self, ttl: impl FnOnce() -> Duration) -> Self {
        self.rules(|rules| rules.ttl = ttl())
    }

    /// `none_ttl`, when it is an expression.
    pub fn none_ttl(self, ttl: impl FnOnce() -> Duration) -> Self {
        self.rules(|rules| rules.none_ttl = Some(ttl()))
    }

    /// `local_ttl`, when it is an expression.
    pub fn local_ttl(self, ttl: impl FnOnce() -> Duration) -> Self {
        self.rules(|rules| rules.local_ttl = Some(ttl()))
    }

    /// `stale_while_revalidate`, when it is an expression.
    pub fn stale_while_revalidate(self, window: impl FnOnce() -> Duration) -> Self {
        self.rules(|rules| rules.stale_while_revalidate = window())
    }

    /// `stale_if_error`, when it is an expression.
    pub fn stale_if_error(self, window: impl FnOnce() -> Duration) -> Self {
        self.rules(|rules| rules.stale_if_error = window())
    }

    /// `retry_after`, when it is an expression.
    pub fn retry_after(self, pause: impl FnOnce() -> Duration) -> Self {
        self.rules(|rules| rules.retry_after = pause())
    }

    /// `load_timeout`, when it is an expression.
    pub fn load_timeout(self, timeout: impl FnOnce() -> Duration) -> Self {
        self.rules(|rules| rules.load_timeout = Some(timeout()))
    }

    /// A tag that is made of the arguments.
    pub fn tag(mut self, text: impl FnOnce(&mut KeyWriter)) -> Self {
        if let State::Cached(call) = &mut self.0 {
            match tag(text) {
                Ok(name) => add(&mut call.tags, name),
                Err(error) => {
                    call.counters().bypassed();
                    say_no_key(&call.engine, call.label, call.location.path, &error);
                    self.0 = State::Direct;
                }
            }
        }
        self
    }

    /// What refreshes the entry in the background: this very call once more,
    /// on owned arguments.
    pub fn refresh(mut self, again: impl FnOnce() -> BoxFuture<'static, ()>) -> Self {
        if let State::Cached(call) = &mut self.0 {
            call.again = Mutex::new(Some(again()));
        }
        self
    }

    /// Answers from the cache, or runs `body` and keeps what it returns.
    #[inline]
    pub fn run<S, F>(self, _: S, body: Pin<&mut F>) -> Running<'_, S, F>
    where
        S: CachedShape,
        F: Future<Output = S::Return>,
    {
        Running {
            course: self.course(false),
            body: Alone(body),
            shape: PhantomData,
        }
    }

    /// As [`run`](Self::run), but a value that `unless` holds for is not kept.
    #[inline]
    pub async fn run_unless<S, F, U>(self, _: S, body: Pin<&mut F>, unless: U) -> S::Return
    where
        S: CachedShape,
        F: Future<Output = S::Return>,
        U: FnOnce(&S::Stored) -> bool,
    {
        let mut course = self.course(false);
        if let Some(answer) = course.answer::<S>() {
            return answer;
        }
        let mut body = Given::new(body, unless, no_tags::<S::Stored>);
        let returned = poll_fn(move |context| course.poll::<S>(context, &mut body)).await;
        returned.unwrap_or_else(never_late)
    }

    /// As [`run`](Self::run), with all that an attribute can ask for: tags
    /// that come from the value, and what is returned when the body has not
    /// ended at its `load_timeout`.
    #[inline]
    pub async fn run_full<S, F, U, G, L>(
        self,
        _: S,
        body: Pin<&mut F>,
        unless: U,
        tags: G,
        late: L,
    ) -> S::Return
    where
        S: CachedShape,
        F: Future<Output = S::Return>,
        U: FnOnce(&S::Stored) -> bool,
        G: FnOnce(&S::Stored, &mut Tags),
        L: FnOnce() -> S::Return,
    {
        let mut course = self.course(true);
        if let Some(answer) = course.answer::<S>() {
            return answer;
        }
        let mut body = Given::new(body, unless, tags);
        let returned = poll_fn(move |context| course.poll::<S>(context, &mut body)).await;
        returned.unwrap_or_else(late)
    }

    /// As [`run_full`](Self::run_full), over a body that can outlive the
    /// caller, so that a refresh runs in the background.
    #[inline]
    pub async fn run_owned<S, F, U, G, L>(
        self,
        _: S,
        body: F,
        unless: U,
        tags: G,
        late: L,
    ) -> S::Return
    where
        S: CachedShape + Send + 'static,
        F: Future<Output = S::Return> + Send + 'static,
        U: FnOnce(&S::Stored) -> bool + Send + 'static,
        G: FnOnce(&S::Stored, &mut Tags) + Send + 'static,
        L: FnOnce() -> S::Return,
    {
        let call = match self.0 {
            State::Hit(landing) => {
                if let Some(answer) = restore::<S>(landing) {
                    return answer;
                }
                None
            }
            State::Direct => None,
            State::Cached(call) => Some(call),
        };
        let Some(call) = call else {
            Outcome::Bypass.note();
            return body.await;
        };
        // It is large, and a hit's future is not to be.
        Box::pin(async move {
            let value = const { &ValueType::of::<S>() };
            let mut load = match look(call, value, true).await {
                Ok(landing) => match restore::<S>(landing) {
                    Some(answer) => return answer,
                    None => return body.await,
                },
                Err(Todo::Late) => return late(),
                Err(Todo::Load(load)) => load,
            };
            if let Some(old) = load.old.take() {
                let Some(answer) = restore::<S>(old) else {
                    return body.await;
                };
                let engine = load.call().engine.clone();
                behind(&engine, async move {
                    let body = std::pin::pin!(body);
                    // An error, too, is the end of it: it is counted.
                    drop(settle::<S, F, U, G>(load, body, unless, tags).await);
                });
                return answer;
            }
            let settled = settle::<S, F, U, G>(load, std::pin::pin!(body), unless, tags).await;
            settled.unwrap_or_else(late)
        })
        .await
    }

    #[inline]
    fn course(self, tagged: bool) -> Course {
        match self.0 {
            State::Hit(landing) => Course::hit(landing),
            State::Direct => Course::direct(),
            State::Cached(call) => Course::begins(call, tagged),
        }
    }
}

/// What [`Call::run`] returns.
#[must_use = "a call does nothing until it is awaited"]
pub struct Running<'a, S: CachedShape, F> {
    course: Course,
    body: Alone<'a, F>,
    shape: PhantomData<fn() -> S>,
}

/// Nothing in it is pinned: its body is elsewhere.
impl<S: CachedShape, F> Unpin for Running<'_, S, F> {}

impl<S, F> Future for Running<'_, S, F>
where
    S: CachedShape,
    F: Future<Output = S::Return>,
{
    type Output = S::Return;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<S::Return> {
        let Self { course, body, .. } = self.get_mut();
        if let Some(answer) = course.answer::<S>() {
            return Poll::Ready(answer);
        }
        let polled = course.poll::<S>(context, body);
        polled.map(|returned| returned.unwrap_or_else(never_late))
    }
}

impl<S: CachedShape, F> fmt::Debug for Running<'_, S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").finish_non_exhaustive()
    }
}

/// What there is without running the body. With `value` by reference this is
/// not generic: it is compiled once, and not for each value type.
pub(super) async fn look(mut call: Box<Cached>, value: &'static ValueType, tagged: bool) -> Look {
    let again = call.again.get_mut();
    let again = again.unwrap_or_else(PoisonError::into_inner).take();
    call.deadline = call
        .rules
        .load_timeout
        // Without a timer there is no deadline.
        .filter(|_| Handle::try_current().is_ok())
        .and_then(|timeout| Instant::now().checked_add(timeout));
    match call.find_in_time(value, tagged).await {
        Found::Landed(_, landing) => Ok(landing),
        Found::Nothing(load) => Err(Todo::Load(load)),
        Found::Refresh(mut load, old) => {
            if let Some(again) = again {
                refresh_behind(load, again);
                return Ok(old);
            }
            load.old = Some(old);
            Err(Todo::Load(load))
        }
        Found::Late => Err(Todo::Late),
    }
}

/// What to answer with, or what is to be done for it.
pub(super) type Look = Result<Landing, Todo>;

/// What a call that has no answer yet does.
pub(super) enum Todo {
    /// Its time was up while it waited for another's load.
    Late,
    /// The body runs as this load, which may be a refresh of an old value.
    Load(Box<Load>),
}

fn refuse(engine: &Engine, site: &'static Site, error: &Error) {
    engine.of_site(site).counters.bypassed();
    say_no_key(engine, site.label(), site.location().path, error);
}

fn say_no_key(engine: &Engine, method: &'static str, at: &'static str, error: &Error) {
    engine.observe().once(at, "key", || {
        tracing::warn!(
            method,
            at,
            %error,
            "an argument cannot be part of a key, so these calls run uncached: \
             leave it out with `skip(…)`, or name what matters with `key = \"…\"`"
        );
    });
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let method = match &self.0 {
            State::Cached(call) => Some(call.label),
            State::Direct | State::Hit(_) => None,
        };
        f.debug_struct("Call")
            .field("method", &method)
            .finish_non_exhaustive()
    }
}

/// The operations on one value type, for code that is the same for all.
pub(crate) struct ValueType {
    pub(crate) schema: SchemaOf,
    /// Whether the method can return that there is none.
    pub(crate) has_absence: fn() -> bool,
    pub(crate) decode: fn(CodecId, &[u8]) -> Result<Shared, DecodeError>,
}

impl ValueType {
    /// The operations on what `S` keeps.
    pub(super) const fn of<S: CachedShape>() -> Self {
        Self {
            schema: codec::schema::<S::Stored>,
            has_absence: || restore::<S>(None).is_some(),
            decode: |codec, bytes| {
                let value = codec::decode::<S::Stored>(codec, bytes)?;
                Ok(Arc::new(value) as Arc<dyn Any + Send + Sync>)
            },
        }
    }
}
