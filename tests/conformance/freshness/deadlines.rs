//! `load_timeout`: a body that hangs is dropped, and holds nobody up.

use std::sync::Arc;
use std::time::Duration;

use cacheable_runtime::{Runtime, cacheable};
use cacheable_tests::eventually;

use super::origin::Origin;
use super::{LASTING, Life, Service, Way};
use crate::on_every_store;
use crate::source::Broken;
use crate::stores::{PATIENCE, Store};

on_every_store![
    a_body_that_hangs_is_dropped_and_its_caller_has_the_error,
    an_option_is_nothing_then_and_is_not_kept,
    who_waits_for_it_is_freed_too,
    who_waits_for_another_load_is_freed_at_its_own_deadline,
    a_refresh_that_hangs_is_dropped_and_the_old_value_goes_on,
];

const TIMEOUT: Duration = Duration::from_millis(200);

const HASTY: Life = Life {
    timeout: TIMEOUT,
    ..LASTING
};

async fn a_body_that_hangs_is_dropped_and_its_caller_has_the_error(store: Store) {
    let s = Service::new(store.runtime().await, HASTY);
    let held = s.origin.hold();
    assert_eq!(s.inline(7).await, Err(Broken));
    s.origin.dropped(1).await;
    assert_eq!(s.inline(7).await, Ok(1), "a later caller loads");
    assert_eq!(s.origin.loads(), 2);
    let counts = s.counts("inline");
    assert_eq!((counts.load_timeouts, counts.load_errors), (1, 1));
    drop(held);
}

#[derive(Clone)]
pub(crate) struct Perhaps {
    runtime: Runtime,
    origin: Arc<Origin>,
}

impl Perhaps {
    #[cacheable(
        ttl = 600,
        none_ttl = 600,
        load_timeout = "200ms",
        key_prefix = "late",
        runtime = self.runtime
    )]
    pub(crate) async fn get(&self) -> Option<u64> {
        self.origin.load().await.ok()
    }

    #[cacheable(
        ttl = 600,
        load_timeout = "200ms",
        timeout_error = Broken,
        key_prefix = "late",
        runtime = self.runtime
    )]
    pub(crate) async fn tried(&self) -> Result<Option<u64>, Broken> {
        Ok(Some(self.origin.load().await?))
    }
}

async fn an_option_is_nothing_then_and_is_not_kept(store: Store) {
    let perhaps = Perhaps {
        runtime: store.runtime().await,
        origin: Arc::default(),
    };
    let held = perhaps.origin.hold();
    assert_eq!(perhaps.get().await, None);
    perhaps.origin.dropped(1).await;
    assert_eq!(perhaps.get().await, Some(1));
    let held_too = perhaps.origin.hold();
    assert_eq!(perhaps.tried().await, Err(Broken));
    perhaps.origin.dropped(2).await;
    assert_eq!(perhaps.tried().await, Ok(Some(1)));
    drop((held, held_too));
}

async fn who_waits_for_it_is_freed_too(store: Store) {
    let s = Service::new(store.runtime().await, HASTY);
    // Each takes the place of the one before it, for what it has left.
    let held: Vec<_> = (0..6).map(|_| s.origin.hold()).collect();
    let callers: Vec<_> = (0..6).map(|_| s.spawn(Way::Inline)).collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), Err(Broken));
    }
    let begun = s.origin.loads();
    s.origin.dropped(begun).await;
    assert_eq!(s.counts("inline").load_timeouts, 6);
    drop(held);
}

/// The other, which has more time, goes on.
async fn who_waits_for_another_load_is_freed_at_its_own_deadline(store: Store) {
    let runtime = store.runtime().await;
    let patient = Service::new(store.beside(&runtime).await, LASTING);
    let hasty = Service {
        runtime,
        life: HASTY,
        ..patient.clone()
    };
    let held = patient.origin.hold();
    let other = patient.spawn(Way::Inline);
    patient.origin.begun(1).await;
    assert_eq!(hasty.inline(7).await, Err(Broken));
    assert_eq!(patient.origin.loads(), 1);
    held.release();
    assert_eq!(other.await.unwrap(), Ok(1));
    assert_eq!(hasty.inline(7).await, Ok(1));
    assert_eq!(patient.origin.loads(), 1);
}

async fn a_refresh_that_hangs_is_dropped_and_the_old_value_goes_on(store: Store) {
    let (runtime, time) = store.timed().await;
    let s = Service::new(runtime, HASTY);
    assert_eq!(s.inline(7).await, Ok(1));
    assert_eq!(s.copied(7).await, Ok(1));
    s.grow_old(&time).await;
    let held = s.origin.hold();
    assert_eq!(s.inline(7).await, Ok(1), "when it was waited for in vain");
    s.origin.dropped(1).await;
    let held_too = s.origin.hold();
    assert_eq!(s.copied(7).await, Ok(1));
    s.origin.dropped(2).await;
    for method in ["inline", "copied"] {
        eventually(method, PATIENCE, async || {
            s.counts(method).load_timeouts == 1
        })
        .await;
    }
    assert_eq!(s.inline(7).await, Ok(1));
    assert_eq!(s.copied(7).await, Ok(1));
    assert_eq!(s.origin.loads(), 4);
    drop((held, held_too));
}
