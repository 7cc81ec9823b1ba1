//! Those who wait: how long, for what, and what is left when they give up.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cacheable_runtime::{ErrorKind, Release};
use cacheable_tests::store::{LONG, PATIENCE, Store};
use cacheable_tests::{Of, Proxy, RedisServer, eventually};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{SECOND, is_held, kept, key, millis, on, with};

crate::on_every_store!(
    who_waits_gives_up_in_time,
    who_waits_gets_it_when_it_is_released_or_expires,
    those_of_one_process_come_in_their_order,
    a_waiter_that_is_dropped_takes_nothing,
    a_wait_of_nothing_is_one_try,
    a_crowd_is_served_to_the_last,
);

/// L19
async fn who_waits_gives_up_in_time(store: Store) {
    let runtime = store.runtime().await;
    let other = store.beside(&runtime).await.locks();
    let _held = runtime.locks().try_acquire("name", LONG).await.unwrap();
    for wait in [1, 300] {
        let (began, wait) = (Instant::now(), millis(wait));
        let error = other.acquire("name", SECOND, wait).await.unwrap_err();
        assert!(began.elapsed() >= wait && began.elapsed() < wait + 10 * SECOND);
        assert!(error.is_timeout(), "{error}");
        if wait > millis(100) {
            assert!(
                error.to_string().contains("held by somebody else"),
                "{error}"
            );
        }
    }
    // The default is as long as the lock would be held.
    let began = Instant::now();
    let body = async |_| panic!("it is held by another one");
    let error = other
        .with_lock("name", millis(200), body)
        .await
        .unwrap_err();
    assert!(error.is_timeout() && began.elapsed() >= millis(200));
}

async fn who_waits_gets_it_when_it_is_released_or_expires(store: Store) {
    let runtime = store.runtime().await;
    let other = store.beside(&runtime).await.locks();
    let first = runtime
        .locks()
        .try_acquire("name", LONG)
        .await
        .unwrap()
        .unwrap();
    let fence = first.fence();
    let waits = {
        let other = other.clone();
        tokio::spawn(async move { other.acquire("name", SECOND, PATIENCE).await })
    };
    tokio::time::sleep(millis(100)).await;
    assert!(!waits.is_finished());
    assert_eq!(first.release().await.unwrap(), Release::Released);
    let second = waits.await.unwrap().unwrap();
    assert!(second.fence() > fence);
    // Nobody releases this one.
    std::mem::forget(second);
    let began = Instant::now();
    drop(other.acquire("name", SECOND, PATIENCE).await.unwrap());
    assert!(began.elapsed() < 10 * SECOND);
}

async fn those_of_one_process_come_in_their_order(store: Store) {
    let locks = store.runtime().await.locks();
    let first = locks.try_acquire("name", LONG).await.unwrap().unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut waiters = JoinSet::new();
    for number in 0..10 {
        let (locks, order) = (locks.clone(), Arc::clone(&order));
        let mut waiter = Box::pin(async move {
            let guard = locks.acquire("name", LONG, PATIENCE).await.unwrap();
            order.lock().unwrap().push((number, guard.fence()));
            assert_eq!(guard.release().await.unwrap(), Release::Released);
        });
        // The first one asks the store before it is in line, the others are at once.
        let patience = if number == 0 { SECOND } else { Duration::ZERO };
        assert!(timeout(patience, &mut waiter).await.is_err());
        waiters.spawn(waiter);
    }
    assert_eq!(first.release().await.unwrap(), Release::Released);
    while let Some(waiter) = waiters.join_next().await {
        waiter.unwrap();
    }
    let order = order.lock().unwrap();
    assert!(order.is_sorted_by_key(|(number, _)| *number), "{order:?}");
    assert!(order.is_sorted_by_key(|(_, fence)| *fence), "{order:?}");
}

/// L16
async fn a_waiter_that_is_dropped_takes_nothing(store: Store) {
    let runtime = store.runtime().await;
    let (locks, other) = (runtime.locks(), store.beside(&runtime).await.locks());
    let ttl = millis(500);
    for pause in [0, 1, 5, 20, 100] {
        let guard = locks.acquire("name", LONG, PATIENCE).await.unwrap();
        let waits = {
            let other = other.clone();
            tokio::spawn(async move { other.acquire("name", ttl, PATIENCE).await.map(drop) })
        };
        tokio::time::sleep(millis(pause)).await;
        waits.abort();
        assert!(waits.await.unwrap_err().is_cancelled());
        assert_eq!(guard.release().await.unwrap(), Release::Released);
        // Whoever looks finds it free.
        let end = Instant::now() + if pause == 100 { 2 * ttl } else { millis(50) };
        while Instant::now() < end {
            let guard = locks.try_acquire("name", LONG).await.unwrap();
            let guard = guard.expect("who gave up has taken it");
            assert_eq!(guard.release().await.unwrap(), Release::Released);
            tokio::time::sleep(millis(5)).await;
        }
    }
}

