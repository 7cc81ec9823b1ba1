//! Denials that are remembered in this process: a flood over a limit is no
//! flood of questions, and nothing is ever allowed by them.

use std::time::{Duration, Instant};

use cacheable_runtime::{Algorithm, RatePolicy, Runtime, Source};
use cacheable_tests::store::PATIENCE;
use cacheable_tests::{RedisServer, eventually};

use super::{MINUTE, asking, on};

/// Remembers denials for as long as they last.
fn remembering(runtime: &Runtime, name: &str, limit: u64, window: Duration) -> RatePolicy {
    let builder = asking(runtime, name, limit, window).remember_denials(MINUTE);
    builder.build().unwrap()
}

fn scripts(server: &RedisServer) -> u64 {
    let stats: String = server.command(&["INFO", "commandstats"]);
    let line = stats
        .lines()
        .find(|line| line.starts_with("cmdstat_evalsha:"));
    let calls = line.and_then(|line| line.split(['=', ',']).nth(1));
    calls.map_or(0, |calls| calls.parse().unwrap())
}

/// R26
#[tokio::test(flavor = "multi_thread")]
async fn a_denial_is_repeated_without_a_question_until_a_reset() {
    let server = RedisServer::start();
    let runtime = on(&server).await;
    let policy = remembering(&runtime, "api", 3, MINUTE);
    assert!(policy.check_n("id", 3).await.unwrap().allowed);
    let first = policy.check("id").await.unwrap();
    assert_eq!(first.source, Source::Redis);
    let before = scripts(&server);
    for _ in 0..100 {
        let denied = policy.check("id").await.unwrap();
        assert!(!denied.allowed && denied.source == Source::DenyCache);
        assert_eq!((denied.remaining, denied.reset_at), (0, first.reset_at));
        assert!(denied.retry_after.unwrap() <= first.retry_after.unwrap());
    }
    assert_eq!(scripts(&server), before);
    assert_eq!(policy.counts().from_deny_cache, 100);
    // To look asks.
    assert_eq!(policy.peek("id").await.unwrap().source, Source::Redis);
    // What costs more is denied, too; another id and another policy are not.
    assert!(!policy.check_n("id", 2).await.unwrap().allowed);
    assert!(policy.check("id 2").await.unwrap().allowed);
    let other = remembering(&runtime, "other", 3, MINUTE);
    assert!(other.check("id").await.unwrap().allowed);

    assert!(policy.reset("id").await.unwrap());
    let fresh = policy.check_n("id", 3).await.unwrap();
    assert!(fresh.allowed && fresh.source == Source::Redis);
    assert!(!policy.check("id").await.unwrap().allowed);
    assert_eq!(policy.check("id").await.unwrap().source, Source::DenyCache);
    assert_eq!(policy.refund("id", 1).await.unwrap(), 1);
    assert!(policy.check("id").await.unwrap().allowed);
}

/// R26
#[tokio::test(flavor = "multi_thread")]
async fn when_the_reset_has_passed_the_server_decides() {
    let server = RedisServer::start();
    let runtime = on(&server).await;
    let window = Duration::from_millis(700);
    let policy = remembering(&runtime, "api", 3, window);
    for _ in 0..3 {
        assert!(policy.check_n("id", 3).await.unwrap().allowed);
        let began = Instant::now();
        let mut remembered = 0;
        loop {
            let decision = policy.check("id").await.unwrap();
            if decision.allowed {
                assert_eq!(decision.source, Source::Redis);
                break;
            }
            remembered += u32::from(decision.source == Source::DenyCache);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // Not much is left of the window when it is asked first, should the
        // machine be busy.
        assert!(remembered > 0 || began.elapsed() > window);
        assert!(began.elapsed() < PATIENCE);
        policy.reset("id").await.unwrap();
    }
}

/// What fits is asked for, whatever is remembered of what does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_denial_says_nothing_of_what_costs_less() {
    let server = RedisServer::start();
    let runtime = on(&server).await;
    let policy = remembering(&runtime, "api", 10, MINUTE);
    assert!(policy.check_n("id", 7).await.unwrap().allowed);
    assert!(!policy.check_n("id", 5).await.unwrap().allowed);
    assert_eq!(
        policy.check_n("id", 5).await.unwrap().source,
        Source::DenyCache
    );
    assert!(policy.check_n("id", 3).await.unwrap().allowed);
    assert!(!policy.check("id").await.unwrap().allowed);
    // Nor of a larger limit.
    let larger = remembering(&runtime, "api", 20, MINUTE);
    assert!(larger.check("id").await.unwrap().allowed);
}

/// A reset in another process is seen as soon as the policy says.
#[tokio::test(flavor = "multi_thread")]
async fn a_reset_elsewhere_is_seen_when_the_memory_ends() {
    let server = RedisServer::start();
    let (here, there) = (on(&server).await, on(&server).await);
    let longest = Duration::from_millis(300);
    let of = |runtime, longest| {
        let builder = asking(runtime, "api", 1, MINUTE);
        builder.remember_denials(longest).build().unwrap()
    };
    let policy = of(&here, longest);
    assert!(policy.check("id").await.unwrap().allowed);
    assert!(!policy.check("id").await.unwrap().allowed);
    assert!(of(&there, longest).reset("id").await.unwrap());
    eventually("it is allowed", PATIENCE, async || {
        policy.check("id").await.unwrap().allowed
    })
    .await;
    // One that remembers nothing sees it at once.
    let policy = of(&here, Duration::ZERO);
    assert!(!policy.check("id").await.unwrap().allowed);
    assert!(of(&there, longest).reset("id").await.unwrap());
    assert!(policy.check("id").await.unwrap().allowed);
}

/// A denial from before a reset is not remembered after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denial_that_a_reset_has_overtaken_is_forgotten() {
    let server = RedisServer::start();
    let runtime = on(&server).await;
    let policy = remembering(&runtime, "api", 1, MINUTE);
    for _ in 0..200 {
        assert!(policy.check("id").await.unwrap().allowed);
        let racing = tokio::spawn({
            let policy = policy.clone();
            async move { policy.check("id").await.unwrap().allowed }
        });
        policy.reset("id").await.unwrap();
        if racing.await.unwrap() {
            policy.reset("id").await.unwrap();
        }
        assert!(policy.check("id").await.unwrap().allowed);
        policy.reset("id").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dearer_call_is_told_its_own_time_to_wait() {
    let server = RedisServer::start();
    let runtime = on(&server).await;
    let builder = asking(&runtime, "api", 3, MINUTE).algorithm(Algorithm::Gcra);
    let policy = builder.remember_denials(MINUTE).build().unwrap();
    assert!(policy.check_n("id", 3).await.unwrap().allowed);
    // One unit is back after a third of the window, three after all of it.
    let cheap = policy.check("id").await.unwrap();
    assert!(cheap.retry_after.unwrap() <= MINUTE / 3);
    let dear = policy.check_n("id", 3).await.unwrap();
    assert!(!dear.allowed && dear.retry_after.unwrap() > MINUTE / 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_nothing_denies_whatever_a_call_costs() {
    let server = RedisServer::start();
    let runtime = on(&server).await;
    for algorithm in super::ALGORITHMS {
        let builder = asking(&runtime, "api", 0, MINUTE).algorithm(algorithm);
        let policy = builder.build().unwrap();
        let denied = policy.check_n("id", u64::MAX).await.unwrap();
        assert!(!denied.allowed && denied.retry_after.is_none());
    }
}
