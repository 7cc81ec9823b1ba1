//! What is counted of each primitive, and what of it is exported.

use std::time::Duration;

use crate::{DurableEvent, Error, Event, ManualClock, OnFailure, Overflow, Runtime, StartAt};

const SECOND: Duration = Duration::from_secs(1);

/// Each of them does what it can do, and fails in what it can fail in.
async fn all_happens() -> Result<Runtime, Error> {
    let clock = ManualClock::new();
    let runtime = Runtime::builder().clock(&clock).build().await?;
    locks(&runtime, &clock).await?;
    limits(&runtime).await?;
    sessions(&runtime).await?;
    messages(&runtime).await?;
    Ok(runtime)
}

async fn locks(runtime: &Runtime, clock: &ManualClock) -> Result<(), Error> {
    let locks = runtime.locks();
    let guard = locks.try_acquire("report", 10 * SECOND).await?.unwrap();
    assert!(locks.try_acquire("report", SECOND).await?.is_none());
    let wait = Duration::from_millis(20);
    let late = locks.acquire("report", SECOND, wait).await;
    assert!(late.unwrap_err().is_timeout());
    let waits = locks.acquire("report", SECOND, 60 * SECOND);
    assert!(tokio::time::timeout(wait, waits).await.is_err());
    // What is not asked of the store does not count.
    assert!(locks.try_acquire("", SECOND).await.is_err());
    clock.advance(4 * SECOND);
    guard.release().await?;
    // The second call and the drop find nothing to count.
    guard.release().await?;
    drop(guard);

    let dropped = locks.try_acquire("dropped", 10 * SECOND).await?;
    clock.advance(SECOND);
    drop(dropped);

    let expires = locks.try_acquire("expires", SECOND).await?.unwrap();
    clock.advance(60 * SECOND);
    assert!(expires.check().is_err() && expires.check().is_err());
    drop(expires);

    let long = locks.lock("long").ttl(10 * SECOND).max_hold(2 * SECOND);
    let long = long.acquire().await?;
    clock.advance(3 * SECOND);
    drop(long);
    Ok(())
}

async fn limits(runtime: &Runtime) -> Result<(), Error> {
    let limiter = runtime.rate_limiter();
    for _ in 0..3 {
        let _ = limiter.check("user:7", 2, SECOND).await?;
    }
    let policy = || limiter.policy("api").limit(1).per_minute();
    let api = policy().on_failure(OnFailure::Open).build()?;
    for _ in 0..3 {
        let _ = api.check("user:7").await?;
        // It looks, and is no check.
        let _ = api.peek("user:7").await?;
    }
    let trial = limiter.policy("trial").limit(0).per_minute().shadow(true);
    assert!(trial.build()?.check("user:7").await?.shadowed);
    assert_eq!((api.counts().allowed, api.counts().denied), (1, 2));
    assert_eq!((limiter.counts().allowed, limiter.counts().denied), (2, 1));
    // One that is built again counts from the start; the total does not.
    assert_eq!(policy().build()?.counts(), crate::RateCounts::default());
    Ok(())
}

async fn sessions(runtime: &Runtime) -> Result<(), Error> {
    let sessions = runtime.sessions();
    let mut session = sessions.create("user:7", &1_u8, SECOND).await?;
    let token = session.token.clone();
    sessions.create_anonymous(&1_u8, SECOND).await?;
    assert!(sessions.get::<u8>(&token).await?.is_some());
    // It is no text.
    assert!(sessions.get::<String>(&token).await.is_err());
    sessions.update(&token, |data: &mut u8| *data += 1).await?;
    assert!(sessions.save(&mut session).await.unwrap_err().is_conflict());
    sessions.set(&token, &3_u8, None).await?;
    sessions.extend(&token, SECOND).await?;
    let rotated = sessions.rotate::<u8>(&token).await?;
    let token = rotated.token;
    assert_eq!(sessions.list("user:7").await?.len(), 1);
    assert!(sessions.delete(&token).await?);
    assert!(!sessions.delete(&token).await?);
    assert!(sessions.get::<u8>(&token).await?.is_none());
    assert!(
        sessions
            .set(&token, &3_u8, None)
            .await
            .unwrap_err()
            .is_gone()
    );
    sessions.revoke_all("user:7").await?;
    Ok(())
}

