//! Servers that are away, stuck or forgetful, or hold something else.

use std::time::{Duration, Instant};

use cacheable_runtime::{Decision, ErrorKind, OnFailure, RatePolicy, Runtime, Source};
use cacheable_tests::store::PATIENCE;
use cacheable_tests::{RedisServer, eventually};
use tokio::task::{JoinSet, block_in_place};

use super::{ALGORITHMS, MINUTE, allowed, asking, on, policy};

/// How long a check may take where the server does not answer.
const SHORT: Duration = Duration::from_millis(200);

/// What a busy machine needs beside.
const SLACK: Duration = Duration::from_secs(2);

struct Policies {
    error: RatePolicy,
    open: RatePolicy,
    closed: RatePolicy,
    local: RatePolicy,
    trial: RatePolicy,
}

impl Policies {
    fn of(runtime: &Runtime, timeout: Duration) -> Self {
        let of = |name: &str, on_failure| {
            let builder = asking(runtime, name, 10, MINUTE).timeout(timeout);
            builder.on_failure(on_failure).fleet(5)
        };
        Self {
            error: of("error", OnFailure::Error).build().unwrap(),
            open: of("open", OnFailure::Open).build().unwrap(),
            closed: of("closed", OnFailure::Closed).build().unwrap(),
            local: of("local", OnFailure::Local).build().unwrap(),
            trial: of("trial", OnFailure::Error).shadow(true).build().unwrap(),
        }
    }

    /// Each does what it says, and says so.
    async fn fail(&self, kinds: &[ErrorKind]) {
        let began = Instant::now();
        let error = self.error.check("id").await.unwrap_err();
        assert!(kinds.contains(&error.kind()), "{error:?}");
        let failed = |decision: &Decision| {
            let failure = decision.failure.as_ref().expect("it is marked");
            assert!(kinds.contains(&failure.kind()), "{failure:?}");
        };
        for (policy, allows) in [
            (&self.open, true),
            (&self.closed, false),
            (&self.trial, true),
        ] {
            let before = policy.counts().failures;
            let decision = policy.check("id").await.unwrap();
            failed(&decision);
            assert_eq!(policy.counts().failures, before + 1);
            assert_eq!(
                (decision.allowed, decision.source),
                (allows, Source::Failure)
            );
            assert_eq!((decision.remaining, decision.limit), (0, 10));
            assert_eq!(decision.retry_after.is_some(), !allows);
        }
        // What this process has counted is forgotten in any case.
        let _ = self.local.reset("id").await;
        // A fifth of the limit.
        for left in [1, 0] {
            let decision = self.local.check("id").await.unwrap();
            failed(&decision);
            assert!(decision.allowed && decision.source == Source::Local);
            assert_eq!((decision.remaining, decision.limit), (left, 2));
        }
        let denied = self.local.check("id").await.unwrap();
        assert!(!denied.allowed && denied.retry_after.is_some());
        // Eight questions at most.
        assert!(began.elapsed() < 8 * SHORT + SLACK, "{:?}", began.elapsed());
    }

    /// The server decides again.
    async fn recover(&self) {
        for policy in [
            &self.error,
            &self.open,
            &self.closed,
            &self.local,
            &self.trial,
        ] {
            eventually("the server decides", PATIENCE, async || {
                let decision = policy.check("id").await;
                decision.is_ok_and(|decision| decision.source == Source::Redis)
            })
            .await;
        }
    }
}

/// R18
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_forgot_the_scripts_is_given_them_again() {
    let server = RedisServer::start();
    let runtime = on(&server).await;
    let policy = policy(&runtime, "api", 1_000, MINUTE);
    for number in 1..=10 {
        server.command::<()>(&["SCRIPT", "FLUSH"]);
        assert_eq!(policy.check("id").await.unwrap().remaining, 1_000 - number);
        server.command::<()>(&["SCRIPT", "FLUSH"]);
        assert_eq!(policy.refund("other", 1).await.unwrap(), 0);
    }
    server.command::<()>(&["SCRIPT", "FLUSH"]);
    let mut calls = JoinSet::new();
    for _ in 0..100 {
        let policy = policy.clone();
        calls.spawn(async move { policy.check("id").await });
    }
    for decision in calls.join_all().await {
        assert!(decision.unwrap().allowed);
    }
    assert_eq!(policy.peek("id").await.unwrap().remaining, 890);
}

