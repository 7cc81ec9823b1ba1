//! What a decision says, over every store.

use std::time::{Duration, SystemTime};

use cacheable_runtime::{Algorithm, ErrorKind, Source};
use cacheable_tests::Store;
use tokio::task::JoinSet;

use super::{ALGORITHMS, MINUTE, WINDOW, allowed, asking, decided, policy};

/// R1
async fn of_fifteen_calls_at_once_ten_are_allowed(store: Store) {
    let runtime = store.runtime().await;
    for algorithm in ALGORITHMS {
        let policy = asking(&runtime, "api", 10, MINUTE).algorithm(algorithm);
        let policy = policy.build().unwrap();
        let mut calls = JoinSet::new();
        for _ in 0..15 {
            let policy = policy.clone();
            calls.spawn(async move { policy.check("id").await.unwrap() });
        }
        let (mut remaining, mut denied) = (Vec::new(), 0);
        while let Some(decision) = calls.join_next().await {
            let decision = decision.unwrap();
            assert_eq!(decision.limit, 10);
            if decision.allowed {
                assert!(decision.retry_after.is_none());
                remaining.push(decision.remaining);
            } else {
                assert_eq!(decision.remaining, 0);
                assert_eq!(decision.retry_after, Some(decision.reset_after));
                denied += 1;
            }
        }
        // An even rate gives back one each six seconds, which a machine can
        // take to get here.
        if algorithm != Algorithm::Gcra {
            remaining.sort_unstable();
            assert!(remaining.iter().copied().eq(0..10), "{algorithm:?}");
            assert_eq!(denied, 5);
        }
        assert!(remaining.len() >= 10 && denied > 0);
    }
}

/// R2
async fn at_the_reset_the_next_call_is_allowed_and_not_before(store: Store) {
    let (runtime, time) = store.timed().await;
    for algorithm in ALGORITHMS {
        let policy = asking(&runtime, "api", 10, WINDOW).algorithm(algorithm);
        let policy = policy.build().unwrap();
        let denied = loop {
            let decision = policy.check("id").await.unwrap();
            if !decision.allowed {
                break decision;
            }
        };
        let before = denied.reset_after.saturating_sub(Duration::from_millis(50));
        time.pass(before).await;
        // Whatever the machine does meanwhile, each answer says when it was
        // decided.
        loop {
            let decision = policy.check("id").await.unwrap();
            let in_time = decided(&decision) >= denied.reset_at;
            assert_eq!(decision.allowed, in_time, "{decision:?} {denied:?}");
            if in_time {
                break;
            }
            assert_eq!(decision.reset_at, denied.reset_at);
            time.pass(Duration::from_millis(1)).await;
        }
        // To sleep for what it says is enough.
        let denied = loop {
            let decision = policy.check("id").await.unwrap();
            if !decision.allowed {
                break decision;
            }
        };
        let pause = denied.retry_after.unwrap().max(Duration::from_millis(1));
        // A manual clock goes by the millisecond.
        time.pass(pause + Duration::from_millis(1)).await;
        assert!(policy.check("id").await.unwrap().allowed);
    }
}

