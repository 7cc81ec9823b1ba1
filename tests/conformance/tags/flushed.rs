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

/// Removed, and then what says so is lost: with the marker there, or all that
/// the server knows of removals.
#[tokio::test]
async fn without_markers_and_counter_entries_are_misses() {
    let server = RedisServer::start();
    let s = Service::new(on(&server).await);
    let other = s.over(on(&server).await);
    let marker = "tag:{tag}:t:team:a";
    for lost in [&[marker][..], &[marker, "tag:{tag}:counter"]] {
        for service in [&s, &other] {
            let newest = s.version.load(Ordering::SeqCst);
            eventually("it is there", PATIENCE, async || {
                service.member("a", 1).await == newest
            })
            .await;
        }
        let version = s.update_team("a").await.unwrap();
        // One command, as the server lets go of keys between two of them.
        let words = [&["DEL"], lost].concat();
        assert_eq!(server.command::<usize>(&words), lost.len());
        eventually("the other has heard of it", PATIENCE, async || {
            other.member("a", 1).await == version
        })
        .await;
        assert_eq!(s.member("a", 1).await, version, "{lost:?}");
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
/// nobody reads an older version than the last that was made to be read.
async fn checked(server: &RedisServer, mut trouble: impl FnMut()) {
    let s = Service::new(on(server).await);
    let other = s.over(on(server).await);
    let teams: Vec<String> = (0..100).map(|team| format!("team {team}")).collect();
    let end = Instant::now() + Duration::from_secs(3);
    let mut rounds = 0;
    while Instant::now() < end || rounds < 5 {
        rounds += 1;
        for team in &teams {
            other.member(team, 1).await;
        }
        let loads = [s.clone(), other.clone()].map(|service| {
            let teams = teams.clone();
            tokio::spawn(async move {
                for team in teams {
                    service.member(&team, 1).await;
                    service.roster(&team).await;
                }
            })
        });
        let mut versions = Vec::new();
        for team in &teams {
            versions.push(s.update_team(team).await.unwrap());
        }
        trouble();
        for (team, &version) in teams.iter().zip(&versions) {
            let read = (s.member(team, 1).await, s.roster(team).await.unwrap());
            assert!(read.0.min(read.1) >= version, "{read:?} after {version}");
        }
        for load in loads {
            load.await.unwrap();
        }
        for (team, &version) in teams.iter().zip(&versions) {
            eventually("the other has heard of it", PATIENCE, async || {
                let read = (other.member(team, 1).await, other.roster(team).await);
                read.0.min(read.1.unwrap()) >= version
            })
            .await;
            // And so it stays.
            let read = (s.member(team, 1).await, other.member(team, 1).await);
            assert!(read.0.min(read.1) >= version, "{read:?} after {version}");
        }
    }
}

#[tokio::test]
async fn under_flushes_no_old_version_is_read() {
    let server = RedisServer::start();
    checked(&server, || server.command::<()>(&["FLUSHALL"])).await;
}

/// Entries, markers and the counter are evicted alike: of one sample, whatever
/// it is goes.
#[tokio::test]
async fn under_evictions_no_old_version_is_read() {
    let policy = ["--maxmemory-policy", "allkeys-lru"];
    let server = RedisServer::start_with(&[&policy[..], &["--maxmemory-samples", "1"]].concat());
    let figure = |section: &str, name: &str| -> u64 {
        let info: String = server.command(&["INFO", section]);
        let start = format!("{name}:");
        let line = info.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap().parse().unwrap()
    };
    let limit = figure("memory", "used_memory") + (1 << 20);
    server.command::<()>(&["CONFIG", "SET", "maxmemory", &limit.to_string()]);
    let mut filler = server.connect();
    let filling = "x".repeat(20_000);
    let mut entries = 0;
    let evicted = || figure("stats", "evicted_keys");
    checked(&server, || {
        let before = evicted();
        while evicted() < before + 150 {
            entries += 1;
            let mut set = redis::cmd("SET");
            set.arg(format!("filler:{entries}")).arg(&filling);
            set.exec(&mut filler).unwrap();
        }
    })
    .await;
}