async fn a_wait_of_nothing_is_one_try(store: Store) {
    let locks = store.runtime().await.locks();
    let guard = locks.acquire("name", LONG, Duration::ZERO).await.unwrap();
    let error = locks
        .acquire("name", LONG, Duration::ZERO)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(guard.is_held());
}

async fn a_crowd_is_served_to_the_last(store: Store) {
    let first = store.runtime().await;
    let inside = Arc::new(Mutex::new(()));
    let mut crowd = JoinSet::new();
    for number in 0..60 {
        let runtime = store.beside(&first).await;
        let inside = Arc::clone(&inside);
        crowd.spawn(async move {
            let body = async |_| {
                let alone = inside.try_lock().expect("two are inside");
                drop(alone);
                tokio::task::yield_now().await;
            };
            let request = runtime
                .locks()
                .lock("name")
                .ttl(PATIENCE)
                .wait(2 * PATIENCE);
            // Some do not wait for their turn.
            if number % 7 == 6 {
                let waits = request.wait(millis(number)).run(body).await;
                assert!(waits.is_ok() || waits.unwrap_err().is_timeout());
                0
            } else {
                request.run(body).await.unwrap();
                1
            }
        });
    }
    let mut served = 0;
    while let Some(one) = crowd.join_next().await {
        served += one.unwrap();
    }
    assert_eq!(served, 52);
}

/// L19
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_server_gives_up_in_time() {
    let server = RedisServer::start();
    let locks = on(&server.url(), "gives_up").await.locks();
    let body = async || {
        for wait in [millis(0), millis(300)] {
            let began = Instant::now();
            let error = locks.acquire("name", SECOND, wait).await.unwrap_err();
            assert!(error.is_unavailable(), "{error}");
            let most = if wait.is_zero() { 20 } else { 4 };
            let took = began.elapsed();
            assert!(took >= wait && took < wait + most * SECOND, "{took:?}");
        }
    };
    let paused = server.pause();
    body().await;
    drop(paused);
    drop(locks.acquire("name", SECOND, PATIENCE).await.unwrap());
    server.kill();
    body().await;
    // It comes back while somebody waits.
    let waits = {
        let locks = locks.clone();
        tokio::spawn(async move { locks.acquire("name", LONG, 2 * PATIENCE).await })
    };
    tokio::time::sleep(millis(200)).await;
    tokio::task::block_in_place(|| server.restart());
    let guard = waits.await.unwrap().unwrap();
    assert_eq!(guard.release().await.unwrap(), Release::Released);
}

/// L20
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiter_is_woken_and_asks_seldom() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let holder = on(&server.url(), "woken").await.locks();
    let waiter = on(&proxy.url(), "woken").await.locks();
    let asked = || {
        let seen = proxy.seen();
        ["EVALSHA", "EVAL", "SUBSCRIBE", "UNSUBSCRIBE"].map(|name| seen.command(name))
    };
    let mut handed_over = Vec::new();
    for round in 0..10 {
        let guard = holder.try_acquire("name", LONG).await.unwrap().unwrap();
        // Ten in one process are as one.
        let mut waiters = JoinSet::new();
        for _ in 0..10 {
            let waiter = waiter.clone();
            waiters.spawn(async move {
                let guard = waiter.acquire("name", LONG, PATIENCE).await.unwrap();
                let got = Instant::now();
                assert_eq!(guard.release().await.unwrap(), Release::Released);
                got
            });
        }
        tokio::time::sleep(millis(150)).await;
        if round == 0 {
            let before: u64 = asked().iter().sum();
            tokio::time::sleep(2 * SECOND).await;
            let after: u64 = asked().iter().sum();
            assert!(after - before < 20, "{} in two seconds", after - before);
        }
        let released = Instant::now();
        assert_eq!(guard.release().await.unwrap(), Release::Released);
        let mut first = None;
        while let Some(got) = waiters.join_next().await {
            let got = got.unwrap();
            first = Some(first.map_or(got, |first: Instant| first.min(got)));
        }
        handed_over.push(first.unwrap() - released);
    }
    // Who only asks does so after half a second at the earliest.
    handed_over.sort();
    assert!(handed_over[5] < millis(200), "{handed_over:?}");
}

