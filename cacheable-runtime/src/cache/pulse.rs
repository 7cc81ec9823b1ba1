//! Signs of life while a body runs.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;

use tokio::runtime::Handle;

use super::cached::Cached;
use super::flight::{Leader, Lease};

/// Says that a body is being run: to those who wait in this process, and to
/// the store by renewing what the load holds there.
pub(crate) struct Pulse {
    held: Option<Held>,
    /// Whether a renewal found it gone; there once one was sent.
    lost: Option<Arc<AtomicBool>>,
    timer: Option<Pin<Box<tokio::time::Sleep>>>,
}

/// What a load holds in the store.
#[derive(Clone)]
pub(crate) enum Held {
    Lease(Lease),
    Claim(Lease),
}

impl Pulse {
    /// `held`: if it ends by itself and has to be renewed.
    pub(crate) fn new(held: Option<Held>) -> Self {
        Self {
            held,
            lost: None,
            timer: None,
        }
    }

    /// To be called when the body is pending. The body is never held up: a
    /// renewal runs beside it.
    pub(crate) fn poll(
        &mut self,
        call: &Cached,
        leader: Option<&Leader>,
        context: &mut Context<'_>,
    ) {
        if leader.is_none() && self.held.is_none() || Handle::try_current().is_err() {
            return;
        }
        // Two renewals may fail before the lease ends.
        let interval = call.engine.settings().lease / 3;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(interval)));
        if timer.as_mut().poll(context).is_pending() {
            return;
        }
        if let Some(leader) = leader {
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
        self.renew(call);
    }

    fn renew(&mut self, call: &Cached) {
        let Some(held) = self.held.clone() else {
            return;
        };
        let lost = self.lost.get_or_insert_default();
        if lost.load(Ordering::Relaxed) {
            return;
        }
        let (engine, lost) = (call.engine.clone(), Arc::clone(lost));
        let key = Arc::clone(&call.key);
        tokio::spawn(async move {
            let (remote, life) = (engine.remote(), engine.settings().lease);
            let renewed = match held {
                Held::Lease(lease) => remote.renew(&key, &lease, life).await,
                Held::Claim(claim) => remote.renew_claim(&key, &claim, life).await,
            };
            match renewed {
                Ok(renewed) => lost.store(!renewed, Ordering::Relaxed),
                Err(error) => tracing::debug!(%error, "a lease was not renewed"),
            }
        });
    }
}
