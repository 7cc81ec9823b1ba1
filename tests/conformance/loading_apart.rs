//! Loads that overlap a removal or another runtime's work.

use crate::loading::{Held, call, waiting};
use crate::stores::{LONG, Subject};

async fn found(store: &Subject) -> Option<String> {
    store.cache.get("key:1").await.unwrap()
}

pub(crate) async fn is_not_kept_after_a_removal(store: Subject) {
    for remover in [store.runtime.cache(), store.sibling.cache()] {
        let held = Held::begin(&store.cache, "key:1").await;
        remover.remove("key:1").await.unwrap();
        held.finish("old").await;
        assert_eq!(found(&store).await, None);
        // Nor does what is left of it hold up the next load.
        assert_eq!(call(&store.cache, "key:1", "new").await.unwrap(), "new");
        assert_eq!(found(&store).await.as_deref(), Some("new"));
        assert!(remover.remove("key:1").await.unwrap());
    }
    assert_eq!(store.runtime.observe().method("cache").fills_rejected, 2);
}

pub(crate) async fn is_not_kept_after_a_clear(store: Subject) {
    for remover in [store.runtime.cache(), store.sibling.cache()] {
        let held = Held::begin(&store.cache, "key:1").await;
        remover.clear("key:*").await.unwrap();
        held.finish("old").await;
        assert_eq!(found(&store).await, None);
        // A pattern that does not cover it leaves it alone.
        let held = Held::begin(&store.cache, "key:1").await;
        assert_eq!(remover.clear("key:2*").await.unwrap(), 0);
        held.finish("new").await;
        assert_eq!(found(&store).await.as_deref(), Some("new"));
        assert_eq!(remover.clear("key:*").await.unwrap(), 1);
    }
}

pub(crate) async fn does_not_overwrite_a_later_set(store: Subject) {
    for setter in [store.runtime.cache(), store.sibling.cache()] {
        let held = Held::begin(&store.cache, "key:1").await;
        setter.set("key:1", "set", LONG).await.unwrap();
        held.finish("loaded").await;
        assert_eq!(found(&store).await.as_deref(), Some("set"));
        let held = Held::begin(&store.cache, "key:2").await;
        setter.set_many([("key:2", "set")], LONG).await.unwrap();
        held.finish("loaded").await;
        let other: Option<String> = store.cache.get("key:2").await.unwrap();
        assert_eq!(other.as_deref(), Some("set"));
        assert_eq!(setter.clear("key:*").await.unwrap(), 2);
    }
}

pub(crate) async fn is_not_shared_with_callers_after_a_removal(store: Subject) {
    let held = Held::begin(&store.cache, "key:1").await;
    let early = call(&store.cache, "key:1", "new");
    waiting(&store, 1).await;
    store.cache.remove("key:1").await.unwrap();
    // The old load still runs, and nobody waits for it any more.
    let late = call(&store.cache, "key:1", "new");
    assert_eq!(late.await.unwrap(), "new");
    assert_eq!(early.await.unwrap(), "new");
    held.finish("old").await;
    assert_eq!(found(&store).await.as_deref(), Some("new"));
}

pub(crate) async fn happens_once_between_two_runtimes(store: Subject) {
    let held = Held::begin(&store.cache, "key:1").await;
    let others: Vec<_> = (0..10)
        .map(|_| call(&store.sibling.cache(), "key:1", "own"))
        .collect();
    waiting_at(&store).await;
    held.finish("shared").await;
    for other in others {
        assert_eq!(other.await.unwrap(), "shared");
    }
}

/// Waits until the sibling's callers have reached its flight.
async fn waiting_at(store: &Subject) {
    use crate::stores::PATIENCE;
    cacheable_tests::eventually("the sibling's callers wait", PATIENCE, async || {
        store.sibling.observe().method("cache").waits >= 9
    })
    .await;
}
