//! The cache's own figures.

use std::time::Duration;

use cacheable_runtime::{Runtime, Stats};
use cacheable_tests::{RedisServer, Store};

use super::{OFTEN, next, node, on, read, server};
use crate::on_every_store;

on_every_store!(
    the_hit_rate_is_absent_without_reads_and_then_that_of_the_interval,
    a_sample_by_itself_has_what_the_process_knows,
);

/// M1
async fn the_hit_rate_is_absent_without_reads_and_then_that_of_the_interval(store: Store) {
    let runtime = store.runtime().await;
    let mut monitor = runtime.monitor(OFTEN);
    let first = next(&mut monitor).await;
    assert_eq!((first.hit_rate(), first.interval), (None, None));
    // A lifetime of misses.
    for key in 0..20 {
        read(&runtime, &format!("miss:{key}")).await;
    }
    assert_eq!(next(&mut monitor).await.hit_rate(), Some(0.0));
    for key in ["miss:0", "miss:1", "miss:2", "new"] {
        read(&runtime, key).await;
    }
    let stats = next(&mut monitor).await;
    assert_eq!(stats.hit_rate(), Some(0.75));
    assert!(stats.interval.is_some());
    let recent = stats.cache.recent.as_ref().expect("there was one before");
    assert_eq!(recent.method("cache").hit_rate(), Some(0.75));
    let ever = stats.cache.since_start.total();
    assert_eq!((ever.hits(), ever.reads()), (3, 24));
    // Nothing happened since.
    assert_eq!(next(&mut monitor).await.hit_rate(), None);
}

async fn a_sample_by_itself_has_what_the_process_knows(store: Store) {
    let runtime = store.runtime().await;
    read(&runtime, "key").await;
    read(&runtime, "key").await;
    let stats = runtime.stats().await.expect("the store is there");
    assert_eq!(stats.hit_rate(), Some(0.5));
    assert!(stats.interval.is_none() && stats.cache.recent.is_none());
    assert_eq!(stats.cache.local_entries, 1);
    assert!(stats.cache.local_bytes > 0 && stats.is_available());
    let since_epoch = stats.taken_at.duration_since(std::time::UNIX_EPOCH);
    assert!(since_epoch.is_ok_and(|since| since > Duration::from_secs(1_000_000_000)));
    for node in &stats.nodes {
        assert!(node.server.is_ok() && node.slow_log.is_ok());
        assert!(node.changes.is_none() && node.reset.is_none());
    }
    // The embedded store has no server to tell of.
    assert_eq!(stats.server().is_some(), !stats.nodes.is_empty());
}

#[tokio::test]
async fn an_embedded_store_has_no_server_in_its_figures() {
    let stats = Runtime::embedded().stats().await.expect("it is there");
    assert!(stats.nodes.is_empty() && stats.changes().is_none());
}

/// M3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_look_up_changes_the_servers_hit_rate_and_not_the_caches() {
    let own = RedisServer::start();
    let runtime = on(&own).await;
    let mut monitor = runtime.monitor(OFTEN);
    read(&runtime, "key").await;
    next(&mut monitor).await;
    for _ in 0..3 {
        read(&runtime, "key").await;
    }
    read(&runtime, "new").await;
    let mut connection = own.connect();
    let mut both = ::redis::pipe();
    for number in 0..500 {
        // As limits, locks and sessions do.
        both.cmd("EVAL")
            .arg("return redis.call('GET', KEYS[1])")
            .arg(1)
            .arg(format!("limit:{number}"));
        both.cmd("SET").arg("lock:a").arg(1).arg("NX");
        both.cmd("HGETALL").arg("session:nobody");
    }
    both.exec(&mut connection).unwrap();
    let stats: Stats = next(&mut monitor).await;
    assert_eq!(stats.hit_rate(), Some(0.75));
    // The control: the server counts all of it, as two look-ups that found
    // nothing to each that did.
    let rate = node(&stats).changes.as_ref().unwrap().hit_rate().unwrap();
    assert!(rate < 0.5, "{rate}");
    assert!(server(&stats).counters.misses.unwrap() >= 1_000);
}
