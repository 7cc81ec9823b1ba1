//! Servers that refuse or stand still, and runtimes that end.

use std::time::Instant;

use cacheable_runtime::{Error, ErrorKind, Release};
use cacheable_tests::store::{LONG, PATIENCE};
use cacheable_tests::{RedisServer, eventually};

use super::{SECOND, is_held, key, millis, on, with};

/// X2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_gives_no_lock_and_takes_one_back() {
    let server = RedisServer::start();
    let runtime = on(&server.url(), "full").await;
    let locks = runtime.locks();
    let held = locks.try_acquire("held", LONG).await.unwrap().unwrap();
    server.command::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    refuses(&locks.try_acquire("name", LONG).await, "OOM");
    refuses(&locks.acquire("name", LONG, PATIENCE).await, "OOM");
    // Redis 7 refuses the whole script, and those before what would write.
    let again = locks.try_acquire("held", LONG).await;
    assert!(!matches!(again, Ok(Some(_))), "it was given out twice");
    held.extend(2 * LONG).await.unwrap();
    assert_eq!(held.release().await.unwrap(), Release::Released);
    assert!(!is_held(&server, &key("full", "held")));
    server.command::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    assert!(locks.try_acquire("name", LONG).await.unwrap().is_some());
}

/// X3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_no_writes_is_an_error_and_never_a_held_lock() {
    let server = RedisServer::start();
    let runtime = on(&server.url(), "no_writes").await;
    let locks = runtime.locks();
    let held = locks.try_acquire("held", LONG).await.unwrap().unwrap();
    server.command::<()>(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    refuses(&locks.try_acquire("name", LONG).await, "NOREPLICAS");
    refuses(&held.extend(LONG).await, "NOREPLICAS");
    refuses(&held.release().await, "NOREPLICAS");
    server.command::<()>(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    assert_eq!(held.release().await.unwrap(), Release::Released);

    server.command::<()>(&["CONFIG", "SET", "save", "3600 1"]);
    server.lose_directory();
    eventually("a snapshot has failed", PATIENCE, async || {
        let mut admin = server.connect();
        // It may be at it already.
        let _: redis::RedisResult<()> = redis::cmd("BGSAVE").query(&mut admin);
        let set = redis::cmd("SET").arg("refused").arg(1).exec(&mut admin);
        set.is_err_and(|error| error.code() == Some("MISCONF"))
    })
    .await;
    refuses(&locks.try_acquire("name", LONG).await, "MISCONF");
    refuses(&locks.acquire("name", LONG, PATIENCE).await, "MISCONF");
}

#[track_caller]
fn refuses<T: std::fmt::Debug>(answer: &Result<T, Error>, code: &str) {
    let error = answer.as_ref().expect_err("the server takes no writes");
    assert_eq!(error.kind(), ErrorKind::Server, "{error}");
    assert!(error.to_string().starts_with(code), "{error}");
}

/// X4
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_of_writes_holds_nobody_up_and_leaves_nothing_behind() {
    let server = RedisServer::start();
    let adjust = |builder: cacheable_runtime::Builder| {
        builder.command_timeout(millis(400)).require_connection()
    };
    let runtime = with(&server.url(), "pause", adjust).await;
    let locks = runtime.locks();
    let guard = locks
        .lock("held")
        .ttl(millis(800))
        .renew(true)
        .acquire()
        .await
        .unwrap();
    server.command::<()>(&["CLIENT", "PAUSE", "3000", "WRITE"]);
    let began = Instant::now();
    let error = locks.try_acquire("name", LONG).await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    let error = locks.acquire("name", LONG, millis(600)).await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    assert!(guard.lost().await.is_lock_lost());
    assert!(began.elapsed() < 5 * SECOND / 2, "{:?}", began.elapsed());
    let error = guard.release().await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    // What was asked meanwhile is done at the end of the pause, and undone.
    for name in ["name", "held"] {
        drop(locks.acquire(name, SECOND, PATIENCE).await.unwrap());
    }
}

/// X5
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_removed_under_load() {
    let server = RedisServer::start();
    let runtime = on(&server.url(), "flushed").await;
    let end = Instant::now() + 2 * SECOND;
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8_u32 {
        let locks = runtime.locks();
        tasks.spawn(async move {
            let (mut done, mut lost) = (0, 0);
            while Instant::now() < end {
                let name = format!("name {}", task % 3);
                let body = async |_| tokio::time::sleep(millis(3)).await;
                match locks.lock(name).ttl(SECOND).wait(PATIENCE).run(body).await {
                    Ok(()) => done += 1,
                    Err(error) if error.is_lock_lost() => lost += 1,
                    Err(error) => panic!("{error}"),
                }
            }
            (done, lost)
        });
    }
    while Instant::now() < end {
        server.command::<()>(&["FLUSHALL"]);
        tokio::time::sleep(millis(40)).await;
    }
    let (mut done, mut lost) = (0, 0);
    while let Some(counts) = tasks.join_next().await {
        let counts = counts.unwrap();
        (done, lost) = (done + counts.0, lost + counts.1);
    }
    assert!(done > 0 && lost > 0, "{done} done, {lost} lost");
}

/// X8
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_all_handles_are_gone_no_task_and_no_connection_is_left() {
    let server = RedisServer::start();
    let alive = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let connections = || -> usize {
        let clients: String = server.command(&["CLIENT", "LIST"]);
        clients.lines().count() - 1
    };
    let before = alive();
    for shuts_down in [false, true] {
        let runtime = on(&server.url(), "gone").await;
        let locks = runtime.locks();
        let guard = locks
            .lock("name")
            .ttl(LONG)
            .renew(true)
            .acquire()
            .await
            .unwrap();
        let waits = {
            let locks = locks.clone();
            tokio::spawn(async move { locks.acquire("name", LONG, LONG).await.map(drop) })
        };
        eventually("it listens", PATIENCE, async || {
            let clients: String = server.command(&["CLIENT", "LIST", "TYPE", "pubsub"]);
            !clients.trim().is_empty()
        })
        .await;
        if shuts_down {
            runtime.shutdown(PATIENCE).await;
            let error = waits.await.unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ShutDown, "{error}");
            let error = locks.try_acquire("name", LONG).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ShutDown, "{error}");
            assert!(guard.is_held(), "for a while yet");
        } else {
            waits.abort();
            assert!(waits.await.unwrap_err().is_cancelled());
        }
        drop((guard, locks, runtime));
        eventually("nothing runs", PATIENCE, async || alive() == before).await;
        eventually("all is closed", PATIENCE, async || connections() == 0).await;
        server.command::<()>(&["FLUSHALL"]);
    }
}

