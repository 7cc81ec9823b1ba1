//! Clocks that are wrong, or are set.

use std::process::Command;
use std::time::{Duration, SystemTime};

use cacheable_runtime::{Algorithm, RatePolicy};
use cacheable_tests::store::PATIENCE;
use cacheable_tests::{FakeTime, eventually};
use tokio::time::Instant;

use super::{ALGORITHMS, WINDOW, asking, decided, on};

const HOUR: i64 = 3600;

/// R8
#[tokio::test(flavor = "multi_thread")]
async fn clients_whose_clocks_are_an_hour_apart_share_one_limit() {
    let Some(clock) = FakeTime::new() else {
        return;
    };
    let server = cacheable_tests::RedisServer::start();
    let (mut allowed, mut resets) = (0, Vec::new());
    for ahead in [HOUR, -HOUR] {
        clock.set(ahead);
        let mut child = Command::new(env!("CARGO_BIN_EXE_child"));
        child.args(["limit", &server.url(), "skew"]);
        clock.for_program(&mut child);
        let output = child.output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let mut numbers = said.split_whitespace().map(|word| word.parse().unwrap());
        let mut next = || -> u64 { numbers.next().unwrap() };
        allowed += next();
        resets.push(next());
        // The control: its clock is wrong.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let wrong = next().abs_diff(now.unwrap().as_secs());
        assert!(wrong > 3000, "{wrong}");
    }
    assert_eq!(allowed, 10);
    // Both are told of the same moment.
    assert_eq!(resets[0], resets[1]);
}

/// Some servers read the clock now and then. To look writes nothing.
async fn until_moved(policy: &RatePolicy, since: SystemTime, ahead: bool) {
    const FAR: Duration = Duration::from_secs(3);
    eventually("the server has the new time", PATIENCE, async || {
        let now = decided(&policy.peek("id").await.unwrap());
        if ahead {
            now > since + FAR
        } else {
            now + FAR < since
        }
    })
    .await;
}

/// R9
#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_clock_is_set_back_allows_no_more_and_denies_one_window() {
    let Some(clock) = FakeTime::new() else {
        return;
    };
    let server = clock.server();
    let runtime = on(&server).await;
    for algorithm in ALGORITHMS {
        clock.set(0);
        let policy = asking(&runtime, "api", 10, WINDOW).algorithm(algorithm);
        let policy = policy.build().unwrap();
        let behind = SystemTime::now() - Duration::from_secs(5);
        until_moved(&policy, behind, true).await;
        let first = policy.check_n("id", 10).await.unwrap();
        assert!(first.allowed);
        let filled = Instant::now();
        clock.set(-5);
        until_moved(&policy, decided(&first), false).await;
        let set = Instant::now();
        let denied = policy.check("id").await.unwrap();
        // The control: the clock is set.
        let back = decided(&first).duration_since(decided(&denied));
        assert!(back.unwrap() > Duration::from_secs(3), "{denied:?}");
        assert!(!denied.allowed || algorithm == Algorithm::Gcra || filled.elapsed() > WINDOW);
        let most = WINDOW + WINDOW / 10;
        assert!(denied.reset_after <= most && denied.full_after <= most);
        // All that is allowed from now on is allowed by elapsed time.
        let mut allowed = u64::from(denied.allowed);
        let reopened = loop {
            let asked = Instant::now();
            let decision = policy.check("id").await.unwrap();
            if decision.allowed {
                allowed += 1;
                // It was asked when a window had passed, but for an even rate,
                // which gives back one after a tenth.
                let even = WINDOW / 10;
                let wait = if algorithm == Algorithm::Gcra {
                    even
                } else {
                    WINDOW
                };
                assert!(asked.elapsed() + (asked - filled) >= wait, "{algorithm:?}");
                break Instant::now();
            }
            assert!(set.elapsed() < PATIENCE, "{algorithm:?}: {decision:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        assert!(allowed >= 1);
        // One window, and what a busy machine needs.
        let waited = reopened - set;
        assert!(
            waited < most + Duration::from_secs(3),
            "{algorithm:?} {waited:?}"
        );
    }
}

/// R10
#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_clock_went_ahead_and_back_blocks_nobody_for_longer() {
    let Some(clock) = FakeTime::new() else {
        return;
    };
    let server = clock.server();
    let runtime = on(&server).await;
    for algorithm in ALGORITHMS {
        let policy = asking(&runtime, "api", 10, WINDOW).algorithm(algorithm);
        let policy = policy.build().unwrap();
        let first = policy.check_n("id", 10).await.unwrap();
        assert!(first.allowed);
        clock.set(HOUR);
        until_moved(&policy, decided(&first), true).await;
        let ahead = policy.check_n("id", 10).await.unwrap();
        assert!(ahead.allowed, "a window has passed, as the server sees it");
        clock.set(0);
        until_moved(&policy, decided(&ahead), false).await;
        let set = Instant::now();
        let denied = policy.check_n("id", 10).await.unwrap();
        let back = decided(&ahead).duration_since(decided(&denied));
        assert!(back.unwrap() > Duration::from_secs(3000));
        assert!(!denied.allowed || set.elapsed() > WINDOW, "{denied:?}");
        let most = WINDOW + WINDOW / 10;
        assert!(denied.reset_after <= most && denied.full_after <= most);
        // To look neither allows nor waits longer.
        let peek = policy.peek("id").await.unwrap();
        assert!(peek.full_after <= most, "{peek:?}");
        while !policy.check_n("id", 10).await.unwrap().allowed {
            let waited = set.elapsed();
            assert!(
                waited < most + Duration::from_secs(3),
                "{algorithm:?} {waited:?}"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
