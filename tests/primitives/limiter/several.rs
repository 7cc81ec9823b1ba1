//! Several policies at once: all or nothing.

use std::time::Duration;

use cacheable_runtime::{Algorithm, ErrorKind, OnFailure, Runtime};
use cacheable_tests::{RedisServer, Store};
use tokio::task::JoinSet;

use super::{ALGORITHMS, MINUTE, asking, on, policy};

async fn a_call_is_counted_under_all_or_under_none(store: Store) {
    let runtime = store.runtime().await;
    let limiter = runtime.rate_limiter();
    let small = policy(&runtime, "small", 3, MINUTE);
    let others = ALGORITHMS.map(|algorithm| {
        let other = asking(&runtime, "large", 100, MINUTE * 600);
        other.algorithm(algorithm).build().unwrap()
    });
    let all = [&others[0], &small, &others[1], &others[2]];
    for left in [2, 1, 0] {
        let decisions = limiter.check_all(&all, "id").await.unwrap();
        assert!(decisions.allowed);
        assert_eq!(decisions.tightest().remaining, left);
        let remaining: Vec<u64> = decisions.each.iter().map(|d| d.remaining).collect();
        assert_eq!(remaining, [97 + left, left, 97 + left, 97 + left]);
    }
    for _ in 0..5 {
        let decisions = limiter.check_all(&all, "id").await.unwrap();
        assert!(!decisions.allowed);
        let allowed: Vec<bool> = decisions.each.iter().map(|d| d.allowed).collect();
        assert_eq!(allowed, [true, false, true, true]);
        let tightest = decisions.tightest();
        assert!(!tightest.allowed && tightest.retry_after.unwrap() <= MINUTE);
    }
    // None has counted the denied ones.
    for other in &others {
        assert_eq!(other.peek("id").await.unwrap().remaining, 97);
    }
    // To look changes nothing, and a cost is asked of all.
    let peek = limiter.check_all_n(&all, "other", 0).await.unwrap();
    assert!(peek.allowed && peek.tightest().remaining == 3);
    let two = limiter.check_all_n(&all, "other", 2).await.unwrap();
    assert_eq!(two.tightest().remaining, 1);
    let error = limiter.check_all_n(&all, "other", 4).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Argument);
}

async fn a_policy_on_trial_stops_none_of_the_others(store: Store) {
    let runtime = store.runtime().await;
    let limiter = runtime.rate_limiter();
    let trial = asking(&runtime, "trial", 1, MINUTE).shadow(true);
    let trial = trial.build().unwrap();
    let real = policy(&runtime, "real", 10, MINUTE);
    for number in 0..5 {
        let decisions = limiter.check_all(&[&trial, &real], "id").await.unwrap();
        assert!(decisions.allowed);
        assert_eq!(decisions.each[0].shadowed, number > 0);
        assert_eq!(decisions.each[1].remaining, 9 - number);
    }
}

async fn many_at_once_stop_at_the_tightest(store: Store) {
    let runtime = store.runtime().await;
    let policies = [
        ("a", 40, MINUTE),
        ("b", 25, MINUTE * 60),
        ("c", 2_000, MINUTE),
    ]
    .map(|(name, limit, window)| policy(&runtime, name, limit, window));
    let mut calls = JoinSet::new();
    for _ in 0..60 {
        let (limiter, policies) = (runtime.rate_limiter(), policies.clone());
        calls.spawn(async move {
            let all: Vec<_> = policies.iter().collect();
            limiter.check_all(&all, "id").await.unwrap().allowed
        });
    }
    let allowed = calls.join_all().await.into_iter().filter(|a| *a).count();
    assert_eq!(allowed, 25);
    let remaining = policies[0].peek("id").await.unwrap().remaining;
    assert_eq!(remaining, 15);
}

async fn what_makes_no_sense_is_refused(store: Store) {
    let runtime = store.runtime().await;
    let limiter = runtime.rate_limiter();
    let one = policy(&runtime, "one", 10, MINUTE);
    // Another limit of one name and window is the same history.
    let same = policy(&runtime, "one", 20, MINUTE);
    let elsewhere = policy(&Runtime::embedded(), "two", 10, MINUTE);
    for policies in [&[][..], &[&one, &one], &[&one, &same], &[&one, &elsewhere]] {
        let error = limiter.check_all(policies, "id").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument, "{error}");
    }
    let hourly = policy(&runtime, "one", 10, MINUTE * 60);
    assert!(
        limiter
            .check_all(&[&one, &hourly], "id")
            .await
            .unwrap()
            .allowed
    );
}

/// Each policy says what happens while nobody can be asked; one that denies
/// lets the others count nothing.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_each_goes_by_its_own() {
    let server = RedisServer::start();
    let runtime = on(&server).await;
    let limiter = runtime.rate_limiter();
    let of = |name: &str, on_failure| {
        let builder = asking(&runtime, name, 2, MINUTE).timeout(Duration::from_millis(500));
        builder.on_failure(on_failure).build().unwrap()
    };
    let (open, closed) = (of("open", OnFailure::Open), of("closed", OnFailure::Closed));
    let (local, error) = (of("local", OnFailure::Local), of("error", OnFailure::Error));
    server.kill();
    let denied = limiter.check_all(&[&open, &local, &closed], "id").await;
    let denied = denied.unwrap();
    let allowed: Vec<bool> = denied.each.iter().map(|d| d.allowed).collect();
    assert_eq!(allowed, [true, true, false]);
    assert_eq!(denied.each[1].remaining, 2, "it was counted");
    for left in [1, 0] {
        let decisions = limiter.check_all(&[&open, &local], "id").await.unwrap();
        assert!(decisions.allowed && decisions.each[1].remaining == left);
    }
    let decisions = limiter.check_all(&[&open, &local], "id").await.unwrap();
    assert!(!decisions.allowed && decisions.each[0].allowed);
    let failed = limiter.check_all(&[&open, &error], "id").await.unwrap_err();
    assert!(failed.is_unavailable(), "{failed}");
    assert_eq!(error.counts().errors, 1);
}

/// An automatic choice of the algorithm is one of the others.
async fn the_automatic_choice_goes_by_the_limit(store: Store) {
    let runtime = store.runtime().await;
    for (limit, chosen) in [(1024, Algorithm::Exact), (1025, Algorithm::Segmented)] {
        let automatic = policy(&runtime, "auto", limit, MINUTE);
        assert!(automatic.check_n("id", 7).await.unwrap().allowed);
        let named = asking(&runtime, "auto", limit, MINUTE).algorithm(chosen);
        let peek = named.build().unwrap().peek("id").await.unwrap();
        assert_eq!(peek.remaining, limit - 7);
    }
}

crate::on_every_store! {
    a_call_is_counted_under_all_or_under_none,
    a_policy_on_trial_stops_none_of_the_others,
    many_at_once_stop_at_the_tightest,
    what_makes_no_sense_is_refused,
    the_automatic_choice_goes_by_the_limit,
}