/// A guard may outlive the Tokio runtime that it was taken in.
#[test]
fn a_guard_is_dropped_outside_of_tokio() {
    let server = RedisServer::start();
    let tokio = || {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let key = key("outside", "name");
    let (inside, embedded) = (tokio(), cacheable_runtime::Runtime::embedded());
    let (runtime, guard, local) = inside.block_on(async {
        let runtime = on(&server.url(), "outside").await;
        let guard = runtime.locks().lock("name").ttl(LONG).renew(true);
        let guard = guard.acquire().await.unwrap();
        let local = embedded
            .locks()
            .lock("name")
            .renew(true)
            .acquire()
            .await
            .unwrap();
        (runtime, guard, local)
    });
    // On a thread of its own that knows of no runtime.
    drop(guard);
    cacheable_tests::wait_until("it is released", PATIENCE, || !is_held(&server, &key));
    let late = inside.block_on(async { runtime.locks().try_acquire("late", LONG).await });
    drop(runtime);
    drop(inside);
    drop(late);
    drop(local);
    let again = tokio().block_on(async { embedded.locks().try_acquire("name", LONG).await });
    assert!(again.unwrap().is_some());
}

/// A try that is given up sooner than the budget says nothing of the server:
/// whoever waits for a short time cuts nobody off from it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_waits_do_not_cut_others_off_from_a_slow_server() {
    let server = RedisServer::start();
    for (budget, cuts_off) in [(30 * SECOND, false), (millis(20), true)] {
        let adjust = |builder: cacheable_runtime::Builder| {
            let builder = builder.budget(budget).command_timeout(30 * SECOND);
            builder.require_connection()
        };
        let locks = with(&server.url(), "short", adjust).await.locks();
        let paused = server.pause();
        let mut left_alone = false;
        for _ in 0..4 {
            let error = locks.acquire("name", LONG, millis(300)).await.unwrap_err();
            left_alone |= error.kind() == ErrorKind::Unavailable;
        }
        assert_eq!(left_alone, cuts_off, "budget {budget:?}");
        drop(paused);
    }
}

/// What a body returned is handed over though the server hangs, by the time at
/// which its lock would have ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_done_waits_for_a_hanging_server_no_longer_than_it_held_the_lock() {
    let server = RedisServer::start();
    let adjust = |builder: cacheable_runtime::Builder| {
        let builder = builder.budget(millis(100)).command_timeout(60 * SECOND);
        builder.require_connection()
    };
    let runtime = with(&server.url(), "done", adjust).await;
    let mut paused = None;
    let body = async |_| {
        paused = Some(server.pause());
        Instant::now()
    };
    let request = runtime.locks().lock("name").ttl(2 * SECOND);
    let done = request.run(body).await.expect("it was held to the end");
    assert!(done.elapsed() < 20 * SECOND, "{:?}", done.elapsed());
    drop(paused);
    // It is released, or has expired.
    drop(
        runtime
            .locks()
            .acquire("name", SECOND, PATIENCE)
            .await
            .unwrap(),
    );
}
