//! Servers that are away, and what is left when everything is dropped.

use std::time::{Duration, Instant};

use cacheable_runtime::{ErrorKind, Finding, Runtime};
use cacheable_tests::store::PATIENCE;
use cacheable_tests::{RedisServer, eventually};

use super::{OFTEN, next, node, on, read, said, server};

/// A runtime that waits for its server for a short time.
async fn impatient(server: &RedisServer) -> Runtime {
    let builder = Runtime::builder()
        .redis(server.url())
        .command_timeout(Duration::from_millis(300));
    let runtime = builder.require_connection().build().await;
    runtime.expect("the server is up")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_monitor_outlives_an_outage_and_says_so() {
    let own = RedisServer::start();
    let runtime = on(&own).await;
    let mut monitor = runtime.monitor(OFTEN);
    assert!(next(&mut monitor).await.is_available());
    own.kill();
    let away = loop {
        let stats = next(&mut monitor).await;
        if !stats.is_available() {
            break stats;
        }
    };
    let part = node(&away).server.as_ref().unwrap_err();
    assert_eq!(part.code(), None);
    assert!(part.error().is_unavailable(), "{part}");
    assert!(node(&away).slow_log.is_err() && away.server().is_none());
    let findings = away.findings();
    assert!(
        matches!(&findings[..], [Finding::Away { .. }]),
        "{findings:?}"
    );
    assert!(said(&findings).contains(&own.port().to_string()));
    // The cache's own figures go on.
    read(&runtime, "key").await;
    let stats = next(&mut monitor).await;
    assert_eq!(stats.cache.recent.unwrap().total().loads, 1);
    // By itself there is no sample without its server.
    let error = runtime.stats().await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    own.restart();
    let back = loop {
        let stats = next(&mut monitor).await;
        if stats.is_available() {
            break stats;
        }
    };
    assert!(server(&back).uptime.is_some());
}

/// X4: a server that stands still holds up no sample for longer than a command
/// may take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_holds_nobody_up() {
    let own = RedisServer::start();
    let runtime = impatient(&own).await;
    let mut monitor = runtime.monitor(OFTEN);
    next(&mut monitor).await;
    let paused = own.pause();
    for _ in 0..5 {
        let began = Instant::now();
        let stats = next(&mut monitor).await;
        assert!(!stats.is_available());
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{:?}",
            began.elapsed()
        );
    }
    drop(paused);
    eventually("it is found again", PATIENCE, async || {
        next(&mut monitor).await.is_available()
    })
    .await;
}

/// X4
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_of_writes_does_not_concern_it() {
    let own = RedisServer::start();
    let runtime = on(&own).await;
    let mut monitor = runtime.monitor(OFTEN);
    next(&mut monitor).await;
    own.command::<()>(&["CLIENT", "PAUSE", "20000", "WRITE"]);
    for _ in 0..5 {
        let began = Instant::now();
        assert!(next(&mut monitor).await.is_available());
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{:?}",
            began.elapsed()
        );
    }
    own.command::<()>(&["CLIENT", "UNPAUSE"]);
}

/// X5
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_is_a_smaller_number_of_keys_and_no_reset() {
    let own = RedisServer::start();
    let runtime = on(&own).await;
    let mut monitor = runtime.monitor(OFTEN);
    for key in 0..50 {
        read(&runtime, &key.to_string()).await;
    }
    let before = next(&mut monitor).await;
    assert!(server(&before).keys >= Some(50));
    own.command::<()>(&["FLUSHALL"]);
    let after = next(&mut monitor).await;
    assert!(server(&after).keys < Some(50));
    assert!(node(&after).reset.is_none() && after.changes().is_some());
}

/// X8
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_ends_a_monitor_that_waits() {
    let own = RedisServer::start();
    let runtime = on(&own).await;
    let mut monitor = runtime.monitor(Duration::from_secs(3600));
    next(&mut monitor).await;
    let waits = tokio::spawn(async move { (monitor.next().await.is_none(), monitor) });
    tokio::task::yield_now().await;
    runtime.shutdown(PATIENCE).await;
    let ended = tokio::time::timeout(PATIENCE, waits).await;
    let (ended, mut monitor) = ended.expect("it ends at once").unwrap();
    assert!(ended && monitor.next().await.is_none(), "and stays ended");
    let error = runtime.stats().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ShutDown);
    // One that begins afterwards is over, too.
    let mut late = runtime.monitor(OFTEN);
    assert!(late.next().await.is_none());
    let error = runtime.big_keys().run().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ShutDown);
}

/// X8
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_when_all_handles_are_dropped() {
    let own = RedisServer::start();
    let mut admin = own.connect();
    let mut connected = || {
        let clients: String = redis::cmd("CLIENT").arg("LIST").query(&mut admin).unwrap();
        clients.lines().count()
    };
    let runtime = on(&own).await;
    let mut monitor = runtime.monitor(OFTEN);
    next(&mut monitor).await;
    drop(runtime);
    // It is a handle like others.
    assert!(next(&mut monitor).await.is_available());
    assert!(connected() > 1);
    drop(monitor);
    eventually("no connection is left", PATIENCE, async || connected() == 1).await;
}

/// Dropped in the middle of a question, it disturbs nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_monitor_is_dropped_while_it_asks() {
    let own = RedisServer::start();
    let runtime = on(&own).await;
    let mut monitor = runtime.monitor(OFTEN);
    next(&mut monitor).await;
    let paused = own.pause();
    let asked = tokio::time::timeout(5 * OFTEN, monitor.next()).await;
    assert!(asked.is_err(), "there is nobody to answer");
    drop(monitor);
    drop(paused);
    eventually("the runtime goes on", PATIENCE, async || {
        runtime.stats().await.is_ok()
    })
    .await;
}

/// Nobody has told yet who is in the cluster.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_was_never_found_is_one_server_that_is_away() {
    let builder = Runtime::builder().redis("redis+cluster://127.0.0.1:1");
    let runtime = builder.build().await.expect("it starts without it");
    let error = runtime.stats().await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    let mut monitor = runtime.monitor(OFTEN);
    for _ in 0..2 {
        let stats = next(&mut monitor).await;
        assert!(!stats.is_available() && node(&stats).address.contains("127.0.0.1:1"));
    }
    let error = runtime.big_keys().run().await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    runtime.shutdown(PATIENCE).await;
    assert!(monitor.next().await.is_none());
}
