//! What goes over the wire: which commands, how many, in which protocol.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cacheable_runtime::Policy;
use cacheable_tests::RedisServer;
use redis::Connection;

use crate::service::{Service, level_two};

/// How often the server has run `command`, within scripts too.
pub(crate) fn calls(server: &RedisServer, command: &str) -> u64 {
    let stats: String = server.command(&["INFO", "commandstats"]);
    let start = format!("cmdstat_{command}:calls=");
    let line = stats.lines().find_map(|line| line.strip_prefix(&start));
    let count = line.and_then(|line| line.split(',').next());
    count.map_or(0, |count| count.parse().unwrap())
}

/// Sees every command that clients send.
struct Monitor<'a> {
    server: &'a RedisServer,
    connection: Connection,
}

impl<'a> Monitor<'a> {
    fn start(server: &'a RedisServer) -> Self {
        let mut connection = server.connect();
        redis::cmd("MONITOR").exec(&mut connection).unwrap();
        Self { server, connection }
    }

    /// The commands since the last look, by name, without those that scripts
    /// run and without the heartbeat.
    fn seen(&mut self) -> Vec<String> {
        self.server.command::<()>(&["ECHO", "until here"]);
        let mut seen = Vec::new();
        loop {
            let line = self.connection.recv_response().unwrap();
            let line: String = redis::from_redis_value(line).unwrap();
            if line.contains("until here") {
                return seen;
            }
            // `1700000000.1 [0 127.0.0.1:5000] "GET" "key"`, or `[0 lua]`.
            let (from, words) = line.split_once("] ").unwrap();
            let name = words.split('"').nth(1).unwrap().to_uppercase();
            if !from.ends_with(" lua")
                && !["TIME", "HELLO", "CLIENT", "PING", "INFO"].contains(&&*name)
            {
                seen.push(name);
            }
        }
    }
}

#[tokio::test]
async fn a_hit_is_one_command_and_a_miss_is_three() {
    let server = RedisServer::start();
    let service = Service::on(&server).await;
    let mut monitor = Monitor::start(&server);
    // With the first entry of a prefix the marker of the prefix is read.
    service.loaded(7).await;
    assert_eq!(monitor.seen(), ["GET", "EVALSHA", "SET", "EVALSHA"]);
    service.loaded(1).await;
    assert_eq!(monitor.seen(), ["GET", "SET", "EVALSHA"]);
    for _ in 0..3 {
        service.read(1).await.unwrap();
        assert_eq!(monitor.seen(), ["GET"]);
    }
    service.write(1).await.unwrap();
    assert_eq!(monitor.seen(), ["UNLINK"]);
    service.replace(1, 5).await.unwrap();
    assert_eq!(monitor.seen(), ["SET", "EVALSHA"]);
    assert_eq!(service.loads(), 2);
}

/// Who asks after a removal expects to find nothing, and asks for a lease at
/// once; if there is something, that is asked for then.
#[tokio::test]
async fn a_miss_after_a_removal_is_two_commands() {
    let server = RedisServer::start();
    let service = Service::on(&server).await;
    service.loaded(1).await;
    let mut monitor = Monitor::start(&server);
    service.write(1).await.unwrap();
    service.loaded(1).await;
    assert_eq!(monitor.seen(), ["UNLINK", "SET", "EVALSHA"]);
    service.read(1).await.unwrap();
    assert_eq!(monitor.seen(), ["GET"]);
    // Another process asks first.
    let other = Service::on(&server).await;
    for id in 2..=10 {
        other.loaded(id).await;
    }
    service.write(1).await.unwrap();
    other.loaded(1).await;
    monitor.seen();
    let loads = service.loads();
    assert_eq!(service.read(1).await.unwrap(), 10);
    assert_eq!(monitor.seen(), ["SET", "GET"]);
    assert_eq!(service.read(1).await.unwrap(), 10);
    assert_eq!(monitor.seen(), ["GET"]);
    assert_eq!(service.loads(), loads);
}

#[tokio::test]
async fn several_keys_are_one_round_trip() {
    let server = RedisServer::start();
    let cache = Service::on(&server).await.runtime.cache();
    let mut monitor = Monitor::start(&server);
    let life = Duration::from_secs(60);
    cache.set_many([("a", &1), ("b", &2)], life).await.unwrap();
    assert_eq!(monitor.seen(), ["SET", "SET"]);
    cache.get_many::<i32, _>(["a", "b", "c"]).await.unwrap();
    assert_eq!(monitor.seen(), ["MGET"]);
}

