//! M8: the walk over all keys.

use std::collections::BTreeMap;
use std::time::Duration;

use cacheable_runtime::{ErrorKind, Runtime};
use cacheable_tests::store::PATIENCE;
use cacheable_tests::{RedisServer, eventually};

use super::on;

/// Small ones, and a few that are not.
fn fill(server: &RedisServer, small: usize) {
    let mut connection = server.connect();
    for first in (0..small).step_by(1_000) {
        let mut set = redis::cmd("MSET");
        for number in first..small.min(first + 1_000) {
            set.arg(format!("small:{number}")).arg(number);
        }
        set.exec(&mut connection).unwrap();
    }
    for (name, members) in [("big:hash", 100_000), ("big:other", 20_000)] {
        for first in (0..members).step_by(1_000) {
            let mut set = redis::cmd("HSET");
            set.arg(name);
            for number in first..first + 1_000 {
                set.arg(format!("field:{number}")).arg(number);
            }
            set.exec(&mut connection).unwrap();
        }
    }
    let mut set = redis::cmd("SET");
    set.arg("big:text").arg(vec![b'x'; 500_000]);
    set.exec(&mut connection).unwrap();
}

/// Calls of a command and the microseconds that all took.
fn cost(server: &RedisServer, command: &str) -> (u64, u64) {
    let info: String = server.command(&["INFO", "commandstats"]);
    // Servers before 7 count all of `MEMORY` as one.
    let names = [
        format!("cmdstat_{command}:"),
        format!("cmdstat_{}:", command.split('|').next().unwrap()),
    ];
    let line = names
        .iter()
        .find_map(|name| info.lines().find_map(|line| line.strip_prefix(name)));
    let Some(line) = line else {
        return (0, 0);
    };
    let fields: BTreeMap<&str, &str> = line
        .split(',')
        .filter_map(|field| field.split_once('='))
        .collect();
    (
        fields["calls"].parse().unwrap(),
        fields["usec"].parse().unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_are_found_in_steps_that_hold_nobody_up() {
    const SMALL: usize = 30_000;
    let server = RedisServer::start();
    fill(&server, SMALL);
    let runtime = on(&server).await;
    let before: u64 = server.command(&["DBSIZE"]);
    server.command::<()>(&["CONFIG", "RESETSTAT"]);
    let report = runtime
        .big_keys()
        .top(3)
        .pause(Duration::ZERO)
        .run()
        .await
        .unwrap();
    let names: Vec<&str> = report.keys.iter().map(|key| key.key.as_str()).collect();
    assert_eq!(names, ["big:hash", "big:other", "big:text"]);
    let sizes: Vec<u64> = report.keys.iter().map(|key| key.bytes).collect();
    assert!(
        sizes[0] > sizes[1] && sizes[1] > sizes[2] && sizes[2] >= 500_000,
        "{sizes:?}"
    );
    assert!(report.keys[0].node.contains(&server.port().to_string()));
    assert!(
        report.looked_at >= before,
        "{} of {before}",
        report.looked_at
    );
    assert!(report.bytes > sizes.iter().sum());

    // Many small steps, in each of which the server does next to nothing.
    let (scans, scan_time) = cost(&server, "scan");
    assert!(scans as usize >= SMALL / 200, "{scans} steps");
    let (measured, time) = cost(&server, "memory|usage");
    assert!(measured >= report.looked_at, "{measured}");
    let step = (scan_time + time) / scans;
    assert!(step < 5_000, "{step} µs for a step, on average");
    // The control: one key, measured in full, costs as much as many steps.
    server.command::<()>(&["CONFIG", "RESETSTAT"]);
    server.command::<u64>(&["MEMORY", "USAGE", "big:hash", "SAMPLES", "0"]);
    let (_, whole) = cost(&server, "memory|usage");
    assert!(
        whole > 20 * (time / measured),
        "{whole} µs in full, {} µs sampled",
        time / measured
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_walk_that_is_dropped_ends() {
    let server = RedisServer::start();
    fill(&server, 5_000);
    let runtime = on(&server).await;
    server.command::<()>(&["CONFIG", "RESETSTAT"]);
    let walk = runtime
        .big_keys()
        .step(10)
        .pause(Duration::from_millis(20))
        .run();
    let walk = tokio::spawn(walk);
    eventually("it is under way", PATIENCE, async || {
        cost(&server, "scan").0 > 2
    })
    .await;
    walk.abort();
    assert!(walk.await.is_err_and(|error| error.is_cancelled()));
    // What was sent before has been answered by then.
    let seen = cost(&server, "scan").0;
    assert!(seen < 400, "it would have taken five hundred steps: {seen}");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(cost(&server, "scan").0 <= seen + 1);
    assert!(runtime.stats().await.is_ok());
}

#[tokio::test]
async fn a_pattern_chooses_and_a_walk_of_nothing_finds_nothing() {
    let server = RedisServer::start();
    fill(&server, 1_000);
    let runtime = on(&server).await;
    let report = runtime.big_keys().matching("big:*").run().await.unwrap();
    assert_eq!((report.keys.len(), report.looked_at), (3, 3));
    let report = runtime
        .big_keys()
        .matching("nothing:*")
        .run()
        .await
        .unwrap();
    assert_eq!(
        (report.keys.len(), report.looked_at, report.bytes),
        (0, 0, 0)
    );
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_errors() {
    let runtime = Runtime::embedded();
    for (walk, said) in [
        (runtime.big_keys().top(0), "top(20)"),
        (runtime.big_keys().top(10_001), "top(20)"),
        (runtime.big_keys().samples(0), "samples(5)"),
        (runtime.big_keys().step(0), "step(100)"),
        (runtime.big_keys().step(1_001), "step(100)"),
        (runtime.big_keys().matching(""), "cache:*"),
    ] {
        let error = walk.run().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument);
        assert!(error.to_string().contains(said), "{error}");
    }
    let error = runtime.big_keys().run().await.unwrap_err();
    assert!(
        error.is_configuration() && error.to_string().contains("REDIS_URL"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_lost_ends_the_walk() {
    let server = RedisServer::start();
    fill(&server, 5_000);
    let runtime = on(&server).await;
    let walk = runtime
        .big_keys()
        .step(10)
        .pause(Duration::from_millis(20))
        .run();
    let walk = tokio::spawn(walk);
    eventually("it is under way", PATIENCE, async || {
        cost(&server, "scan").0 > 2
    })
    .await;
    server.restart();
    let error = walk.await.unwrap().unwrap_err();
    assert!(error.is_unavailable(), "{error}");
}