/// R3
async fn a_burst_at_the_edge_of_a_second_is_no_way_around(store: Store) {
    let runtime = store.runtime().await;
    let policy = policy(&runtime, "api", 10, WINDOW);
    let in_second = || {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.unwrap().subsec_millis()
    };
    tokio::time::sleep(Duration::from_millis(u64::from(
        (1950 - in_second()) % 1000,
    )))
    .await;
    let first = policy.check("id").await.unwrap();
    assert!(first.allowed);
    assert_eq!(allowed(&policy, "id", 9).await, 9);
    // Over the edge; whatever came when, none comes before its time.
    tokio::time::sleep(Duration::from_millis(100)).await;
    loop {
        let decision = policy.check("id").await.unwrap();
        if decision.allowed {
            assert!(decided(&decision) >= decided(&first) + WINDOW);
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// R6
async fn after_a_pause_all_is_there_at_once(store: Store) {
    let (runtime, time) = store.timed().await;
    for algorithm in ALGORITHMS {
        let policy = asking(&runtime, "api", 10, WINDOW).algorithm(algorithm);
        let policy = policy.build().unwrap();
        let last = policy.check_n("id", 10).await.unwrap();
        assert!(last.allowed && last.remaining == 0);
        time.pass(last.full_after + Duration::from_millis(2)).await;
        let peek = policy.peek("id").await.unwrap();
        assert_eq!((peek.remaining, peek.full_after), (10, Duration::ZERO));
        assert!(policy.check_n("id", 10).await.unwrap().allowed);
    }
}

/// R14
async fn denied_calls_use_nothing_up(store: Store) {
    let (runtime, time) = store.timed().await;
    let policy = policy(&runtime, "api", 10, WINDOW);
    let first = policy.check_n("id", 10).await.unwrap();
    let mut denials = 0;
    while denials < 1_000 {
        let decision = policy.check("id").await.unwrap();
        if decision.allowed {
            // So late is it by now.
            assert!(decided(&decision) >= decided(&first) + WINDOW);
            break;
        }
        assert_eq!(decision.reset_at, first.reset_at);
        denials += 1;
    }
    assert!(denials > 0);
    time.pass(first.reset_after + Duration::from_millis(1))
        .await;
    let peek = policy.peek("id").await.unwrap();
    assert!(peek.remaining >= 9, "{peek:?}");
}

/// R15
async fn a_cost_fits_or_is_denied_as_a_whole(store: Store) {
    let runtime = store.runtime().await;
    for algorithm in ALGORITHMS {
        let policy = asking(&runtime, "api", 10, MINUTE * 60).algorithm(algorithm);
        let policy = policy.build().unwrap();
        assert_eq!(policy.check_n("id", 7).await.unwrap().remaining, 3);
        let denied = policy.check_n("id", 4).await.unwrap();
        assert!(!denied.allowed && denied.remaining == 3, "{denied:?}");
        let fits = policy.check_n("id", 3).await.unwrap();
        assert!(fits.allowed && fits.remaining == 0);
        for cost in [11, u64::MAX] {
            let error = policy.check_n("id", cost).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Argument);
            assert!(error.to_string().contains("never fits"), "{error}");
        }
        let peek = policy.check_n("id", 0).await.unwrap();
        assert!(!peek.allowed && peek.remaining == 0);
        // It makes nothing: all is there for another id, and stays so.
        for _ in 0..3 {
            assert_eq!(policy.check_n("other", 0).await.unwrap().remaining, 10);
        }
    }
}

/// R16
async fn a_short_window_forgets_nothing_of_a_long_one(store: Store) {
    let (runtime, time) = store.timed().await;
    let limiter = runtime.rate_limiter();
    for _ in 0..10 {
        assert!(limiter.check("id", 10, WINDOW).await.unwrap().allowed);
        assert!(limiter.check("id", 100, MINUTE).await.unwrap().allowed);
    }
    time.pass(WINDOW + Duration::from_millis(2)).await;
    assert_eq!(limiter.check("id", 10, WINDOW).await.unwrap().remaining, 9);
    assert_eq!(
        limiter.check("id", 100, MINUTE).await.unwrap().remaining,
        89
    );
    // Nor does one policy of another's, whatever their windows are.
    let api = policy(&runtime, "api", 100, MINUTE);
    assert_eq!(api.check("id").await.unwrap().remaining, 99);
    let web = policy(&runtime, "web", 100, MINUTE);
    assert_eq!(web.check("id").await.unwrap().remaining, 99);
}

/// R22
async fn no_two_ids_and_no_two_policies_meet(store: Store) {
    let runtime = store.runtime().await;
    let long = "x".repeat(4096);
    let longer = "x".repeat(4097);
    let ids: [&[u8]; 16] = [
        b"",
        b"a}{b",
        b"{x}",
        b"{x",
        b"x}",
        b"x",
        b"{",
        b"}",
        b"{}",
        b"a:b",
        b"a",
        b"\xff\xfe",
        b"\xff",
        b"\0",
        long.as_bytes(),
        longer.as_bytes(),
    ];
    for name in ["b:c", "c", "{b}", "}b", "*", "1:x", long.as_str(), "\u{1}"] {
        let policy = policy(&runtime, name, 2, MINUTE * 10);
        for id in ids {
            let decision = policy.check(id).await.unwrap();
            assert_eq!(decision.remaining, 1, "{name:?} {id:?}");
        }
        for id in ids {
            assert_eq!(policy.check(id).await.unwrap().remaining, 0);
        }
    }
    let error = runtime.rate_limiter().policy("").limit(1).per_day().build();
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Argument);
}

/// R24
async fn limits_and_windows_at_their_ends(store: Store) {
    let runtime = store.runtime().await;
    let limiter = runtime.rate_limiter();
    for algorithm in ALGORITHMS {
        let nothing = asking(&runtime, "nothing", 0, MINUTE).algorithm(algorithm);
        let nothing = nothing.build().unwrap();
        for cost in [1, 5] {
            let denied = nothing.check_n("id", cost).await.unwrap();
            assert!(!denied.allowed && denied.remaining == 0);
            // Waiting does not help.
            assert!(denied.retry_after.is_none());
        }
    }
    for window in [Duration::ZERO, Duration::from_micros(999), Duration::MAX] {
        let error = limiter.check("id", 10, window).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument);
        assert!(error.to_string().contains("millisecond"), "{error}");
    }
    assert!(
        limiter
            .check("id", 10, Duration::from_millis(1))
            .await
            .unwrap()
            .allowed
    );
    let longest = Duration::from_secs(3660 * 24 * 60 * 60);
    for window in [Duration::from_millis(1), MINUTE, longest] {
        for algorithm in [Algorithm::Segmented, Algorithm::Gcra] {
            let most = asking(&runtime, "most", u64::MAX, window).algorithm(algorithm);
            let most = most.build().unwrap();
            let decision = most.check("id").await.unwrap();
            assert!(decision.allowed && decision.remaining > 0, "{decision:?}");
            assert_eq!(decision.limit, u64::MAX);
            assert!(most.refund("id", u64::MAX).await.unwrap() <= 1);
        }
        assert!(
            limiter
                .check("most", u64::MAX, window)
                .await
                .unwrap()
                .allowed
        );
        assert!(limiter.check("least", 1, window).await.unwrap().allowed);
    }
    let exact = limiter.policy("x").limit(u64::MAX).per(MINUTE);
    let error = exact.algorithm(Algorithm::Exact).build().unwrap_err();
    assert!(error.to_string().contains("Segmented"), "{error}");
}