#[tokio::test]
async fn a_pattern_is_swept_without_holding_up_the_server() {
    let server = RedisServer::start();
    let cache = Service::on(&server).await.runtime.cache();
    let entries = (0..5_000).map(|id| (format!("api:{id}"), &1));
    cache
        .set_many(entries, Duration::from_secs(60))
        .await
        .unwrap();
    let mut monitor = Monitor::start(&server);
    assert_eq!(cache.clear("api:*").await.unwrap(), 5_000);
    let seen = monitor.seen();
    let names: BTreeSet<&str> = seen.iter().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(["SCAN", "UNLINK"]));
    // In steps of about a thousand.
    let scans = seen.iter().filter(|name| *name == "SCAN").count();
    assert!((3..=12).contains(&scans), "{scans}");
}

/// Everything that the runtime can do, in the words of the server's own statistics.
#[tokio::test]
async fn no_other_commands_are_ever_sent() {
    let server = RedisServer::start();
    let before = commands(&server);
    assert!(!before.contains_key("scan"), "{before:?}");
    let service = Service::on(&server).await;
    let cache = service.runtime.cache();
    service.heals(1).await;
    service.write(1).await.unwrap();
    service.write_or_report(1, false).await.unwrap();
    service.replace(1, 5).await.unwrap();
    cache.set("a", &1, Duration::from_secs(60)).await.unwrap();
    cache.get_many::<i32, _>(["a"]).await.unwrap();
    cache.inspect("a").await.unwrap();
    let policy = Policy::new(Duration::from_secs(60));
    let failed = cache.get_or_load("fails", policy, async || Err::<i32, _>(()));
    failed.await.unwrap_err();
    cache.remove("a").await.unwrap();
    cache.clear("*").unrestricted().await.unwrap();
    service.runtime.shutdown(Duration::from_secs(5)).await;
    let known = [
        // Servers before 7.0 do not tell the second word.
        "client",
        "client|info",
        "client|setinfo",
        "client|tracking",
        "config",
        "config|get",
        "del",
        "evalsha",
        "exists",
        "get",
        "getrange",
        "hello",
        "info",
        "mget",
        "persist",
        "pexpire",
        "ping",
        "pttl",
        "scan",
        "script",
        "script|load",
        "select",
        "set",
        "time",
        "type",
        "unlink",
    ];
    let mut sent = commands(&server);
    // Some servers run commands of their own when they start.
    sent.retain(|name, calls| before.get(name).is_none_or(|before| before < calls));
    sent.retain(|name, _| !known.contains(&name.as_str()));
    assert_eq!(sent, BTreeMap::new());
    // The control: what was done is seen here.
    for name in ["scan", "unlink", "evalsha", "mget", "pttl"] {
        assert!(calls(&server, name) > 0, "{name}");
    }
}

/// What the server has run, and how often.
fn commands(server: &RedisServer) -> BTreeMap<String, u64> {
    let stats: String = server.command(&["INFO", "commandstats"]);
    let counts = stats.lines().filter_map(|line| {
        let (name, counts) = line.strip_prefix("cmdstat_")?.split_once(':')?;
        let calls = counts.strip_prefix("calls=")?.split(',').next()?;
        Some((name.to_owned(), calls.parse().unwrap()))
    });
    // What the connection of the harness asked for and did not get does not count.
    counts.filter(|(_, calls)| *calls > 0).collect()
}

#[tokio::test]
async fn two_connections_carry_all_and_speak_resp3() {
    let server = RedisServer::start();
    let builder = level_two().redis(server.url()).pool_size(4);
    let service = std::sync::Arc::new(Service::with(builder).await);
    let calls: Vec<_> = (0..500)
        .map(|id| {
            let service = std::sync::Arc::clone(&service);
            tokio::spawn(async move { service.read(id).await.unwrap() })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(service.counts().hits_remote + service.loads(), 500);
    let clients: String = server.command(&["CLIENT", "LIST"]);
    // The one that asks is there, too.
    let ours: Vec<_> = clients
        .lines()
        .filter(|line| !line.contains("cmd=client"))
        .collect();
    // One that is followed, one for removals.
    assert_eq!(ours.len(), 2, "{clients}");
    // Servers before 7.0 do not say.
    assert!(
        !ours[0].contains(" resp=") || ours[0].contains(" resp=3"),
        "{clients}"
    );
}
