//! One holder at a time: who gets it, who may release it, and what it is called.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use cacheable_runtime::{ErrorKind, LockGuard, Release};
use cacheable_tests::store::{LONG, PATIENCE, Store};
use cacheable_tests::{RedisServer, eventually};

use super::{SECOND, is_held, keep, kept, key, on};

crate::on_every_store!(
    a_held_lock_is_not_given_to_anybody_else,
    after_a_release_another_one_gets_it_and_a_second_release_touches_nothing,
    who_is_not_the_owner_releases_nothing_and_learns_it,
    who_is_not_the_owner_extends_nothing,
    an_extension_never_shortens,
    releases_have_three_outcomes,
    fences_rise_in_the_order_of_acquisitions,
    names_are_apart_whatever_they_hold,
    lives_out_of_range_are_refused,
    a_dropped_guard_releases,
    two_namespaces_are_apart,
);

/// L2
async fn a_held_lock_is_not_given_to_anybody_else(store: Store) {
    let runtime = store.runtime().await;
    let (a, b) = (runtime.locks(), store.beside(&runtime).await.locks());
    let guard = a.try_acquire("name", LONG).await.unwrap().unwrap();
    let before = guard.remaining();
    assert!(b.try_acquire("name", SECOND).await.unwrap().is_none());
    assert!(a.try_acquire("name", SECOND).await.unwrap().is_none());
    assert!(guard.is_held() && guard.remaining() > before.saturating_sub(PATIENCE));
    assert_eq!(guard.name(), "name");
    assert!(b.try_acquire("other", SECOND).await.unwrap().is_some());
    assert_eq!(guard.release().await.unwrap(), Release::Released);
}

/// L3
async fn after_a_release_another_one_gets_it_and_a_second_release_touches_nothing(store: Store) {
    let runtime = store.runtime().await;
    let (a, b) = (runtime.locks(), store.beside(&runtime).await.locks());
    let first = a.try_acquire("name", LONG).await.unwrap().unwrap();
    assert_eq!(first.release().await.unwrap(), Release::Released);
    assert!(!first.is_held());
    let second = b.try_acquire("name", LONG).await.unwrap().unwrap();
    assert!(second.fence() > first.fence());
    assert_eq!(first.release().await.unwrap(), Release::NotOwner);
    drop(first);
    assert!(a.try_acquire("name", LONG).await.unwrap().is_none());
    assert!(second.is_held());
    assert_eq!(second.release().await.unwrap(), Release::Released);
    assert_eq!(second.release().await.unwrap(), Release::Expired);
}

/// L4
async fn who_is_not_the_owner_releases_nothing_and_learns_it(store: Store) {
    let (runtime, time) = store.timed().await;
    let locks = runtime.locks();
    let first = locks
        .try_acquire("name", SECOND / 5)
        .await
        .unwrap()
        .unwrap();
    time.pass(SECOND / 4).await;
    assert!(!first.is_held());
    let second = locks.try_acquire("name", LONG).await.unwrap().unwrap();
    assert_eq!(first.release().await.unwrap(), Release::NotOwner);
    drop(first);
    assert!(locks.try_acquire("name", LONG).await.unwrap().is_none());
    assert_eq!(second.release().await.unwrap(), Release::Released);
}

/// L5
async fn who_is_not_the_owner_extends_nothing(store: Store) {
    let (runtime, time) = store.timed().await;
    let locks = runtime.locks();
    let first = locks
        .try_acquire("name", SECOND / 5)
        .await
        .unwrap()
        .unwrap();
    time.pass(SECOND / 4).await;
    super::is_lost(first.extend(LONG).await, first.fence());
    let second = locks.try_acquire("name", SECOND / 2).await.unwrap();
    let second = second.expect("an extension after the end makes no lock");
    super::is_lost(first.extend(LONG).await, first.fence());
    time.pass(SECOND * 3 / 5).await;
    assert!(!second.is_held());
    // The owner's can be lengthened, and that of nobody else was.
    let third = locks.try_acquire("name", SECOND).await.unwrap().unwrap();
    third.extend(LONG).await.unwrap();
    time.pass(SECOND * 3 / 2).await;
    assert!(third.is_held() && third.remaining() > LONG / 2);
    assert!(locks.try_acquire("name", LONG).await.unwrap().is_none());
}