async fn messages(runtime: &Runtime) -> Result<(), Error> {
    let pubsub = runtime.pubsub();
    let subscriber = pubsub.subscriber().capacity(2);
    let mut oldest = subscriber.subscribe::<u64>("orders").await?;
    let subscriber = pubsub.subscriber().capacity(2);
    let subscriber = subscriber.overflow(Overflow::DropNewest);
    let mut newest = subscriber.subscribe::<u64>("orders").await?;
    for number in 0..5_u64 {
        pubsub.publish("orders", &number).await?;
    }
    assert_eq!(oldest.next().await, Some(Event::Lagged(3)));
    newest.next().await;
    newest.next().await;
    pubsub.publish("orders", "no number").await?;
    // Nobody listens.
    pubsub.publish("nothing", &1).await?;
    while !matches!(oldest.next().await, Some(Event::Undecodable { .. })) {}

    let stream = pubsub.durable("stream").max_len(2);
    let first = stream.publish(&1_u64).await?;
    for number in 2..5_u64 {
        stream.publish(&number).await?;
    }
    let mut reader = stream.subscribe::<u64>(StartAt::After(first)).await?;
    let gap = reader.next().await;
    assert!(matches!(gap, Some(DurableEvent::Gap { lost: Some(1), .. })));
    reader.next().await;
    reader.next().await;
    Ok(())
}

#[tokio::test]
async fn each_outcome_is_counted_once() {
    let runtime = all_happens().await.unwrap();
    let stats = runtime.stats().await.unwrap();
    let locks = stats.locks.since_start;
    let asked = [
        locks.acquired,
        locks.busy,
        locks.timed_out,
        locks.cancelled,
        locks.errors,
    ];
    assert_eq!(asked, [4, 1, 1, 1, 0], "{locks:?}");
    let lost = [
        locks.lost_expired,
        locks.lost_max_hold,
        locks.lost_missing,
        locks.lost_taken,
    ];
    assert_eq!((locks.released, lost), (2, [1, 1, 0, 0]), "{locks:?}");
    assert_eq!(locks.acquired, locks.released + locks.lost());
    // 4 s, 1 s, and up to the ends of 1 s and 2 s.
    assert_eq!(locks.mean_held_time(), Some(2 * SECOND));
    assert!(locks.mean_acquire_time().unwrap() < SECOND);

    let limits = stats.limits.since_start;
    assert_eq!((limits.allowed, limits.denied), (4, 3), "{limits:?}");
    assert_eq!((limits.shadowed, limits.failures, limits.errors), (1, 0, 0));

    let sessions = stats.sessions.since_start;
    let of = |counts: crate::OperationCounts| {
        [counts.ok, counts.missing, counts.conflicts, counts.errors]
    };
    assert_eq!(of(sessions.create), [2, 0, 0, 0]);
    assert_eq!(of(sessions.get), [1, 1, 0, 1]);
    assert_eq!(of(sessions.set), [1, 1, 0, 0]);
    assert_eq!(of(sessions.save), [0, 0, 1, 0]);
    assert_eq!(of(sessions.delete), [1, 1, 0, 0]);
    for once in [
        sessions.update,
        sessions.extend,
        sessions.rotate,
        sessions.list,
        sessions.revoke_all,
    ] {
        assert_eq!(of(once), [1, 0, 0, 0]);
    }
    assert_eq!(of(sessions.total()), [10, 3, 1, 1]);
    assert_eq!(sessions.total().total(), 15);

    let messages = stats.messages.since_start;
    assert_eq!(
        (messages.published, messages.received),
        (7, 12),
        "{messages:?}"
    );
    // Three each of the five, and one of the oldest for the last.
    assert_eq!(
        (messages.lagged, messages.undecodable),
        (7, 1),
        "{messages:?}"
    );
    assert_eq!((messages.gaps, messages.publish_errors), (0, 0));
    assert_eq!(
        (messages.durable_published, messages.durable_received),
        (4, 2)
    );
    assert_eq!(messages.durable_gaps, 1);
    assert_eq!(stats.hit_rate(), None, "none of it is the cache's");
}

