//! From what a body returns to what is kept and answered.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;

use super::Engine;
use super::cached::Cached;
use super::flight::Landing;
use super::load::{End, Load, Yield};
use super::refresh::handed_over;
use super::shape::{CachedShape, Divided};
use super::tags::Tags;
use crate::codec::{self, Hidden};
use crate::local::Shared;
use crate::sync::{BoxFuture, start};

/// Runs the body to its end and keeps what it returns. `None`: there is
/// nothing to return, since its time was up; or it failed, and the caller of a
/// refresh has something better.
///
/// This is compiled for each annotated method, so it is little: what does not
/// depend on the body is in [`take_apart`], and what does not depend on the
/// value in [`Load::finish`].
pub(super) async fn settle<S, F, U, G>(
    mut load: Box<Load>,
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
    let returned = load.drive(body).await;
    let (load, end, kept) = match take_apart::<S>(load, returned) {
        Ok(Apart::Value(load, kept)) => {
            let yields = yields(load.call(), S::value(&kept), unless, tags);
            (load, End::Value(yields), Some(kept))
        }
        Ok(Apart::Rest(load, end, kept)) => (load, end, kept),
        Err(over) => return over,
    };
    let landing = {
        let share = || kept.as_ref().map(|kept| S::share(kept) as Shared);
        Box::pin(load.finish(end, &share)).await
    };
    put_together::<S>(kept, landing)
}

/// What a body brought, when there is something left to do.
enum Apart<K> {
    /// A value that may be kept.
    Value(Box<Load>, K),
    /// With what is returned all the same, if anything is.
    Rest(Box<Load>, End, Option<K>),
}

/// `Err`: nothing is left to do but to return this. Nothing is awaited while
/// there is an error.
fn take_apart<S: CachedShape>(
    mut load: Box<Load>,
    returned: Option<S::Return>,
) -> Result<Apart<S::Kept>, Option<S::Return>> {
    let failed = match returned.map(S::divide) {
        Some(Divided::Value(kept)) => {
            return Ok(match codec::hidden(S::value(&kept)) {
                // A shape that has a nothing of its own would restore that one.
                Hidden::None if S::absent().is_none() => Apart::Rest(load, End::Absent, Some(kept)),
                Hidden::Err => {
                    load.failed();
                    return Err(Some(S::rejoin(kept)));
                }
                _ => Apart::Value(load, kept),
            });
        }
        Some(Divided::Absent) => return Ok(Apart::Rest(load, End::Absent, None)),
        Some(Divided::Failed(failed)) => Some(failed),
        None => None,
    };
    if !load.is_refresh() && load.has_fallback() {
        return Ok(Apart::Rest(load, End::FallBack, None));
    }
    // The caller of a refresh has something better than an error.
    let failed = failed.filter(|_| !load.is_refresh());
    load.failed();
    Err(failed)
}

fn put_together<S: CachedShape>(
    kept: Option<S::Kept>,
    landing: Option<Landing>,
) -> Option<S::Return> {
    match (kept, landing) {
        (Some(kept), _) => Some(S::rejoin(kept)),
        (None, Some(landing)) => restore::<S>(landing),
        (None, None) => S::absent(),
    }
}

/// What a value is kept as, and under which tags.
fn yields<T>(
    call: &Cached,
    value: &T,
    unless: impl FnOnce(&T) -> bool,
    tags: impl FnOnce(&T, &mut Tags),
) -> Yield
where
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let mut named = Tags::default();
    tags(value, &mut named);
    Yield {
        tags: named.finish(&call.tags),
        encoded: (!unless(value)).then(|| call.encode(value)),
    }
}

/// What the method returns for what the cache has. `None`: it is not of the
/// method's type.
#[inline]
pub(super) fn restore<S: CachedShape>(landing: Landing) -> Option<S::Return> {
    match landing {
        Some(value) => Some(S::restore(value.downcast().ok()?)),
        None => S::absent().or_else(|| Some(S::restore(Arc::new(codec::none()?)))),
    }
}

/// Refreshes in the background, by one more call of the method.
pub(super) fn refresh_behind(load: Box<Load>, again: BoxFuture<'static, ()>) {
    let engine = load.call().engine.clone();
    behind(&engine, handed_over(load, again));
}

/// Runs a refresh behind its caller, who is neither held up by what it does
/// before its first wait, nor met by its panic.
pub(super) fn behind(engine: &Engine, refresh: impl Future<Output = ()> + Send + 'static) {
    // The embedded store may have been built before there was a runtime.
    let here = || Handle::try_current().ok();
    match engine.runtime().cloned().or_else(here) {
        Some(runtime) => drop(runtime.spawn(refresh)),
        None => start(None, refresh),
    }
}
