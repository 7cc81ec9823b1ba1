//! What is compiled of a call for each type that methods return, and for each
//! body: all that knows of the type.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::cached::Cached;
use super::call::ValueType;
use super::flight::Landing;
use super::load::Yield;
use super::settle::restore;
use super::shape::{CachedShape, Divided};
use super::share::Sharing;
use super::tags::Tags;
use crate::codec::{Encodable, Hidden, hidden};
use crate::local::Shared;

/// What a body has come to.
pub(super) enum Came {
    Value,
    Absent,
    /// An error, which would be returned.
    Failed,
    /// A value that turns out to be an error, as it does in generic code. It will
    /// be returned.
    HiddenError,
    /// Its time was up.
    Nothing,
}

/// What a call answers, and the body that it may come from: what is compiled for
/// each type that methods return.
pub(super) trait Answer {
    fn value_type(&self) -> &'static ValueType;

    /// Ready when the body has returned.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()>;

    /// Takes apart what the body has returned. What may be held across an await is
    /// then in `keep`; only an error is still here.
    fn divide(&mut self) -> Came;

    /// Under which tags the value is kept, and as what.
    fn yields(&mut self, call: &Cached) -> Yield;

    /// Shares the value with others.
    fn share(&self) -> Sharing;

    /// The value, to be held while something is awaited.
    fn keep(&mut self) -> Option<Shared>;

    /// Makes an answer of what was held, or of what is there instead.
    fn put_together(&mut self, kept: Option<Shared>, landing: Option<Landing>);

    /// Makes an answer of what the cache has. `false`: it is not of the type.
    fn restore(&mut self, landing: Landing) -> bool;

    fn is_there(&self) -> bool;

    /// Drops the answer.
    fn forget(&mut self);
}

/// A body, for one poll.
pub(super) struct Lent<'a, S: CachedShape> {
    body: &'a mut dyn Body<S>,
    kept: Option<Arc<S::Kept>>,
    pub(super) returned: Option<S::Return>,
}

impl<'a, S: CachedShape> Lent<'a, S> {
    pub(super) fn new(body: &'a mut dyn Body<S>) -> Self {
        Self {
            body,
            kept: None,
            returned: None,
        }
    }

    fn kept(&self) -> &Arc<S::Kept> {
        self.kept.as_ref().expect("the body has returned a value")
    }
}

impl<S: CachedShape> Answer for Lent<'_, S> {
    fn value_type(&self) -> &'static ValueType {
        const { &ValueType::of::<S>() }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.returned = Some(ready!(self.body.poll(context)));
        Poll::Ready(())
    }

    fn divide(&mut self) -> Came {
        match self.returned.take().map(S::divide) {
            Some(Divided::Value(kept)) => {
                let turned_out = hidden(S::value(&kept));
                if turned_out == Hidden::Err {
                    self.returned = Some(S::rejoin(kept));
                    return Came::HiddenError;
                }
                self.kept = Some(Arc::new(kept));
                // A shape that has a nothing of its own would restore that one.
                if turned_out == Hidden::None && S::absent().is_none() {
                    Came::Absent
                } else {
                    Came::Value
                }
            }
            Some(Divided::Absent) => Came::Absent,
            Some(Divided::Failed(failed)) => {
                self.returned = Some(failed);
                Came::Failed
            }
            None => Came::Nothing,
        }
    }

    fn yields(&mut self, call: &Cached) -> Yield {
        let kept = self.kept.as_ref().expect("the body has returned a value");
        let value = S::value(kept);
        let mut named = Tags::default();
        self.body.tags(value, &mut named);
        let keeps = !self.body.unless(value);
        call.yields(
            named,
            self.value_type(),
            keeps.then_some(value as &dyn Encodable),
        )
    }

    fn share(&self) -> Sharing {
        let kept = Arc::clone(self.kept());
        Box::new(move || Some(S::share(&kept) as Shared))
    }

    fn keep(&mut self) -> Option<Shared> {
        Some(self.kept.take()? as Shared)
    }

    fn put_together(&mut self, kept: Option<Shared>, landing: Option<Landing>) {
        let kept = kept.and_then(|kept| kept.downcast::<S::Kept>().ok());
        let kept = kept.and_then(|kept| Arc::try_unwrap(kept).ok());
        self.returned = match (kept, landing) {
            (Some(kept), _) => Some(S::rejoin(kept)),
            (None, Some(landing)) => restore::<S>(landing),
            (None, None) => S::absent(),
        };
    }

    fn restore(&mut self, landing: Landing) -> bool {
        self.returned = restore::<S>(landing);
        self.is_there()
    }

    fn is_there(&self) -> bool {
        self.returned.is_some()
    }

    fn forget(&mut self) {
        self.returned = None;
    }
}

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
