//! What a call goes through, step by step, with its body beside it.
//!
//! A future of each annotated method is compiled for that method. So there is
//! as little of it as can be: it lends its body to a [`Course`] for each poll.
//! A course is the same for all methods of one return type, and most of what it
//! calls is the same for all.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::cached::Cached;
use super::call::{Look, Todo, ValueType, look};
use super::flight::Landing;
use super::load::{End, Load, Yield};
use super::settle::restore;
use super::shape::{CachedShape, Divided};
use super::tags::Tags;
use crate::codec::{self, Hidden};
use crate::local::Shared;
use crate::observe::Outcome;
use crate::sync::BoxFuture;

/// What a method brings to its call. It is never held, only lent: what a call's
/// future can be sent with is for its own parts to say.
pub(super) trait Body<S: CachedShape> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<S::Return>;

    /// Whether this value is not to be kept. Asked once, after `tags`.
    fn unless(&mut self, _: &S::Stored) -> bool {
        false
    }

    /// Adds the tags that come from the value.
    fn tags(&mut self, _: &S::Stored, _: &mut Tags) {}
}

pub(super) struct Course<S: CachedShape>(Step<S>);

/// Small, since a hit moves it about: what is large is behind a pointer.
enum Step<S: CachedShape> {
    /// Level 1 has the answer; nothing, once it was given.
    Hit(Landing),
    /// The call has not begun; whether it may have tags that come from its
    /// value.
    Begins(Box<Cached>, bool),
    Looks(BoxFuture<'static, Look>),
    /// The cache has nothing to do with it.
    Bypasses,
    /// Only the body is run.
    Direct,
    Loads(Box<Load>),
    Ends(Box<Ending<S>>),
    Over,
}

/// The body is over, and something is left to do.
struct Ending<S: CachedShape> {
    /// What the caller gets instead of its own value, if it has none.
    landing: BoxFuture<'static, Option<Landing>>,
    kept: Option<Arc<S::Kept>>,
    old: Option<Landing>,
}

impl<S: CachedShape> Course<S> {
    pub(super) fn hit(landing: Landing) -> Self {
        Self(Step::Hit(landing))
    }

    pub(super) fn direct() -> Self {
        Self(Step::Bypasses)
    }

    pub(super) fn begins(call: Box<Cached>, tagged: bool) -> Self {
        Self(Step::Begins(call, tagged))
    }

    /// The answer of level 1, if it has one. To be asked for before the rest is
    /// gone through.
    #[inline]
    pub(super) fn answer(&mut self) -> Option<S::Return> {
        match &mut self.0 {
            Step::Hit(landing) => restore::<S>(landing.take()),
            _ => None,
        }
    }

    /// Goes on; ready with what the method returns. `None`: its time was up.
    #[cold]
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        body: &mut dyn Body<S>,
    ) -> Poll<Option<S::Return>> {
        loop {
            self.0 = match &mut self.0 {
                // Only two handles that use one key for two types get what they
                // cannot return.
                Step::Hit(_) | Step::Bypasses => {
                    Outcome::Bypass.note();
                    Step::Direct
                }
                Step::Begins(..) => {
                    let Step::Begins(call, tagged) = self.take() else {
                        unreachable!("it was just looked at");
                    };
                    let value = const { &ValueType::of::<S>() };
                    Step::Looks(Box::pin(look(call, value, tagged)))
                }
                Step::Looks(looks) => match ready!(looks.as_mut().poll(context)) {
                    Ok(landing) => match restore::<S>(landing) {
                        Some(answer) => return self.ends(Some(answer)),
                        None => Step::Direct,
                    },
                    Err(Todo::Load(load)) => Step::Loads(load),
                    Err(Todo::Late) => return self.ends(None),
                },
                Step::Direct => {
                    let returned = ready!(body.poll(context));
                    return self.ends(Some(returned));
                }
                Step::Loads(load) => {
                    let mut returned = None;
                    ready!(load.poll(context, &mut |context| {
                        body.poll(context).map(|value| returned = Some(value))
                    }));
                    let Step::Loads(mut load) = self.take() else {
                        unreachable!("it was just looked at");
                    };
                    let old = load.old.take();
                    match end::<S>(load, returned, body) {
                        Ok((landing, kept)) => Step::Ends(Box::new(Ending { landing, kept, old })),
                        Err(returned) => {
                            return self.ends(returned.or_else(|| old.and_then(restore::<S>)));
                        }
                    }
                }
                Step::Ends(ending) => {
                    let landing = ready!(ending.landing.as_mut().poll(context));
                    let Step::Ends(ending) = self.take() else {
                        unreachable!("it was just looked at");
                    };
                    let Ending {
                        landing: over,
                        kept,
                        old,
                    } = *ending;
                    // It shares the value.
                    drop(over);
                    let returned = put_together::<S>(kept, landing);
                    return self.ends(returned.or_else(|| old.and_then(restore::<S>)));
                }
                Step::Over => unreachable!("a future that has ended is not polled"),
            };
        }
    }