async fn an_extension_never_shortens(store: Store) {
    let (runtime, time) = store.timed().await;
    let locks = runtime.locks();
    let guard = locks.try_acquire("name", LONG).await.unwrap().unwrap();
    guard.extend(SECOND / 5).await.unwrap();
    time.pass(SECOND / 2).await;
    assert!(guard.is_held() && guard.remaining() > LONG / 2);
    assert!(locks.try_acquire("name", LONG).await.unwrap().is_none());
}

/// L32
async fn releases_have_three_outcomes(store: Store) {
    let (runtime, time) = store.timed().await;
    let locks = runtime.locks();
    let take = async |ttl| locks.try_acquire("name", ttl).await.unwrap().unwrap();
    let guard: LockGuard = take(LONG).await;
    assert_eq!(guard.release().await.unwrap(), Release::Released);
    let guard = take(SECOND / 5).await;
    time.pass(SECOND / 4).await;
    assert_eq!(guard.release().await.unwrap(), Release::Expired);
    let (guard, _other) = {
        let guard = take(SECOND / 5).await;
        time.pass(SECOND / 4).await;
        (guard, take(LONG).await)
    };
    assert_eq!(guard.release().await.unwrap(), Release::NotOwner);
}

/// L12
async fn fences_rise_in_the_order_of_acquisitions(store: Store) {
    let fences = Arc::new(Mutex::new(Vec::new()));
    let first = store.runtime().await;
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let (runtime, fences) = (store.beside(&first).await, Arc::clone(&fences));
        tasks.push(tokio::spawn(async move {
            for _ in 0..125 {
                let guard = runtime.locks().acquire("name", LONG, LONG).await.unwrap();
                fences.lock().unwrap().push(guard.fence());
                assert_eq!(guard.release().await.unwrap(), Release::Released);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let fences = fences.lock().unwrap();
    assert_eq!(fences.len(), 1000);
    assert!(fences.windows(2).all(|pair| pair[0] < pair[1]));
}

/// L28
async fn names_are_apart_whatever_they_hold(store: Store) {
    let locks = store.runtime().await.locks();
    let long = "x".repeat(10_000);
    let names = [
        "a",
        "b",
        "{a}",
        "{b}",
        "a}b",
        "}{",
        "{",
        "}",
        "a\0b",
        "a\0c",
        " ",
        "  ",
        "a b",
        "a:f",
        "{a}:f",
        "lock:{a}",
        "#a",
        "*",
        "ä",
        &long,
        &long[1..],
    ];
    let mut guards = Vec::new();
    for name in names {
        let guard = locks.try_acquire(name, LONG).await.unwrap();
        let guard = guard.unwrap_or_else(|| panic!("{name:?} is another name's lock, too"));
        assert!(locks.try_acquire(name, LONG).await.unwrap().is_none());
        guards.push(guard);
    }
    for guard in guards {
        assert_eq!(guard.release().await.unwrap(), Release::Released);
    }
    for refused in [
        locks.try_acquire("", SECOND).await.unwrap_err(),
        locks.acquire("", SECOND, SECOND).await.unwrap_err(),
        locks.with_lock("", SECOND, async |_| ()).await.unwrap_err(),
    ] {
        assert_eq!(refused.kind(), ErrorKind::Argument);
    }
}

/// L8
async fn lives_out_of_range_are_refused(store: Store) {
    let locks = store.runtime().await.locks();
    for ttl in [
        super::millis(0),
        super::millis(9),
        std::time::Duration::from_micros(9_999),
        SECOND * 400 * 24 * 3600,
        std::time::Duration::MAX,
    ] {
        let refused = locks.try_acquire("name", ttl).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Argument, "{ttl:?}");
        assert!(refused.to_string().contains("10 ms"), "{refused}");
        let capped = locks.lock("name").max_hold(ttl).try_acquire().await;
        assert_eq!(capped.unwrap_err().kind(), ErrorKind::Argument, "{ttl:?}");
    }
    let guard = locks.try_acquire("name", LONG).await.unwrap().unwrap();
    let refused = guard.extend(super::millis(1)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Argument);
    assert!(guard.is_held());
    // The longest wait is a long one, not an overflow.
    drop(guard);
    let most = std::time::Duration::MAX;
    drop(locks.acquire("name", SECOND, most).await.unwrap());
}

async fn a_dropped_guard_releases(store: Store) {
    let locks = store.runtime().await.locks();
    drop(locks.try_acquire("name", LONG).await.unwrap());
    eventually("it is free again", PATIENCE, async || {
        locks.try_acquire("name", LONG).await.unwrap().is_some()
    })
    .await;
}

async fn two_namespaces_are_apart(store: Store) {
    let (one, other) = (store.runtime().await, store.neighbour().runtime().await);
    let held = one.locks().try_acquire("name", LONG).await.unwrap();
    assert!(held.is_some());
    let held = other.locks().try_acquire("name", LONG).await.unwrap();
    assert!(held.is_some());
}

/// L1
#[tokio::test]
async fn the_key_has_its_life_and_a_value_that_nobody_guesses() {
    let server = RedisServer::shared();
    let namespace = server.namespace();
    let locks = on(&server.url(), &namespace).await.locks();
    let key = key(&namespace, "name");
    let mut values = BTreeSet::new();
    for _ in 0..32 {
        let guard = locks.try_acquire("name", SECOND).await.unwrap().unwrap();
        assert!(guard.remaining() <= SECOND && guard.is_held());
        let (owner, until, fence) = kept(server, &key).unwrap();
        let (seconds, micros): (u64, u64) = server.command(&["TIME"]);
        let left = until.saturating_sub(seconds * 1_000_000 + micros);
        assert!((1..=1_000_000).contains(&left), "{left}");
        // Sixteen bytes, which are shown to nobody.
        let shown = format!("{guard:?}");
        assert!(!shown.contains(&format!("{owner:?}")), "{shown}");
        values.insert(owner);
        assert_eq!(fence, guard.fence());
        // The key has an end, too: the last fence outlives the lock.
        let left: i64 = server.command(&["PTTL", &key]);
        assert!((3_600_000..=3_602_000).contains(&left), "{left}");
        assert_eq!(guard.release().await.unwrap(), Release::Released);
        assert!(!is_held(server, &key));
    }
    assert_eq!(values.len(), 32);
}

/// L13: a counter that is lost does not take fences back.
#[tokio::test]
async fn a_lost_counter_takes_no_fence_back() {
    let server = RedisServer::shared();
    let namespace = server.namespace();
    let locks = on(&server.url(), &namespace).await.locks();
    let mut last = 0;
    for round in 0..20 {
        let guard = locks.try_acquire("name", LONG).await.unwrap().unwrap();
        assert!(guard.fence() > last, "round {round}");
        last = guard.fence();
        assert_eq!(guard.release().await.unwrap(), Release::Released);
        if round % 2 == 0 {
            server.command::<u8>(&["DEL", &key(&namespace, "name")]);
        } else {
            keep(server, &key(&namespace, "name"), 0);
        }
    }
    // While it is there, a clock that has stepped back by an hour takes none
    // back either.
    last += 3_600_000_000;
    keep(server, &key(&namespace, "name"), last);
    for ahead in 1..4 {
        let guard = locks.try_acquire("name", LONG).await.unwrap().unwrap();
        assert_eq!(guard.fence(), last + ahead);
        assert_eq!(guard.release().await.unwrap(), Release::Released);
    }
}

/// L26, X6
#[tokio::test]
async fn a_forgotten_script_is_given_again_and_there_are_three_of_them() {
    let server = RedisServer::start();
    let locks = on(&server.url(), "forgets").await.locks();
    let scripts = || -> String {
        let info: String = server.command(&["INFO", "memory"]);
        let mut lines = info.lines();
        let line = lines.find(|line| line.starts_with("number_of_cached_scripts"));
        line.expect("servers tell it").to_owned()
    };
    let round = async |number: u32| {
        let name = format!("name {number}");
        let ttl = SECOND * (number + 1);
        let guard = locks.try_acquire(&name, ttl).await.unwrap().unwrap();
        if number.is_multiple_of(4) {
            server.command::<()>(&["SCRIPT", "FLUSH"]);
        }
        guard.extend(2 * ttl).await.unwrap();
        if number % 4 == 1 {
            server.command::<()>(&["SCRIPT", "FLUSH"]);
        }
        assert_eq!(guard.release().await.unwrap(), Release::Released);
    };
    for number in 0..8 {
        round(number).await;
    }
    round(11).await;
    let before = scripts();
    for number in 0..100 {
        round(number * 4 + 3).await;
    }
    assert_eq!(scripts(), before);
}
