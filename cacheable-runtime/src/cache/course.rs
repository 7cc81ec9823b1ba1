//! What a call goes through, step by step, with its body beside it.
//!
//! The future of a method is compiled for that method, and what touches a value for
//! each type. So there is as little of both as can be: a [`Course`] is compiled once,
//! and is lent the body and what knows of its value ([`Answer`]) for each poll.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::answer::{Answer, Body, Came, Given, Lent};
use super::cached::Cached;
use super::call::{Look, Todo, look};
use super::flight::Landing;
use super::load::{End, Load};
use super::settle::restore;
use super::shape::CachedShape;
use super::tags::Tags;
use crate::local::Shared;
use crate::observe::Outcome;
use crate::sync::BoxFuture;

pub(super) struct Course(Step);

/// Small, since a hit moves it about: what is large is behind a pointer.
enum Step {
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
    Ends(Box<Ending>),
    Over,
}

/// The body is over, and something is left to do.
struct Ending {
    /// What the caller gets instead of its own value, if it has none.
    landing: BoxFuture<'static, Option<Landing>>,
    /// The caller's own value: see [`Answer::keep`].
    kept: Option<Shared>,
    old: Option<Landing>,
}

impl Course {
    #[inline]
    pub(super) fn hit(landing: Landing) -> Self {
        Self(Step::Hit(landing))
    }

    #[inline]
    pub(super) fn direct() -> Self {
        Self(Step::Bypasses)
    }

    #[inline]
    pub(super) fn begins(call: Box<Cached>, tagged: bool) -> Self {
        Self(Step::Begins(call, tagged))
    }

    /// The answer of level 1, if it has one. To be asked for before the rest is
    /// gone through.
    #[inline]
    pub(super) fn answer<S: CachedShape>(&mut self) -> Option<S::Return> {
        match &mut self.0 {
            Step::Hit(landing) => restore::<S>(landing.take()),
            _ => None,
        }
    }

    /// Goes on; ready with what the method returns. `None`: its time was up.
    #[cold]
    pub(super) fn poll<S: CachedShape>(
        &mut self,
        context: &mut Context<'_>,
        body: &mut dyn Body<S>,
    ) -> Poll<Option<S::Return>> {
        let mut lent = Lent::new(body);
        ready!(self.go_on(context, &mut lent));
        Poll::Ready(lent.returned)
    }

    /// Ready once `answer` has what is returned, or there is nothing to return.
    fn go_on(&mut self, context: &mut Context<'_>, answer: &mut dyn Answer) -> Poll<()> {
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
                    Step::Looks(Box::pin(look(call, answer.value_type(), tagged)))
                }
                Step::Looks(looks) => match ready!(looks.as_mut().poll(context)) {
                    Ok(landing) => {
                        if answer.restore(landing) {
                            return self.ends();
                        }
                        Step::Direct
                    }
                    Err(Todo::Load(load)) => Step::Loads(load),
                    Err(Todo::Late) => return self.ends(),
                },
                Step::Direct => {
                    ready!(answer.poll(context));
                    return self.ends();
                }
                Step::Loads(load) => {
                    ready!(load.poll(context, &mut |context| answer.poll(context)));
                    let Step::Loads(mut load) = self.take() else {
                        unreachable!("it was just looked at");
                    };
                    let old = load.old.take();
                    match end(load, answer) {
                        Some(landing) => Step::Ends(Box::new(Ending {
                            landing,
                            kept: answer.keep(),
                            old,
                        })),
                        None => return self.ends_with(answer, old),
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
                    answer.put_together(kept, landing);
                    return self.ends_with(answer, old);
                }
                Step::Over => unreachable!("a future that has ended is not polled"),
            };
        }
    }

    fn take(&mut self) -> Step {
        std::mem::replace(&mut self.0, Step::Over)
    }

    fn ends(&mut self) -> Poll<()> {
        self.0 = Step::Over;
        Poll::Ready(())
    }

    /// With an old value for want of another.
    fn ends_with(&mut self, answer: &mut dyn Answer, old: Option<Landing>) -> Poll<()> {
        if let Some(old) = old
            && !answer.is_there()
        {
            answer.restore(old);
        }
        self.ends()
    }
}

/// What there is to do when the body has returned, or its time was up; nothing,
/// if all is done. Nothing is awaited while there is an error.
fn end(
    mut load: Box<Load>,
    answer: &mut dyn Answer,
) -> Option<BoxFuture<'static, Option<Landing>>> {
    // It is of a form of the type, as a value is.
    let absent = End::Absent(answer.value_type().schema);
    let failed = match answer.divide() {
        Came::Value => {
            let end = End::Value(answer.yields(load.call()));
            return Some(load.finish(end, answer.share()));
        }
        Came::Absent => return Some(load.finish(absent, Box::new(|| None))),
        Came::Failed => true,
        Came::Nothing => false,
        // A value that turned out to be an error is returned in any case.
        Came::HiddenError => {
            load.failed();
            return None;
        }
    };
    let refreshes = load.is_refresh();
    let falls_back = !refreshes && load.has_fallback();
    // The caller of a refresh has something better than an error.
    if failed && (refreshes || falls_back) {
        answer.forget();
    }
    if falls_back {
        return Some(load.finish(End::FallBack, Box::new(|| None)));
    }
    load.failed();
    None
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
    let mut course = Course(Step::Loads(load));
    let mut given = Given::new(body, unless, tags);
    poll_fn(|context| course.poll::<S>(context, &mut given)).await
}
