//! M6: a user who may not ask for everything.

use cacheable_runtime::{ErrorKind, Runtime, Stats};
use cacheable_tests::RedisServer;
use cacheable_tests::store::PATIENCE;

use super::{OFTEN, next, node, read, said};

const PASSWORD: &str = "hunter2";

/// A user who may do all but this.
async fn without(server: &RedisServer, commands: &[&str]) -> Runtime {
    let mut words = vec!["ACL", "SETUSER", "app", "reset", "on"];
    let password = format!(">{PASSWORD}");
    words.extend([&password, "~*", "&*", "+@all"]);
    words.extend(commands);
    server.command::<()>(&words);
    let url = format!("redis://app:{PASSWORD}@127.0.0.1:{}/", server.port());
    let builder = Runtime::builder().redis(url).budget(PATIENCE);
    let runtime = builder.require_connection().build().await;
    runtime.expect("the server is up, and lets this user in")
}

async fn sample(server: &RedisServer, commands: &[&str]) -> Stats {
    let runtime = without(server, commands).await;
    read(&runtime, "key").await;
    let stats = runtime.stats().await.expect("what is allowed is told");
    assert!(stats.is_available(), "the server is there");
    // Its own figures are always there.
    assert_eq!(stats.cache.since_start.total().reads(), 1);
    let shown = format!("{stats:?} {}", said(&stats.findings()));
    assert!(!shown.contains(PASSWORD), "{shown}");
    stats
}

#[tokio::test]
async fn what_is_not_asked_for_is_not_needed() {
    let server = RedisServer::start();
    let stats = sample(
        &server,
        &["-config", "-latency", "-memory", "-monitor", "-debug"],
    )
    .await;
    assert!(node(&stats).server.is_ok() && node(&stats).slow_log.is_ok());
}

#[tokio::test]
async fn each_part_is_told_without_the_others() {
    let server = RedisServer::start();
    let stats = sample(&server, &["-slowlog"]).await;
    assert!(node(&stats).server.is_ok());
    let refused = node(&stats).slow_log.as_ref().unwrap_err();
    assert_eq!(refused.code(), Some("NOPERM"));
    assert!(refused.to_string().contains("+slowlog"), "{refused}");

    let stats = sample(&server, &["-info"]).await;
    let refused = node(&stats).server.as_ref().unwrap_err();
    assert_eq!(refused.code(), Some("NOPERM"));
    assert_eq!(refused.error().kind(), ErrorKind::Server);
    assert!(refused.to_string().contains("+info"), "{refused}");
    assert!(node(&stats).slow_log.is_ok());
    assert!(stats.server().is_none() && stats.findings().is_empty());

    // As on some managed services.
    let stats = sample(&server, &["-@admin", "-@dangerous"]).await;
    assert!(node(&stats).server.is_err() && node(&stats).slow_log.is_err());
}

#[tokio::test]
async fn a_monitor_goes_on_when_rights_come_and_go() {
    let server = RedisServer::start();
    let runtime = without(&server, &["-info", "-slowlog"]).await;
    let mut monitor = runtime.monitor(OFTEN);
    assert!(node(&next(&mut monitor).await).server.is_err());
    server.command::<()>(&["ACL", "SETUSER", "app", "+info", "+slowlog"]);
    assert!(node(&next(&mut monitor).await).server.is_ok());
    server.command::<()>(&["ACL", "SETUSER", "app", "-info"]);
    let stats = next(&mut monitor).await;
    assert!(node(&stats).server.is_err() && stats.changes().is_none());
    server.command::<()>(&["ACL", "SETUSER", "app", "+info"]);
    let stats = next(&mut monitor).await;
    // From the last time that it was told, two intervals ago.
    let over = node(&stats)
        .changes
        .as_ref()
        .expect("it was told before")
        .over;
    assert!(over >= stats.interval.unwrap(), "{over:?}");
}

#[tokio::test]
async fn a_command_that_the_server_has_under_another_name_is_marked() {
    let server = RedisServer::start_with(&["--rename-command", "SLOWLOG", ""]);
    let stats = super::on(&server).await.stats().await.unwrap();
    assert!(node(&stats).server.is_ok());
    assert_eq!(
        node(&stats).slow_log.as_ref().unwrap_err().code(),
        Some("ERR")
    );
}

#[tokio::test]
async fn a_walk_over_the_keys_that_is_not_allowed_is_a_typed_error() {
    let server = RedisServer::start();
    for (right, named) in [("-memory", "+memory|usage"), ("-scan", "+scan")] {
        let runtime = without(&server, &[right]).await;
        read(&runtime, "key").await;
        let error = runtime.big_keys().run().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        assert!(error.to_string().contains(named), "{error}");
    }
}
