//! What a server's troubles count, here and in the `metrics` facade.

use std::collections::BTreeMap;
use std::time::Duration;

use cacheable_runtime::{ErrorKind, Event, OnFailure, Runtime};
use cacheable_tests::RedisServer;
use cacheable_tests::store::{LONG, PATIENCE};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

use super::on;

/// Runs a case on this thread, to which the recorder belongs.
fn recorded(case: impl AsyncFnOnce(&Snapshotter)) {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be built");
    metrics::with_local_recorder(&recorder, || tokio.block_on(case(&snapshotter)));
}

/// The counters of the primitives that are not zero. Looking at them begins
/// them anew.
fn counters(snapshotter: &Snapshotter) -> BTreeMap<String, u64> {
    let all = snapshotter.snapshot().into_vec().into_iter();
    let counters = all.filter_map(|(key, _, _, value)| {
        let DebugValue::Counter(count) = value else {
            return None;
        };
        let values: Vec<&str> = key.key().labels().map(metrics::Label::value).collect();
        let name = key.key().name().strip_prefix("cacheable_")?;
        let name = format!("{name} {}", values.join(" "));
        Some((name.trim_end().to_owned(), count))
    });
    counters.filter(|(_, count)| *count > 0).collect()
}

#[test]
fn a_lock_that_is_removed_is_lost_and_not_released() {
    recorded(async |snapshotter| {
        let own = RedisServer::start();
        let runtime = on(&own).await;
        let locks = runtime.locks();
        let take = async || locks.try_acquire("job", LONG).await.unwrap().unwrap();
        let found_late = take().await;
        own.command::<()>(&["FLUSHALL"]);
        found_late.release().await.unwrap();
        let taken = take().await;
        own.command::<()>(&["FLUSHALL"]);
        let other = take().await;
        // An extension finds it out, then the drop has nothing to count.
        assert!(taken.extend(LONG).await.unwrap_err().is_lock_lost());
        drop(taken);
        other.release().await.unwrap();
        let counts = runtime.stats().await.unwrap().locks.since_start;
        assert_eq!((counts.acquired, counts.released), (3, 1), "{counts:?}");
        assert_eq!((counts.lost_missing, counts.lost_taken), (1, 1));
        assert_eq!(counts.lost(), 2);
        let counters = counters(snapshotter);
        assert_eq!(counters["lock_lost_total missing"], 1);
        assert_eq!(counters["lock_lost_total taken"], 1);
        assert_eq!(counters["lock_released_total"], 1);
    });
}

#[test]
fn who_decided_on_a_limit_is_told_by_the_source() {
    recorded(async |snapshotter| {
        let own = RedisServer::start();
        let builder = Runtime::builder().redis(own.url()).require_connection();
        let budget = Duration::from_secs(10);
        let runtime = builder.budget(budget).build().await.unwrap();
        let policy = |name, on_failure| {
            let policy = runtime.rate_limiter().policy(name).limit(1).per(LONG);
            policy.on_failure(on_failure).build().unwrap()
        };
        let (open, local) = (
            policy("open", OnFailure::Open),
            policy("local", OnFailure::Local),
        );
        let error = policy("error", OnFailure::Error);
        // Decided on, denied, and the denial remembered.
        for _ in 0..3 {
            let _ = open.check("user:7").await.unwrap();
        }
        own.kill();
        let _ = open.check("user:8").await.unwrap();
        for _ in 0..2 {
            let _ = local.check("user:8").await.unwrap();
        }
        assert!(error.check("user:8").await.is_err());
        let counters = counters(snapshotter);
        let checks = counters.iter().filter_map(|(name, count)| {
            Some((name.strip_prefix("ratelimit_checks_total ")?, *count))
        });
        let checks: Vec<(&str, u64)> = checks.collect();
        assert_eq!(
            checks,
            [
                ("error error failure", 1),
                ("local allowed local", 1),
                ("local denied local", 1),
                ("open allowed failure", 1),
                ("open allowed redis", 1),
                ("open denied deny_cache", 1),
                ("open denied redis", 1),
            ]
        );
        assert_eq!((open.counts().failures, error.counts().errors), (1, 1));
    });
}

#[test]
fn a_script_that_is_forgotten_and_a_connection_that_breaks_are_counted() {
    recorded(async |snapshotter| {
        let own = RedisServer::start();
        let runtime = on(&own).await;
        let pubsub = runtime.pubsub();
        let mut heard = pubsub.subscribe::<u8>("news").await.unwrap();
        let limiter = runtime.rate_limiter();
        let _ = limiter.check("user:7", 10, LONG).await.unwrap();
        counters(snapshotter);
        // The control: it is known by now.
        let _ = limiter.check("user:7", 10, LONG).await.unwrap();
        assert!(!counters(snapshotter).contains_key("script_reloads_total"));
        own.command::<()>(&["SCRIPT", "FLUSH"]);
        let _ = limiter.check("user:7", 10, LONG).await.unwrap();
        assert_eq!(counters(snapshotter)["script_reloads_total"], 1);
        own.command::<u64>(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        let event = tokio::time::timeout(PATIENCE, heard.next()).await;
        assert!(matches!(event, Ok(Some(Event::Gap { .. }))), "{event:?}");
        assert_eq!(counters(snapshotter)["pubsub_gaps_total live"], 1);
        assert_eq!(runtime.stats().await.unwrap().messages.since_start.gaps, 1);
    });
}

#[test]
fn what_is_not_published_and_calls_that_fail_are_counted() {
    recorded(async |snapshotter| {
        let own = RedisServer::start();
        let runtime = on(&own).await;
        let sessions = runtime.sessions();
        let session = sessions.create("user:7", &1_u8, LONG).await.unwrap();
        own.kill();
        let published = runtime.pubsub().publish("news", &1).await;
        assert!(published.unwrap_err().is_unavailable());
        let read = sessions.get::<u8>(&session.token).await;
        assert!(read.unwrap_err().is_unavailable());
        let none = Duration::ZERO;
        let lock = runtime.locks().lock("job").wait(none).acquire().await;
        assert_ne!(lock.unwrap_err().kind(), ErrorKind::Argument);
        let counters = counters(snapshotter);
        assert_eq!(counters["pubsub_publish_errors_total"], 1);
        assert_eq!(counters["session_operations_total create ok"], 1);
        assert_eq!(counters["session_operations_total get error"], 1);
    });
}
