//! The server is away, stuck, forgetful, or refuses us: methods do not notice.

use std::time::{Duration, Instant};

use cacheable_runtime::{ErrorKind, Runtime};
use cacheable_tests::{Of, Proxy, RedisServer, eventually};
use redis::AsyncTypedCommands;

use crate::service::{Failed, PATIENCE, Service, level_two};

/// Short enough that a test meets it a few times.
const SHORT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_server_that_is_absent_at_the_start_is_used_when_it_comes() {
    let server = RedisServer::start();
    server.kill();
    let began = Instant::now();
    let service = Service::on(&server).await;
    // A refused connection is known at once; the first attempt is not awaited for long.
    assert!(began.elapsed() < Duration::from_secs(5));
    for _ in 0..5 {
        service.loaded(1).await;
    }
    assert_eq!(service.counts().hits_remote, 0);
    assert!(service.counts().remote_errors >= 5);
    server.restart();
    service.heals(1).await;
}

#[tokio::test]
async fn a_server_that_is_killed_and_started_again_is_used_again() {
    let server = RedisServer::start();
    let service = Service::on(&server).await;
    let client = redis::Client::open(server.url()).unwrap();
    let mut plain = client.get_multiplexed_async_connection().await.unwrap();
    service.heals(1).await;
    for _ in 0..2 {
        server.kill();
        for _ in 0..20 {
            service.loaded(1).await;
        }
        server.restart();
        service.heals(1).await;
    }
    // The control: a connection that nobody supervises stays broken.
    for _ in 0..5 {
        assert!(plain.get("key").await.is_err());
    }
}

#[tokio::test]
async fn calls_that_are_under_way_when_the_server_dies_get_their_values() {
    let server = RedisServer::start();
    let service = std::sync::Arc::new(Service::on(&server).await);
    service.heals(0).await;
    let callers: Vec<_> = (0..8)
        .map(|caller| {
            let service = std::sync::Arc::clone(&service);
            tokio::spawn(async move {
                for id in 0..200 {
                    service.read(id * 8 + caller).await.unwrap();
                }
            })
        })
        .collect();
    eventually("they are in the midst of it", PATIENCE, async || {
        service.loads() > 100
    })
    .await;
    server.kill();
    for caller in callers {
        caller.await.unwrap();
    }
    assert!(service.counts().remote_errors > 0);
    server.restart();
    service.heals(0).await;
}

#[tokio::test]
async fn a_server_that_is_stuck_costs_no_more_than_the_command_timeout() {
    let server = RedisServer::start();
    let builder = level_two().redis(server.url());
    let service = Service::with(builder.command_timeout(SHORT).connect_timeout(SHORT)).await;
    service.heals(1).await;
    let paused = server.pause();
    let mut slowest = Duration::ZERO;
    let began = Instant::now();
    while began.elapsed() < 4 * SHORT {
        let called = Instant::now();
        service.loaded(1).await;
        slowest = slowest.max(called.elapsed());
    }
    drop(paused);
    // The first calls meet the timeout; the rest is room for a busy machine.
    assert!(
        slowest >= SHORT / 2,
        "{slowest:?}: the server was not stuck"
    );
    assert!(slowest < SHORT + Duration::from_secs(2), "{slowest:?}");
    service.heals(1).await;
}

#[tokio::test]
async fn a_server_that_forgot_the_scripts_is_given_them_again() {
    let server = RedisServer::start();
    let service = Service::on(&server).await;
    for id in 0..10 {
        server.command::<()>(&["SCRIPT", "FLUSH"]);
        service.loaded(id).await;
        let loads = service.loads();
        service.read(id).await.unwrap();
        assert_eq!(service.loads(), loads, "it was not kept");
    }
    server.command::<()>(&["SCRIPT", "FLUSH"]);
    service.replace(1, 77).await.unwrap();
    assert_eq!(service.read(1).await.unwrap(), 77);
    let total = service.runtime.observe().total();
    assert_eq!((total.remote_errors, total.invalidation_errors), (0, 0));
}