/// R25
async fn another_limit_goes_by_the_same_history(store: Store) {
    let runtime = store.runtime().await;
    let limiter = runtime.rate_limiter();
    for _ in 0..8 {
        assert!(limiter.check("id", 10, MINUTE).await.unwrap().allowed);
    }
    assert_eq!(limiter.check("id", 20, MINUTE).await.unwrap().remaining, 11);
    let denied = limiter.check("id", 9, MINUTE).await.unwrap();
    assert!(!denied.allowed && denied.remaining == 0);
    // A denial that is remembered says nothing of a larger limit.
    assert_eq!(limiter.check("id", 10, MINUTE).await.unwrap().remaining, 0);
    assert!(!limiter.check("id", 10, MINUTE).await.unwrap().allowed);
    assert_eq!(limiter.check("id", 11, MINUTE).await.unwrap().remaining, 0);
    for algorithm in ALGORITHMS {
        let of = |limit| asking(&runtime, "api", limit, MINUTE * 60).algorithm(algorithm);
        assert!(
            of(10)
                .build()
                .unwrap()
                .check_n("id", 8)
                .await
                .unwrap()
                .allowed
        );
        let more = of(20).build().unwrap().peek("id").await.unwrap();
        // An even rate keeps the share that is used.
        let remaining = if algorithm == Algorithm::Gcra { 4 } else { 12 };
        assert_eq!(more.remaining, remaining, "{algorithm:?}");
        let less = of(5).build().unwrap().check_n("id", 2).await.unwrap();
        assert!(!less.allowed && less.reset_after <= MINUTE * 64, "{less:?}");
    }
}