/// R19
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_became_a_replica_decides_nothing() {
    let (server, other) = (RedisServer::start(), RedisServer::start());
    let runtime = on(&server).await;
    let policies = Policies::of(&runtime, SLACK);
    policies.recover().await;
    server.command::<()>(&["REPLICAOF", "127.0.0.1", &other.port().to_string()]);
    policies
        .fail(&[ErrorKind::Topology, ErrorKind::Unavailable])
        .await;
    server.command::<()>(&["REPLICAOF", "NO", "ONE"]);
    policies.recover().await;
}

/// R20
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_stuck_or_away_costs_no_more_than_the_timeout() {
    let server = RedisServer::start();
    let runtime = on(&server).await;
    let policies = Policies::of(&runtime, SHORT);
    policies.recover().await;
    let paused = server.pause();
    policies
        .fail(&[ErrorKind::Timeout, ErrorKind::Unavailable])
        .await;
    drop(paused);
    policies.recover().await;
    block_in_place(|| server.kill());
    policies
        .fail(&[ErrorKind::Unavailable, ErrorKind::Timeout])
        .await;
    block_in_place(|| server.restart());
    policies.recover().await;
}

/// R20: the budget of the runtime is the timeout unless a policy has its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_check_waits_for_the_budget_of_the_runtime() {
    let server = RedisServer::start();
    let builder = Runtime::builder().redis(server.url()).budget(SHORT);
    let runtime = builder.require_connection().build().await.unwrap();
    let limiter = runtime.rate_limiter();
    let paused = server.pause();
    let began = Instant::now();
    let error = limiter.check("id", 10, MINUTE).await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    assert!(began.elapsed() < SHORT + SLACK);
    drop(paused);
    eventually("the server decides", PATIENCE, async || {
        limiter.check("id", 10, MINUTE).await.is_ok()
    })
    .await;
}

/// R23
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_gone_or_holds_something_else() {
    let server = RedisServer::start();
    let runtime = on(&server).await;
    for algorithm in ALGORITHMS {
        let builder = asking(&runtime, "api", 10, MINUTE).algorithm(algorithm);
        // It is no failure of the server, which would allow or deny for ever.
        for on_failure in [OnFailure::Error, OnFailure::Closed, OnFailure::Open] {
            let policy = builder.clone().on_failure(on_failure).build().unwrap();
            assert!(policy.check_n("id", 10).await.unwrap().allowed);
            let keys: Vec<String> = server.command(&["KEYS", "limit:*"]);
            let [key] = &keys[..] else {
                panic!("{keys:?}");
            };
            server.command::<()>(&["DEL", key]);
            assert_eq!(policy.check_n("id", 1).await.unwrap().remaining, 9);
            for wrong in [
                &["SET", key, "text"][..],
                &["RPUSH", key, "text"],
                &["HSET", key, "field", "text"],
                &["SADD", key, "member"],
                &["ZADD", key, "1", "member"],
            ] {
                server.command::<()>(&["DEL", key]);
                server.command::<()>(wrong);
                let error = policy.check("id").await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Conflict, "{wrong:?} {error}");
                assert!(error.to_string().contains("reset"), "{error}");
                for answer in [
                    policy.peek("id").await.map(drop),
                    policy.refund("id", 1).await.map(drop),
                ] {
                    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Conflict, "{wrong:?}");
                }
                assert!(policy.reset("id").await.unwrap());
                assert_eq!(policy.check("id").await.unwrap().remaining, 9);
            }
            policy.reset("id").await.unwrap();
        }
    }
}

/// X2
#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_memory_is_full_takes_back_and_forgets() {
    let server = RedisServer::start();
    let runtime = on(&server).await;
    let policies = Policies::of(&runtime, SLACK);
    let policy = policy(&runtime, "api", 10, MINUTE);
    assert!(policy.check_n("id", 10).await.unwrap().allowed);
    server.command::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    policies.fail(&[ErrorKind::Server]).await;
    assert_eq!(policy.refund("id", 4).await.unwrap(), 4);
    assert!(policy.reset("id").await.unwrap());
    server.command::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    policies.recover().await;
    assert_eq!(allowed(&policy, "id", 20).await, 10);
}

