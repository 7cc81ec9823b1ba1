//! From what the cache has to what is answered, and refreshes behind it.

use std::future::Future;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::Engine;
use super::flight::Landing;
use super::load::Load;
use super::refresh::handed_over;
use super::shape::CachedShape;
use crate::codec;
use crate::sync::{BoxFuture, start};

/// What the method returns for what the cache has. `None`: it is not of the
/// method's type.
#[inline]
pub(super) fn restore<S: CachedShape>(landing: Landing) -> Option<S::Return> {
    match landing {
        Some(value) => Some(S::restore(value.downcast().ok()?)),
        None => restore_absence::<S>(),
    }
}

/// By itself, so that the rest is small enough to become a part of a hit.
#[cold]
fn restore_absence<S: CachedShape>() -> Option<S::Return> {
    S::absent().or_else(|| Some(S::restore(Arc::new(codec::none()?))))
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
