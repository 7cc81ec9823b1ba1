//! The cache's own figures.

use std::time::Duration;

use cacheable_runtime::{Event, LockCounts, Runtime, Stats};
use cacheable_tests::store::LONG;
use cacheable_tests::{RedisServer, Store};

use super::{OFTEN, next, node, on, read, server};
use crate::on_every_store;

on_every_store!(
    the_hit_rate_is_absent_without_reads_and_then_that_of_the_interval,
    a_sample_by_itself_has_what_the_process_knows,
    locks_limits_sessions_and_messages_have_figures_of_their_own_and_no_part_in_the_hit_rate,
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

/// M3
async fn locks_limits_sessions_and_messages_have_figures_of_their_own_and_no_part_in_the_hit_rate(
    store: Store,
) {
    const TIMES: u64 = 50;
    let runtime = store.runtime().await;
    let mut monitor = runtime.monitor(OFTEN);
    read(&runtime, "key").await;
    next(&mut monitor).await;
    for _ in 0..3 {
        read(&runtime, "key").await;
    }
    read(&runtime, "new").await;
    let (locks, limiter) = (runtime.locks(), runtime.rate_limiter());
    let (sessions, pubsub) = (runtime.sessions(), runtime.pubsub());
    let mut heard = pubsub.subscribe::<u64>("news").await.unwrap();
    let limit = TIMES / 2;
    for number in 0..TIMES {
        let name = format!("job:{number}");
        let guard = locks.try_acquire(&name, LONG).await.unwrap();
        let guard = guard.expect("nobody has it");
        assert!(locks.try_acquire(&name, LONG).await.unwrap().is_none());
        guard.release().await.unwrap();
        let decision = limiter.check("user:7", limit, LONG).await.unwrap();
        assert_eq!(decision.allowed, number < limit);
        let session = sessions.create("user:7", &number, LONG).await.unwrap();
        assert!(sessions.delete(&session.token).await.unwrap());
        assert!(sessions.get::<u64>(&session.token).await.unwrap().is_none());
        pubsub.publish("news", &number).await.unwrap();
        assert!(matches!(heard.next().await, Some(Event::Message { .. })));
    }
    let stats = next(&mut monitor).await;
    assert_eq!(stats.hit_rate(), Some(0.75));
    let observed = stats.cache.counted().total();
    assert_eq!((observed.reads(), observed.remote_errors), (4, 0));
    // The control: all of it was counted, where it belongs.
    let locks = stats.locks.counted();
    assert_eq!((locks.acquired, locks.busy), (TIMES, TIMES));
    assert_eq!((locks.released, locks.lost()), (TIMES, 0));
    assert!(locks.mean_held_time().is_some());
    let limits = stats.limits.counted();
    assert_eq!((limits.allowed, limits.denied), (limit, limit));
    let sessions = stats.sessions.counted();
    assert_eq!((sessions.create.ok, sessions.delete.ok), (TIMES, TIMES));
    assert_eq!((sessions.get.ok, sessions.get.missing), (0, TIMES));
    let messages = stats.messages.counted();
    assert_eq!((messages.published, messages.received), (TIMES, TIMES));
    assert_eq!((messages.gaps, messages.lagged), (0, 0));
    // And in the next interval nothing of it.
    let stats = next(&mut monitor).await;
    assert_eq!(stats.locks.counted(), &LockCounts::default());
    assert_eq!(stats.hit_rate(), None);
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
