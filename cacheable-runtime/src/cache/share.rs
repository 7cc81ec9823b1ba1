//! From a value that was loaded to those who wait for it, where it is not kept.

use std::pin::pin;

use super::flight::{Landing, Leader};
use super::load::Load;
use crate::error::{Error, ErrorKind};
use crate::local::Local;

/// What those who wait for a load are handed, made when somebody does: an owned
/// value has to be copied for that.
///
/// A pointer, so that all that comes after a body is compiled once, and not for
/// each annotated method.
pub(super) type Share<'a> = &'a (dyn Fn() -> Landing + Sync);

/// The same, kept until the load is over.
pub(super) type Sharing = Box<dyn Fn() -> Landing + Send + Sync>;

impl Load {
    /// Ends the flight, and hands what it brought to those who wait.
    ///
    /// A lease that is still held has seen no fill, or nobody knows, so the
    /// store is asked whether an invalidation has taken it: then those who wait
    /// start again. Without a lease, since the store is away, they share what
    /// is there unless this process has removed it meanwhile.
    pub(crate) async fn share(mut self: Box<Self>, share: Share<'_>) {
        let Some(mut leader) = self.leader.take() else {
            return;
        };
        // Nobody joins from here on, so nobody comes after an invalidation
        // that is not seen below.
        leader.close();
        if let Err(leader) = leader.land_alone() {
            Box::pin(self.share_with(leader, share())).await;
        }
    }

    /// With those who wait.
    async fn share_with(&self, mut leader: Leader, landing: Landing) {
        if let Some(lease) = &leader.lease {
            let remote = self.call.engine.remote();
            match self.call.spend(remote.release(&self.call.key, lease)).await {
                Ok(true) => leader.lease = None,
                Ok(false) => {
                    leader.lease = None;
                    return leader.disperse();
                }
                Err(error) => {
                    self.call.remote_failed("release", &error);
                    if !self.still_holds(lease, &error).await {
                        return leader.disperse();
                    }
                }
            }
        }
        // Whoever has joined after a change was told, or made here, must not
        // get what was before it.
        if !self.call.engine.local().stands(&self.ticket) || self.was_removed_by_tag().await {
            return leader.disperse();
        }
        leader.land(landing);
    }

    /// Whether the lease is there, of a store that answers and does not write.
    async fn still_holds(&self, lease: &[u8], error: &Error) -> bool {
        if error.kind() != ErrorKind::Server {
            return false;
        }
        let call = &self.call;
        let read = call.spend(call.engine.remote().get(&call.key, &[])).await;
        matches!(read, Ok((Some(present), _)) if *present == *lease)
    }

    /// Whether a tag of the entry has been removed since the body began, here
    /// or elsewhere. Without the store only this process's removals are known.
    async fn was_removed_by_tag(&self) -> bool {
        let call = &self.call;
        let local = call.engine.local();
        let here = || local.markers.own_removals() != self.removals;
        if Local::is_degraded(&self.ticket) {
            return here();
        }
        let markers = call.markers(&call.tags);
        match call.spend(pin!(call.engine.learn(&markers))).await {
            Ok(()) => !markers.iter().all(|marker| marker.permits(self.stamp)),
            Err(error) => {
                call.remote_failed("read", &error);
                here()
            }
        }
    }
}