/// L22
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missed_wake_up_is_made_up_for_by_asking() {
    let server = RedisServer::start();
    let holder = on(&server.url(), "missed").await.locks();
    let waiter = on(&server.url(), "missed").await.locks();
    for _ in 0..3 {
        let guard = holder.try_acquire("name", LONG).await.unwrap().unwrap();
        let waits = {
            let waiter = waiter.clone();
            tokio::spawn(async move { waiter.acquire("name", LONG, PATIENCE).await.unwrap() })
        };
        let channel = key("missed", "name");
        eventually("it listens", PATIENCE, async || {
            let listens: (String, u8) = server.command(&["PUBSUB", "NUMSUB", &channel]);
            listens.1 == 1
        })
        .await;
        server.command::<u8>(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        let released = Instant::now();
        assert_eq!(guard.release().await.unwrap(), Release::Released);
        let guard = waits.await.unwrap();
        assert!(released.elapsed() < 10 * SECOND);
        assert_eq!(guard.release().await.unwrap(), Release::Released);
    }
}

/// L20
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_is_published_where_somebody_waits() {
    let server = RedisServer::start();
    let (holder, waiter) = (
        on(&server.url(), "told").await.locks(),
        on(&server.url(), "told").await.locks(),
    );
    let published = || -> u64 {
        let stats: String = server.command(&["INFO", "commandstats"]);
        let mut lines = stats.lines();
        let calls = lines.find_map(|line| line.strip_prefix("cmdstat_publish:calls="));
        calls.map_or(0, |calls| calls.split(',').next().unwrap().parse().unwrap())
    };
    for round in 1..=3 {
        // Who comes after a release begins anew.
        let guard = holder.try_acquire("name", LONG).await.unwrap().unwrap();
        assert_eq!(guard.release().await.unwrap(), Release::Released);
        assert_eq!(published(), round - 1);
        let guard = holder.try_acquire("name", LONG).await.unwrap().unwrap();
        assert!(waiter.try_acquire("name", LONG).await.unwrap().is_none());
        // An extension forgets nobody.
        guard.extend(2 * LONG).await.unwrap();
        assert_eq!(guard.release().await.unwrap(), Release::Released);
        assert_eq!(published(), round);
    }
}

/// Without the right to subscribe, or to publish, it is asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_channels_it_is_asked_for() {
    let server = RedisServer::start();
    let rights = ["resetchannels", "~*", "+@all", ">secret"];
    let words: Vec<&str> = ["ACL", "SETUSER", "mute", "on"]
        .into_iter()
        .chain(rights)
        .collect();
    server.command::<()>(&words);
    let url = format!("redis://mute:secret@127.0.0.1:{}/0", server.port());
    let (holder, waiter) = (
        on(&url, "mute").await.locks(),
        on(&url, "mute").await.locks(),
    );
    let guard = holder.try_acquire("name", LONG).await.unwrap().unwrap();
    let waits = tokio::spawn(async move { waiter.acquire("name", LONG, PATIENCE).await });
    tokio::time::sleep(millis(300)).await;
    assert!(!waits.is_finished());
    assert_eq!(guard.release().await.unwrap(), Release::Released);
    drop(waits.await.unwrap().unwrap());
}

/// L15
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_reply_is_asked_for_again_by_the_same_owner() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let locks = with(&proxy.url(), "lost", |builder| {
        builder.command_timeout(SECOND).require_connection()
    })
    .await
    .locks();
    let key = key("lost", "name");
    // The server knows the scripts from now on.
    let guard = locks.acquire("other", LONG, PATIENCE).await.unwrap();
    assert_eq!(guard.release().await.unwrap(), Release::Released);
    proxy.hold_replies(Of::Untracked);
    let waits = tokio::spawn(async move { locks.acquire("name", LONG, PATIENCE).await });
    eventually("it is taken", PATIENCE, async || is_held(&server, &key)).await;
    let (owner, ..) = kept(&server, &key).unwrap();
    proxy.cut(Of::Untracked);
    proxy.release();
    let guard = waits.await.unwrap().unwrap();
    let (same, _, fence) = kept(&server, &key).unwrap();
    assert_eq!((same, guard.fence()), (owner, fence));
    // The control: anybody else is kept out by what was taken.
    let other = on(&server.url(), "lost").await.locks();
    assert!(other.try_acquire("name", LONG).await.unwrap().is_none());
    assert_eq!(guard.release().await.unwrap(), Release::Released);
}

/// L16
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_is_given_up_on_its_way_takes_nothing_for_long() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let runtime = on(&proxy.url(), "given_up").await;
    let key = key("given_up", "name");
    let other = runtime.locks().acquire("other", LONG, PATIENCE).await;
    assert_eq!(other.unwrap().release().await.unwrap(), Release::Released);
    for held in ["requests", "replies"] {
        if held == "requests" {
            proxy.hold_requests(Of::Untracked);
        } else {
            proxy.hold_replies(Of::Untracked);
        }
        let locks = runtime.locks();
        let seen = || proxy.seen().command("EVALSHA") + proxy.seen().command("EVAL");
        let before = seen();
        let waits = tokio::spawn(async move { locks.acquire("name", LONG, LONG).await.map(drop) });
        eventually("it is asked", PATIENCE, async || seen() > before).await;
        if held == "replies" {
            eventually("it is taken", PATIENCE, async || is_held(&server, &key)).await;
        }
        waits.abort();
        assert!(waits.await.unwrap_err().is_cancelled());
        proxy.release();
        eventually("what was asked is undone", PATIENCE, async || {
            seen() > before + 1 && !is_held(&server, &key)
        })
        .await;
        let end = Instant::now() + 2 * SECOND;
        while Instant::now() < end {
            assert!(!is_held(&server, &key), "{held}");
            tokio::time::sleep(millis(20)).await;
        }
    }
}