#[tokio::test]
async fn a_server_that_refuses_us_is_used_when_it_lets_us_in() {
    let server = RedisServer::start();
    let service = Service::on(&server).await;
    service.heals(1).await;
    let mut admin = server.connect();
    let set_password = |admin: &mut redis::Connection, password: &str| {
        let mut config = redis::cmd("CONFIG");
        config.arg("SET").arg("requirepass").arg(password);
        config.exec(admin).unwrap();
    };
    set_password(&mut admin, "secret");
    // Connections that are there stay; this one is not allowed to.
    redis::cmd("CLIENT")
        .arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"])
        .exec(&mut admin)
        .unwrap();
    eventually("it is shut out", PATIENCE, async || {
        let loads = service.loads();
        service.read(1).await.unwrap();
        service.loads() > loads
    })
    .await;
    let other = Service::with(level_two().redis(wrong_password(&server))).await;
    other.loaded(1).await;
    set_password(&mut admin, "");
    service.heals(1).await;
    other.heals(1).await;
}

#[tokio::test]
async fn a_start_that_requires_a_connection_says_why_there_is_none() {
    let server = RedisServer::start();
    let required = async |url: String| {
        let runtime = level_two().redis(url).require_connection();
        runtime.build().await.unwrap_err()
    };
    server.command::<()>(&["CONFIG", "SET", "requirepass", "secret"]);
    let error = required(server.url()).await;
    assert_eq!(error.kind(), ErrorKind::Server);
    assert!(error.to_string().starts_with("NOAUTH"), "{error}");
    assert!(error.to_string().contains("REDIS_URL"), "{error}");

    let error = required(wrong_password(&server)).await;
    assert_eq!(error.kind(), ErrorKind::Server);
    assert!(error.to_string().contains("REDIS_URL"), "{error}");
    for text in [format!("{error}"), format!("{error:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    server.kill();
    let error = required(server.url()).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

fn wrong_password(server: &RedisServer) -> String {
    format!("redis://:hunter2@127.0.0.1:{}/", server.port())
}

#[tokio::test]
async fn an_invalidation_that_does_not_arrive_is_counted_and_can_be_reported() {
    let server = RedisServer::start();
    let service = Service::on(&server).await;
    let label = |name| service.runtime.observe().method(name);
    service.write(1).await.unwrap();
    service.write_or_report(1, false).await.unwrap();
    assert_eq!(label("write").invalidation_errors, 0);
    server.kill();

    service.write(1).await.unwrap();
    assert_eq!(label("write").invalidation_errors, 1);
    match service.write_or_report(1, false).await {
        Err(Failed::Cache(error)) => assert!(error.is_unavailable(), "{error:?}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(label("write_or_report").invalidation_errors, 1);
    // The method's own error says more.
    let failed = service.write_or_report(1, true).await;
    assert!(matches!(failed, Err(Failed::Body)), "{failed:?}");
    assert_eq!(label("write_or_report").invalidation_errors, 1);
    service.replace(1, 5).await.unwrap();
    assert_eq!(label("replace").invalidation_errors, 1);

    let error = service.runtime.cache().clear("cache:service:*").await;
    assert!(error.unwrap_err().is_unavailable());
    server.restart();
    service.heals(1).await;
    service.write_or_report(1, false).await.unwrap();
}

/// The question whether the server is there is under way, and has time for long.
#[tokio::test]
async fn a_server_that_is_left_alone_is_known_to_be_away_before_it_has_answered() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let long = 2 * PATIENCE;
    let builder = Runtime::builder().redis(proxy.url());
    let service = Service::with(builder.command_timeout(long).degraded_ttl(long)).await;
    let loads = async |id| {
        let before = service.loads();
        service.read(id).await.unwrap();
        service.loads() > before
    };
    assert!(loads(0).await && !loads(0).await);
    proxy.black_hole(Of::All);
    eventually("it is not trusted any more", PATIENCE, async || {
        loads(0).await
    })
    .await;
    eventually("what is loaded is kept meanwhile", PATIENCE, async || {
        !loads(1).await
    })
    .await;
}
