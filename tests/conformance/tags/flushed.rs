//! A server that forgets: markers and counter can go at any time, and nothing
//! old comes back for that.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use cacheable_runtime::Runtime;
use cacheable_tests::{RedisServer, eventually};

use super::Service;
use crate::stores::PATIENCE;

async fn on(server: &RedisServer) -> Runtime {
    let builder = Runtime::builder().redis(server.url()).budget(PATIENCE);
    let runtime = builder.require_connection().build().await;
    runtime.expect("the server is up")
}

#[tokio::test]
async fn without_markers_and_counter_entries_are_misses() {
    let server = RedisServer::start();
    let s = Service::new(on(&server).await);
    let other = s.over(on(&server).await);
    for lost in [
        "tag:{tag}:counter",
        "tag:{tag}:t:team:a",
        "tag:{tag}:p:tags",
    ] {
        let version = s.update_team("a").await.unwrap();
        for service in [&s, &other] {
            eventually("it is there", PATIENCE, async || {
                service.member("a", 1).await == version
            })
            .await;
        }
        s.write();
        assert_eq!(server.command::<u64>(&["DEL", lost]), 1, "{lost}");
        let version = s.update_team("a").await.unwrap();
        assert_eq!(s.member("a", 1).await, version, "{lost}");
        eventually("the other has heard of it", PATIENCE, async || {
            other.member("a", 1).await == version
        })
        .await;
    }
}

#[tokio::test]
async fn a_load_that_a_flush_overtakes_is_not_read() {
    let server = RedisServer::start();
    let s = Service::new(on(&server).await);
    s.hold();
    let call = tokio::spawn({
        let s = s.clone();
        async move { s.member("a", 1).await }
    });
    s.begun(1).await;
    server.command::<()>(&["FLUSHALL"]);
    s.update_team("a").await.unwrap();
    server.command::<()>(&["FLUSHALL"]);
    s.release(100);
    assert_eq!(call.await.unwrap(), 1);
    assert_eq!(s.member("a", 1).await, 2);
}

/// What readers and writers do while `trouble` is made of them, for a while:
/// who has written reads no older version, and in the end neither does anybody.
async fn checked(server: &RedisServer, mut trouble: impl FnMut()) {
    let s = Service::new(on(server).await);
    let other = s.over(on(server).await);
    let teams: Vec<String> = (0..5).map(|team| format!("team {team}")).collect();
    let end = Instant::now() + Duration::from_secs(3);
    let mut rounds = 0;
    while Instant::now() < end || rounds < 50 {
        for team in &teams {
            let loads = [s.clone(), other.clone()].map(|service| {
                let team = team.clone();
                tokio::spawn(async move {
                    service.member(&team, 1).await;
                    service.roster(&team).await;
                })
            });
            let version = s.update_team(team).await.unwrap();
            trouble();
            let read = s.member(team, 1).await;
            assert!(read >= version, "{read} was read after {version}");
            let read = s.roster(team).await.unwrap();
            assert!(read >= version, "{read} was read after {version}");
            for load in loads {
                load.await.unwrap();
            }
            let read = s.member(team, 1).await;
            assert!(read >= version, "{read} was read after {version}");
        }
        rounds += 1;
    }
    for team in &teams {
        let version = s.update_team(team).await.unwrap();
        for service in [&s, &other] {
            eventually("everybody has the last version", PATIENCE, async || {
                service.member(team, 1).await >= version
                    && service.roster(team).await.unwrap() >= version
            })
            .await;
        }
    }
    let written = s.version.load(Ordering::SeqCst);
    assert!(s.loads() < written * 8, "{} loads of {written}", s.loads());
}

#[tokio::test]
async fn under_flushes_no_old_version_is_read() {
    let server = RedisServer::start();
    let mut turn = 0;
    checked(&server, || {
        turn += 1;
        if turn % 3 == 0 {
            server.command::<()>(&["FLUSHALL"]);
        }
    })
    .await;
}

/// Entries, markers and the counter are evicted alike.
#[tokio::test]
async fn under_evictions_no_old_version_is_read() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru"]);
    let figure = |section: &str, name: &str| -> u64 {
        let info: String = server.command(&["INFO", section]);
        let start = format!("{name}:");
        let line = info.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap().parse().unwrap()
    };
    let limit = figure("memory", "used_memory") + (1 << 20);
    server.command::<()>(&["CONFIG", "SET", "maxmemory", &limit.to_string()]);
    let mut filler = server.connect();
    let mut entries = 0;
    let filling = "x".repeat(20_000);
    checked(&server, || {
        for _ in 0..20 {
            entries += 1;
            let mut set = redis::cmd("SET");
            set.arg(format!("filler:{entries}")).arg(&filling);
            set.exec(&mut filler).unwrap();
        }
    })
    .await;
    let evicted = figure("stats", "evicted_keys");
    assert!(evicted > 200, "there was no pressure: {evicted}");
}
