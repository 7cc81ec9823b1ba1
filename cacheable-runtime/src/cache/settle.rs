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
use super::load::{Load, Yield};
use super::refresh::handed_over;
use super::shape::{CachedShape, Divided};
use super::tags::Tags;
use crate::codec::{self, Hidden};
use crate::local::Shared;
use crate::sync::{BoxFuture, start};

/// Runs the body to its end and keeps what it returns. `None`: there is
/// nothing to return, since its time was up; or it failed, and the caller of a
/// refresh has something better.
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
    let Some(returned) = load.drive(body).await else {
        if !load.is_refresh() && load.has_fallback() {
            return restore::<S>(Box::pin(load.fall_back()).await);
        }
        load.failed();
        return None;
    };
    let divided = match S::divide(returned) {
        Divided::Value(kept) => Some(kept),
        Divided::Absent => None,
        // Nothing is awaited while there is an error.
        Divided::Failed(failed) => {
            if load.is_refresh() {
                load.failed();
                return None;
            }
            if !load.has_fallback() {
                load.failed();
                return Some(failed);
            }
            drop(failed);
            load.fail();
            None
        }
    };
    let Some(kept) = divided else {
        if load.is_failed() {
            return restore::<S>(Box::pin(load.fall_back()).await);
        }
        Box::pin(load.absent()).await;
        return S::absent();
    };
    let value = S::value(&kept);
    let share = || S::share(&kept) as Shared;
    match codec::hidden(value) {
        // A shape that has a nothing of its own would restore that one.
        Hidden::None if S::absent().is_none() => Box::pin(load.absent()).await,
        Hidden::Err => load.failed(),
        _ => {
            let yields = yields(load.call(), value, unless, tags);
            Box::pin(load.store(yields, share)).await;
        }
    }
    Some(S::rejoin(kept))
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