#[tokio::test]
async fn a_monitor_tells_what_happened_in_the_interval() {
    let runtime = Runtime::embedded();
    let locks = runtime.locks();
    let mut monitor = runtime.monitor(Duration::ZERO);
    locks.try_acquire("name", SECOND).await.unwrap();
    let first = monitor.next().await.unwrap();
    assert_eq!(
        (first.locks.recent, first.locks.counted().acquired),
        (None, 1)
    );
    locks.try_acquire("name", SECOND).await.unwrap();
    locks.try_acquire("name", SECOND).await.unwrap();
    let second = monitor.next().await.unwrap();
    assert_eq!(second.locks.since_start.acquired, 3);
    assert_eq!(second.locks.counted().acquired, 2);
    assert_eq!(
        second.sessions.recent,
        Some(crate::SessionCounts::default())
    );
    let third = monitor.next().await.unwrap();
    assert_eq!(third.locks.recent, Some(crate::LockCounts::default()));
}

#[cfg(feature = "metrics")]
mod exported {
    use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

    use super::{SECOND, all_happens};
    use crate::Runtime;

    /// One after the other on this thread, to which a recorder belongs.
    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        tokio.expect("a runtime can be built").block_on(future)
    }

    fn recorded<T>(future: impl Future<Output = T>) -> (T, Snapshotter) {
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        let value = metrics::with_local_recorder(&recorder, || block_on(future));
        (value, snapshotter)
    }

    /// Each series, with its labels and how much was counted.
    fn lines(snapshotter: &Snapshotter) -> Vec<String> {
        let all = snapshotter.snapshot().into_vec().into_iter();
        let lines = all.map(|(key, _, _, value)| {
            let labels = key.key().labels();
            let labels: Vec<String> = labels
                .map(|label| format!("{}={}", label.key(), label.value()))
                .collect();
            let amount = match value {
                DebugValue::Counter(count) => count,
                DebugValue::Histogram(times) => times.len() as u64,
                DebugValue::Gauge(_) => panic!("there are no gauges"),
            };
            let name = key.key().name().strip_prefix("cacheable_");
            let name = name.expect("they have one beginning");
            format!("{name}{{{}}} {amount}", labels.join(","))
        });
        let mut lines: Vec<String> = lines.collect();
        lines.sort();
        lines
    }

    #[test]
    fn all_figures_are_exported_by_these_names_and_labels() {
        let (runtime, snapshotter) = recorded(all_happens());
        drop(runtime.unwrap());
        let expected = [
            "lock_acquire_seconds{outcome=acquired} 4",
            "lock_acquire_seconds{outcome=busy} 1",
            "lock_acquire_seconds{outcome=cancelled} 1",
            "lock_acquire_seconds{outcome=error} 0",
            "lock_acquire_seconds{outcome=timeout} 1",
            "lock_held_seconds{} 4",
            "lock_lost_total{reason=expired} 1",
            "lock_lost_total{reason=max_hold} 1",
            "lock_lost_total{reason=missing} 0",
            "lock_lost_total{reason=taken} 0",
            "lock_released_total{} 2",
            "pubsub_gaps_total{mode=durable} 1",
            "pubsub_gaps_total{mode=live} 0",
            "pubsub_lagged_total{} 7",
            "pubsub_messages_total{direction=in,mode=durable} 2",
            "pubsub_messages_total{direction=in,mode=live} 12",
            "pubsub_messages_total{direction=out,mode=durable} 4",
            "pubsub_messages_total{direction=out,mode=live} 7",
            "pubsub_publish_errors_total{} 0",
            "pubsub_undecodable_total{} 1",
            "ratelimit_checks_total{policy=api,outcome=allowed,source=embedded} 1",
            "ratelimit_checks_total{policy=api,outcome=denied,source=embedded} 2",
            "ratelimit_checks_total{policy=check,outcome=allowed,source=embedded} 2",
            "ratelimit_checks_total{policy=check,outcome=denied,source=embedded} 1",
            "ratelimit_checks_total{policy=trial,outcome=shadowed,source=embedded} 1",
            "session_operations_total{op=create,outcome=ok} 2",
            "session_operations_total{op=delete,outcome=missing} 1",
            "session_operations_total{op=delete,outcome=ok} 1",
            "session_operations_total{op=extend,outcome=ok} 1",
            "session_operations_total{op=get,outcome=error} 1",
            "session_operations_total{op=get,outcome=missing} 1",
            "session_operations_total{op=get,outcome=ok} 1",
            "session_operations_total{op=list,outcome=ok} 1",
            "session_operations_total{op=revoke_all,outcome=ok} 1",
            "session_operations_total{op=rotate,outcome=ok} 1",
            "session_operations_total{op=save,outcome=conflict} 1",
            "session_operations_total{op=set,outcome=missing} 1",
            "session_operations_total{op=set,outcome=ok} 1",
            "session_operations_total{op=update,outcome=ok} 1",
        ];
        assert_eq!(lines(&snapshotter), expected);
    }

    #[test]
    fn nothing_is_exported_of_what_nobody_uses() {
        let ((), snapshotter) = recorded(async {
            let runtime = Runtime::embedded();
            let _ = (runtime.locks(), runtime.sessions(), runtime.pubsub());
            runtime.stats().await.expect("there is no server");
        });
        assert_eq!(lines(&snapshotter), [""; 0]);
    }

    /// M9
    #[test]
    fn a_hundred_thousand_names_make_no_series_of_their_own() {
        const NAMES: usize = 100_000;
        let ((), snapshotter) = recorded(async {
            let runtime = Runtime::embedded();
            let policy = runtime.rate_limiter().policy("api").limit(1).per_second();
            let policy = policy.build().expect("it is right");
            let (locks, pubsub) = (runtime.locks(), runtime.pubsub());
            for number in 0..NAMES {
                let name = format!("secret:{number}");
                let guard = locks.try_acquire(&name, SECOND).await.unwrap();
                guard.expect("nobody has it").release().await.unwrap();
                let limiter = runtime.rate_limiter();
                assert!(policy.check(&name).await.unwrap().allowed);
                assert!(limiter.check(&name, 1, SECOND).await.unwrap().allowed);
                let sessions = runtime.sessions();
                let session = sessions.create(&name, &number, SECOND).await.unwrap();
                // Hashes take a while in a build that is not optimized.
                if number % 100 == 0 {
                    let token = &session.token;
                    assert!(sessions.get::<usize>(token).await.unwrap().is_some());
                    assert!(sessions.delete(token).await.unwrap());
                }
                let mut heard = pubsub.subscribe::<usize>(&name).await.unwrap();
                assert_eq!(pubsub.publish(&name, &number).await.unwrap(), 1);
                assert!(heard.next().await.is_some());
            }
        });
        let lines = lines(&snapshotter);
        let kept = |name: &str| lines.iter().filter(|line| line.starts_with(name)).count();
        assert_eq!(kept("lock_"), 11, "{lines:?}");
        assert_eq!(
            (kept("ratelimit_"), kept("session_"), kept("pubsub_")),
            (2, 3, 9)
        );
        assert_eq!(lines.len(), 25);
        let counted =
            format!("ratelimit_checks_total{{policy=api,outcome=allowed,source=embedded}} {NAMES}");
        assert!(
            lines.contains(&counted),
            "the control: all of them were counted"
        );
        assert!(!lines.join("\n").contains("secret"));
    }
}