/// What a decision says beside yes and no.
async fn a_decision_says_who_decided_and_what_is_used(store: Store) {
    let runtime = store.runtime().await;
    let limiter = runtime.rate_limiter();
    let first = limiter.check("id", 10, MINUTE).await.unwrap();
    assert!(matches!(first.source, Source::Redis | Source::Embedded));
    assert!(!first.is_near_limit() && first.failure.is_none());
    assert!(first.reset_after <= MINUTE && first.full_after <= MINUTE);
    for _ in 0..7 {
        let _ = limiter.check("id", 10, MINUTE).await.unwrap();
    }
    assert!(
        !limiter
            .check("id", 13, MINUTE)
            .await
            .unwrap()
            .is_near_limit()
    );
    assert!(
        limiter
            .check("id", 10, MINUTE)
            .await
            .unwrap()
            .is_near_limit()
    );
    assert_eq!(limiter.counts().allowed, 10);

    let trial = asking(&runtime, "trial", 1, MINUTE).shadow(true);
    let trial = trial.build().unwrap();
    assert!(!trial.check("id").await.unwrap().shadowed);
    let shadowed = trial.check("id").await.unwrap();
    assert!(shadowed.allowed && shadowed.shadowed && shadowed.remaining == 0);
    let counts = trial.counts();
    assert_eq!((counts.allowed, counts.denied, counts.shadowed), (2, 0, 1));
}

/// What cannot be built says what to write.
async fn what_does_not_go_together_is_refused(store: Store) {
    let runtime = store.runtime().await;
    let limiter = runtime.rate_limiter();
    let complete = || limiter.policy("api").limit(10).per_minute();
    for (builder, word) in [
        (limiter.policy("api").per_minute(), "limit"),
        (limiter.policy("api").limit(10), "window"),
        (complete().burst(3), "burst"),
        (complete().algorithm(Algorithm::Gcra).burst(11), "burst"),
        (complete().algorithm(Algorithm::Gcra).burst(0), "burst"),
        (
            complete().algorithm(Algorithm::Exact).segments(3),
            "segments",
        ),
        (complete().segments(0), "segments"),
        (complete().segments(101), "segments"),
        (complete().fleet(0), "fleet"),
        (complete().timeout(Duration::ZERO), "timeout"),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument);
        assert!(error.to_string().contains(word), "{error}");
    }
    let debug = format!("{:?} {:?}", complete(), complete().build().unwrap());
    assert!(debug.contains("api") && debug.contains("10"), "{debug}");
}

crate::on_every_store! {
    of_fifteen_calls_at_once_ten_are_allowed,
    at_the_reset_the_next_call_is_allowed_and_not_before,
    a_burst_at_the_edge_of_a_second_is_no_way_around,
    after_a_pause_all_is_there_at_once,
    denied_calls_use_nothing_up,
    a_cost_fits_or_is_denied_as_a_whole,
    a_short_window_forgets_nothing_of_a_long_one,
    no_two_ids_and_no_two_policies_meet,
    limits_and_windows_at_their_ends,
    another_limit_goes_by_the_same_history,
    a_decision_says_who_decided_and_what_is_used,
    what_does_not_go_together_is_refused,
}
