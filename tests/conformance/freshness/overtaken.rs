//! What makes the old value old for good ends the refresh of it, too: nobody
//! who comes after gets the old value, nor what the refresh brings.

use std::time::Duration;

use cacheable_tests::eventually;

use super::{LASTING, Service, Way, replace};
use crate::on_every_store;
use crate::stores::{LONG, PATIENCE, Store};

on_every_store![
    by_the_removal_of_the_entry,
    by_the_removal_of_its_prefix,
    by_a_pattern,
    by_a_tag_of_its_arguments,
    by_the_tag_of_the_old_value,
    by_the_tag_of_the_new_value,
    by_a_set,
    by_a_put,
    by_a_removal_and_the_next_load,
    by_another_process_that_removes_the_entry,
    by_another_process_that_removes_its_prefix,
    by_another_process_that_removes_a_pattern,
    by_another_process_that_removes_its_tag,
];

const EVERY: [Way; 4] = [Way::Inline, Way::Shared, Way::Copied, Way::Behind];
const TAGGED: [Way; 3] = [Way::Inline, Way::Shared, Way::Copied];

const ENTRIES: [&str; 4] = [
    "cache:fresh:inline:7",
    "cache:fresh:shared:7",
    "cache:fresh:copied:7",
    "cache:fresh:behind:7",
];

/// Who does what overtakes the refresh.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    This,
    /// Another process.
    Other,
}

/// Holds the refresh of a value, lets `overtake` happen meanwhile, and asks
/// again before and after the refresh ends: the answer is `newest`, and `loads`
/// loads have begun.
async fn overtaken(
    store: &Store,
    way: Way,
    by: By,
    (newest, loads): (u64, u64),
    overtake: &impl AsyncFn(&Service),
) {
    // Entries of its own.
    let store = store.neighbour();
    let (runtime, time) = store.timed().await;
    let other = store.beside(&runtime).await;
    let s = Service::new(runtime, LASTING);
    assert_eq!(s.call(way).await, Ok(1));
    s.grow_old(&time).await;
    s.origin.write();
    let held = s.origin.hold();
    let refreshing = s.spawn(way);
    s.origin.begun(2).await;
    assert_eq!(s.origin.write(), 3);
    if by == By::Other {
        overtake(&s.over(other)).await;
        eventually("this process has heard of it", PATIENCE, async || {
            let call = tokio::time::timeout(Duration::from_millis(100), s.call(way));
            match call.await {
                Ok(answer) => answer != Ok(1),
                // It waits for the load that is under way.
                Err(_) => true,
            }
        })
        .await;
    } else {
        overtake(&s).await;
    }
    let label = format!("{way:?}").to_lowercase();
    let waits = s.counts(&label).waits;
    let after = s.spawn(way);
    eventually("the next call is under way", PATIENCE, async || {
        let waits = s.counts(&label).waits - waits;
        waits > 0 || s.origin.loads() > 2 || after.is_finished()
    })
    .await;
    held.release();
    assert_eq!(after.await.unwrap(), Ok(newest), "{way:?}");
    // It began before.
    assert!(matches!(refreshing.await.unwrap(), Ok(1 | 2)), "{way:?}");
    for _ in 0..3 {
        assert_eq!(s.call(way).await, Ok(newest), "{way:?}");
    }
    assert_eq!(s.origin.loads(), loads, "{way:?}");
}

const RELOADED: (u64, u64) = (3, 3);

async fn by_the_removal_of_the_entry(store: Store) {
    removed(&store, By::This).await;
}

async fn by_another_process_that_removes_the_entry(store: Store) {
    removed(&store, By::Other).await;
}

async fn removed(store: &Store, by: By) {
    for (way, entry) in EVERY.into_iter().zip(ENTRIES) {
        overtaken(store, way, by, RELOADED, &async |s: &Service| {
            assert!(s.runtime.cache().remove(entry).await.unwrap());
        })
        .await;
    }
}

async fn by_the_removal_of_its_prefix(store: Store) {
    prefix_removed(&store, By::This).await;
}