/// X3
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_writes_denies_nothing() {
    let server = RedisServer::start();
    let runtime = on(&server).await;
    let policies = Policies::of(&runtime, SLACK);
    policies.recover().await;
    server.command::<()>(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    policies.fail(&[ErrorKind::Server]).await;
    server.command::<()>(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    policies.recover().await;

    // A snapshot that fails.
    server.command::<()>(&["CONFIG", "SET", "save", "3600 1"]);
    block_in_place(|| server.lose_directory());
    let mut admin = server.connect();
    let mut saves = |wanted: &str| {
        // It begins none while another runs.
        let _: redis::RedisResult<()> = redis::cmd("BGSAVE").query(&mut admin);
        let info: String = server.command(&["INFO", "persistence"]);
        info.contains(&format!("rdb_last_bgsave_status:{wanted}"))
    };
    eventually("a snapshot has failed", PATIENCE, async || saves("err")).await;
    policies.fail(&[ErrorKind::Server]).await;
    let setting = "stop-writes-on-bgsave-error";
    server.command::<()>(&["CONFIG", "SET", setting, "no"]);
    policies.recover().await;
}

/// X4
#[tokio::test(flavor = "multi_thread")]
async fn writes_that_are_held_up_hold_up_nobody_and_count_once() {
    let server = RedisServer::start();
    let runtime = on(&server).await;
    let builder = asking(&runtime, "api", 10, MINUTE * 10).timeout(SHORT);
    let policy = builder.on_failure(OnFailure::Closed).build().unwrap();
    assert!(policy.check("id").await.unwrap().allowed);
    server.command::<()>(&["CLIENT", "PAUSE", "3000", "WRITE"]);
    let paused = Instant::now();
    let mut failures = 0;
    while paused.elapsed() < Duration::from_millis(1500) {
        let began = Instant::now();
        let decision = policy.check("id").await.unwrap();
        failures += u32::from(decision.source == Source::Failure);
        assert!(began.elapsed() < SHORT + SLACK);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(failures > 0);
    eventually("the server decides", PATIENCE, async || {
        policy.peek("id").await.unwrap().source == Source::Redis
    })
    .await;
    // What was given up may have been counted, and nothing more than that.
    let rest = policy.peek("id").await.unwrap().remaining;
    assert!(rest >= 9_u64.saturating_sub(u64::from(failures)));
    assert_eq!(allowed(&policy, "id", 15).await, rest);
}

/// X5
#[tokio::test(flavor = "multi_thread")]
async fn after_everything_is_flushed_limits_begin_anew() {
    let server = RedisServer::start();
    let runtime = on(&server).await;
    for algorithm in ALGORITHMS {
        let policy = asking(&runtime, "api", 10, MINUTE * 60).algorithm(algorithm);
        let policy = policy.build().unwrap();
        let mut tasks = JoinSet::new();
        for _ in 0..4 {
            let policy = policy.clone();
            tasks.spawn(async move { allowed(&policy, "id", 250).await });
        }
        for _ in 0..5 {
            server.command::<()>(&["FLUSHALL"]);
        }
        let total: u64 = tasks.join_all().await.into_iter().sum();
        assert!((10..=60).contains(&total), "{total}");
        server.command::<()>(&["FLUSHALL"]);
        assert_eq!(policy.check("id").await.unwrap().remaining, 9);
        server.command::<()>(&["FLUSHALL"]);
    }
}

/// X8
#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_that_is_shut_down_decides_nothing_and_leaves_nothing() {
    let server = RedisServer::start();
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let before = tasks();
    let runtime = on(&server).await;
    let builder = asking(&runtime, "api", 10, MINUTE).on_failure(OnFailure::Open);
    let policy = builder.build().unwrap();
    assert!(policy.check("id").await.unwrap().allowed);
    assert!(tasks() > before);
    runtime.shutdown(PATIENCE).await;
    let error = policy.check("id").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ShutDown);
    assert_eq!(
        policy.reset("id").await.unwrap_err().kind(),
        ErrorKind::ShutDown
    );
    drop((runtime, policy));
    eventually("no task is left", PATIENCE, async || tasks() == before).await;
    eventually("no connection is left", PATIENCE, async || {
        let clients: String = server.command(&["CLIENT", "LIST"]);
        clients.lines().count() == 1
    })
    .await;
}
