//! Refreshing a value that is still answered with.
//!
//! The value stays where it is. A claim beside it says that somebody is at it,
//! so that one caller in the fleet is, and the new value takes its place only
//! if it is still the very same: a removal in between makes the refresh one
//! that is not stored.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Engine;
use super::cached::Cached;
use super::flight::Lease;
use super::load::Load;
use crate::remote::Claimed;
use crate::sync::lock;

/// The right to refresh one value. Dropping it gives it up.
pub(crate) struct Claim {
    engine: Engine,
    key: Arc<str>,
    pub(super) token: Lease,
    /// Of the value that is refreshed.
    pub(super) serial: u64,
    over: bool,
}

impl Claim {
    /// Nobody may try again for `pause`, if it failed.
    pub(super) fn end(&mut self, pause: Option<Duration>) {
        if !std::mem::replace(&mut self.over, true) {
            let remote = self.engine.remote();
            remote.end_claim(&self.key, &self.token, pause);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.end(None);
    }
}

/// What has come of the wish to refresh.
pub(super) enum Bid {
    Won(Claim),
    /// Somebody else refreshes it, or it has failed lately, or nobody knows.
    Lost,
    /// The value is another one by now.
    Changed,
}

impl Cached {
    /// Bids for the refresh of the value with this serial.
    pub(super) async fn bid(&self, serial: u64) -> Bid {
        let claim = Claim {
            engine: self.engine.clone(),
            key: Arc::clone(&self.key),
            token: Engine::new_lease(),
            serial,
            over: false,
        };
        let life = self.engine.lease_life();
        let remote = self.engine.remote();
        let bid = remote.claim(&self.key, serial, &claim.token, life);
        let (bid, unplaced) = match self.spend(bid).await {
            Ok(Claimed::Yes) => return Bid::Won(claim),
            Ok(Claimed::Taken) => (Bid::Lost, true),
            Ok(Claimed::Changed) => (Bid::Changed, true),
            Err(error) => {
                self.remote_failed("claim", &error);
                (Bid::Lost, false)
            }
        };
        let mut claim = claim;
        claim.over = unplaced;
        bid
    }
}

tokio::task_local! {
    /// A refresh that runs in the background as one more call of its method.
    static HANDED_OVER: Arc<Handover>;
}

/// The load that the call is to go on with.
pub(super) struct Handover {
    key: Arc<str>,
    load: Mutex<Option<Box<Load>>>,
}

/// Runs `again`, a call of the method that `load` is of, so that it goes on
/// with that load.
pub(super) async fn handed_over(load: Box<Load>, again: impl Future<Output = ()>) {
    let handover = Handover {
        key: Arc::clone(&load.call().key),
        load: Mutex::new(Some(load)),
    };
    HANDED_OVER.scope(Arc::new(handover), again).await;
}

/// The load that was handed over to this call.
pub(super) fn take_over(key: &str) -> Option<Box<Load>> {
    let load = HANDED_OVER.try_with(|handover| {
        let mine = *handover.key == *key;
        mine.then(|| lock(&handover.load).take()).flatten()
    });
    load.ok().flatten()
}