async fn by_another_process_that_removes_its_prefix(store: Store) {
    prefix_removed(&store, By::Other).await;
}

async fn prefix_removed(store: &Store, by: By) {
    for way in EVERY {
        overtaken(store, way, by, RELOADED, &async |s: &Service| {
            let clear = s.runtime.cache().clear("cache:fresh:*");
            clear.without_waiting().await.unwrap();
        })
        .await;
    }
}

async fn by_a_pattern(store: Store) {
    pattern_removed(&store, By::This).await;
}

async fn by_another_process_that_removes_a_pattern(store: Store) {
    pattern_removed(&store, By::Other).await;
}

async fn pattern_removed(store: &Store, by: By) {
    for way in EVERY {
        overtaken(store, way, by, RELOADED, &async |s: &Service| {
            let clear = s.runtime.cache().clear("cache:fre?h:*:[67]");
            assert_eq!(clear.await.unwrap(), 1);
        })
        .await;
    }
}

async fn by_a_tag_of_its_arguments(store: Store) {
    tag_removed(&store, By::This, "group:7").await;
}

async fn by_the_tag_of_the_old_value(store: Store) {
    tag_removed(&store, By::This, "version:1").await;
}

async fn by_another_process_that_removes_its_tag(store: Store) {
    tag_removed(&store, By::Other, "group:7").await;
    tag_removed(&store, By::Other, "version:1").await;
}

async fn tag_removed(store: &Store, by: By, tag: &str) {
    for way in TAGGED {
        overtaken(store, way, by, RELOADED, &async |s: &Service| {
            s.runtime.cache().invalidate_tag(tag).await.unwrap();
        })
        .await;
    }
}

/// Which nobody knows before the refresh ends: until then the old value is as
/// good as before, though it need not be given out.
async fn by_the_tag_of_the_new_value(store: Store) {
    for way in TAGGED {
        let store = store.neighbour();
        let (runtime, time) = store.timed().await;
        let s = Service::new(runtime, LASTING);
        assert_eq!(s.call(way).await, Ok(1));
        s.grow_old(&time).await;
        s.origin.write();
        let held = s.origin.hold();
        let refreshing = s.spawn(way);
        s.origin.begun(2).await;
        s.origin.write();
        s.runtime.cache().invalidate_tag("version:2").await.unwrap();
        let meanwhile = s.spawn(way);
        held.release();
        let meanwhile = meanwhile.await.unwrap();
        assert!(matches!(meanwhile, Ok(1 | 3)), "{way:?}: {meanwhile:?}");
        assert!(matches!(refreshing.await.unwrap(), Ok(1 | 2)), "{way:?}");
        eventually("the refresh has ended", PATIENCE, async || {
            let answer = s.call(way).await;
            assert_ne!(answer, Ok(2), "{way:?}");
            answer == Ok(3)
        })
        .await;
        assert_eq!(s.origin.loads(), 3, "{way:?}");
    }
}

async fn by_a_set(store: Store) {
    for (way, entry) in EVERY.into_iter().zip(ENTRIES) {
        overtaken(&store, way, By::This, (3, 2), &async |s: &Service| {
            s.runtime.cache().set(entry, &3_u64, LONG).await.unwrap();
        })
        .await;
    }
}

async fn by_a_put(store: Store) {
    for by in [By::This, By::Other] {
        overtaken(&store, Way::Behind, by, (4, 2), &async |s: &Service| {
            assert_eq!(replace(s.clone(), 7).await, Ok(4));
        })
        .await;
    }
}

/// The entry is another one then, whatever it holds.
async fn by_a_removal_and_the_next_load(store: Store) {
    for (way, entry) in EVERY.into_iter().zip(ENTRIES) {
        overtaken(&store, way, By::This, RELOADED, &async |s: &Service| {
            assert!(s.runtime.cache().remove(entry).await.unwrap());
            assert_eq!(s.call(way).await, Ok(3));
        })
        .await;
    }
}