    fn take(&mut self) -> Step<S> {
        std::mem::replace(&mut self.0, Step::Over)
    }

    fn ends(&mut self, returned: Option<S::Return>) -> Poll<Option<S::Return>> {
        self.0 = Step::Over;
        Poll::Ready(returned)
    }
}

/// Runs the body to its end and keeps what it returns. `None`: there is nothing
/// to return, since its time was up.
pub(super) async fn settle<S, F, U, G>(
    load: Box<Load>,
    body: Pin<&mut F>,
    unless: U,
    tags: G,
) -> Option<S::Return>
where
    S: CachedShape,
    F: Future<Output = S::Return>,
    U: FnOnce(&S::Stored) -> bool,
    G: FnOnce(&S::Stored, &mut Tags),
{
    let mut course = Course::<S>(Step::Loads(load));
    let mut given = Given::new(body, unless, tags);
    poll_fn(|context| course.poll(context, &mut given)).await
}

/// A body alone.
pub(super) struct Alone<'a, F>(pub(super) Pin<&'a mut F>);

impl<S, F> Body<S> for Alone<'_, F>
where
    S: CachedShape,
    F: Future<Output = S::Return>,
{
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<S::Return> {
        self.0.as_mut().poll(context)
    }
}

/// A body with all that an attribute can ask for.
pub(super) struct Given<'a, F, U, G> {
    body: Pin<&'a mut F>,
    unless: Option<U>,
    tags: Option<G>,
}

impl<'a, F, U, G> Given<'a, F, U, G> {
    pub(super) fn new(body: Pin<&'a mut F>, unless: U, tags: G) -> Self {
        Self {
            body,
            unless: Some(unless),
            tags: Some(tags),
        }
    }
}

impl<S, F, U, G> Body<S> for Given<'_, F, U, G>
where
    S: CachedShape,
    F: Future<Output = S::Return>,
    U: FnOnce(&S::Stored) -> bool,
    G: FnOnce(&S::Stored, &mut Tags),
{
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<S::Return> {
        self.body.as_mut().poll(context)
    }

    fn unless(&mut self, value: &S::Stored) -> bool {
        self.unless.take().is_some_and(|unless| unless(value))
    }

    fn tags(&mut self, value: &S::Stored, tags: &mut Tags) {
        if let Some(add) = self.tags.take() {
            add(value, tags);
        }
    }
}

/// What is left to do, and the value if there is one that is returned.
type Rest<S> = (
    BoxFuture<'static, Option<Landing>>,
    Option<Arc<<S as super::shape::Shape>::Kept>>,
);

/// What there is to do when the body has returned; nothing, if its time was up.
/// `Err`: nothing but to return this. Nothing is awaited while there is an
/// error.
fn end<S: CachedShape>(
    mut load: Box<Load>,
    returned: Option<S::Return>,
    body: &mut dyn Body<S>,
) -> Result<Rest<S>, Option<S::Return>> {
    // It is of a form of the type, as a value is.
    let absent = End::Absent(codec::schema::<S::Stored>);
    let failed = match returned.map(S::divide) {
        Some(Divided::Value(kept)) => {
            let end = match codec::hidden(S::value(&kept)) {
                // A shape that has a nothing of its own would restore that one.
                Hidden::None if S::absent().is_none() => absent,
                Hidden::Err => {
                    load.failed();
                    return Err(Some(S::rejoin(kept)));
                }
                _ => End::Value(yields::<S>(load.call(), S::value(&kept), body)),
            };
            let kept = Arc::new(kept);
            let shared = Arc::clone(&kept);
            let share = move || Some(S::share(&shared) as Shared);
            return Ok((load.finish(end, Box::new(share)), Some(kept)));
        }
        Some(Divided::Absent) => return Ok((rest(load, absent), None)),
        Some(Divided::Failed(failed)) => Some(failed),
        None => None,
    };
    if !load.is_refresh() && load.has_fallback() {
        return Ok((rest(load, End::FallBack), None));
    }
    // The caller of a refresh has something better than an error.
    let failed = failed.filter(|_| !load.is_refresh());
    load.failed();
    Err(failed)
}

/// Without a value of its own.
fn rest(load: Box<Load>, end: End) -> BoxFuture<'static, Option<Landing>> {
    load.finish(end, Box::new(|| None))
}

fn put_together<S: CachedShape>(
    kept: Option<Arc<S::Kept>>,
    landing: Option<Landing>,
) -> Option<S::Return> {
    match (kept.and_then(Arc::into_inner), landing) {
        (Some(kept), _) => Some(S::rejoin(kept)),
        (None, Some(landing)) => restore::<S>(landing),
        (None, None) => S::absent(),
    }
}

/// What a value is kept as, and under which tags.
fn yields<S: CachedShape>(call: &Cached, value: &S::Stored, body: &mut dyn Body<S>) -> Yield {
    let mut named = Tags::default();
    body.tags(value, &mut named);
    Yield {
        tags: named.finish(&call.tags),
        encoded: (!body.unless(value)).then(|| call.encode(value)),
    }
}
