//! What a server says, and what happened there from one sample to the next.

use std::time::Duration;

use cacheable_runtime::{Finding, MemoryLimit, Reset, Thresholds};
use cacheable_tests::RedisServer;

use super::{OFTEN, next, node, on, read, said, server};

/// M10: whatever server the tests run on.
#[tokio::test]
async fn this_server_is_understood() {
    let own = RedisServer::start();
    let runtime = on(&own).await;
    read(&runtime, "key").await;
    let stats = runtime.stats().await.unwrap();
    let server = server(&stats);
    let version = server.version.as_deref().unwrap();
    assert!(
        version.starts_with("redis ") || version.starts_with("valkey "),
        "{version}"
    );
    let memory = &server.memory;
    for size in [memory.used, memory.resident, memory.peak, memory.dataset] {
        assert!(size.is_some_and(|size| size > 0), "{memory:?}");
    }
    // Both of this runtime, at least.
    assert!(server.clients.connected >= Some(2), "{:?}", server.clients);
    assert!(server.clients.tracking >= Some(1), "{:?}", server.clients);
    let counters = format!("{:?}", server.counters);
    assert!(!counters.contains("None"), "{counters}");
    assert!(server.commands.len() > 3, "{:?}", server.commands);
    // The entry, and what the cache counts by.
    assert!(server.keys_with_ttl >= Some(1) && server.keys >= server.keys_with_ttl);
    assert_eq!(server.persistence.snapshot_failed, Some(false));
    assert_eq!(server.replication.replica, Some(false));
    assert_eq!(stats.server().as_ref(), Some(server));
}

/// Level 1 is told of no more keys than the server's table holds.
#[tokio::test]
async fn a_table_of_tracked_keys_that_is_nearly_full_is_found() {
    let own = RedisServer::start();
    let runtime = on(&own).await;
    let limit = |keys: u64| {
        let keys = keys.to_string();
        own.command::<()>(&["CONFIG", "SET", "tracking-table-max-keys", &keys]);
    };
    let said_so = async |limit| {
        let stats = runtime.stats().await.unwrap();
        let clients = &server(&stats).clients;
        assert_eq!(clients.tracked_keys_limit, Some(limit));
        let said = said(&stats.findings());
        (
            clients.tracked_keys.unwrap(),
            said.contains("tracking-table-max-keys"),
        )
    };
    limit(50);
    let (few, full) = said_so(50).await;
    assert!(few < 20 && !full, "{few}");
    for number in 0..60 {
        read(&runtime, &format!("key:{number}")).await;
    }
    let (many, full) = said_so(50).await;
    assert!(many > 40 && full, "{many}");
    // What the finding says to do.
    limit(1_000);
    let (many, full) = said_so(1_000).await;
    assert!(!full, "{many}");
}

/// M2
#[tokio::test]
async fn a_reset_of_the_counters_makes_no_negative_and_no_huge_rate() {
    let own = RedisServer::start();
    let runtime = on(&own).await;
    let mut monitor = runtime.monitor(OFTEN);
    for number in 0..300 {
        read(&runtime, &format!("key:{number}")).await;
    }
    let before = next(&mut monitor).await;
    own.command::<()>(&["CONFIG", "RESETSTAT"]);
    let after = next(&mut monitor).await;
    // The control: what a plain difference would make of it.
    let commands = |stats| server(stats).counters.commands.unwrap();
    assert!(
        commands(&after) < commands(&before),
        "{} {}",
        commands(&before),
        commands(&after)
    );
    assert_eq!(node(&after).reset, Some(Reset::Counters));
    assert_eq!(
        (node(&after).changes.is_none(), after.changes()),
        (true, None)
    );
    let then = next(&mut monitor).await;
    let changes = node(&then).changes.as_ref().unwrap();
    assert!(changes.counters.commands.unwrap() < 100, "{changes:?}");
    assert_eq!(node(&then).reset, None);
}

/// M2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_makes_no_rate_and_is_told() {
    let own = RedisServer::start();
    let runtime = on(&own).await;
    let mut monitor = runtime.monitor(OFTEN);
    for number in 0..300 {
        read(&runtime, &format!("key:{number}")).await;
    }
    let before = next(&mut monitor).await;
    own.restart();
    let after = loop {
        let stats = next(&mut monitor).await;
        if stats.is_available() {
            break stats;
        }
        assert_eq!(stats.changes(), None);
    };
    assert!(server(&after).run_id != server(&before).run_id);
    assert_eq!(
        (node(&after).reset, after.changes()),
        (Some(Reset::Restarted), None)
    );
    assert!(
        said(&after.findings()).contains("was started anew"),
        "{:?}",
        after.findings()
    );
    let then = next(&mut monitor).await;
    assert!(then.changes().unwrap().counters.commands.unwrap() < 300);
    assert!(!said(&then.findings()).contains("anew"));
}

/// M4
#[tokio::test]
async fn memory_without_a_limit_is_unlimited_and_with_one_is_a_share_of_it() {
    let own = RedisServer::start();
    let runtime = on(&own).await;
    let stats = runtime.stats().await.unwrap();
    let memory = &server(&stats).memory;
    assert_eq!(memory.limit, Some(MemoryLimit::Unlimited));
    assert_eq!(memory.fraction_used(), None);
    // The ratio of a small server means nothing, and is not alarmed.
    assert_eq!(memory.fragmentation, None);
    assert!(stats.findings().is_empty(), "{}", said(&stats.findings()));

    let limit = memory.used.unwrap() * 11 / 10;
    own.command::<()>(&["CONFIG", "SET", "maxmemory", &limit.to_string()]);
    let stats = runtime.stats().await.unwrap();
    let memory = &server(&stats).memory;
    assert_eq!(memory.limit, Some(MemoryLimit::Bytes(limit)));
    let share = memory.fraction_used().unwrap();
    assert!(share > 0.8 && share < 1.2, "{share}");
    let findings = stats.findings();
    assert!(
        matches!(&findings[..], [Finding::MemoryNearLimit { .. }]),
        "{findings:?}"
    );
    let lax = Thresholds::default().memory(2.0);
    assert!(stats.findings_by(&lax).is_empty());
}

/// X2: the figures are there when the memory is full, and say so.
#[tokio::test]
async fn a_server_that_is_full_still_tells() {
    let own = RedisServer::start();
    let runtime = on(&own).await;
    let mut monitor = runtime.monitor(OFTEN);
    next(&mut monitor).await;
    own.command::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let life = Duration::from_secs(60);
    assert!(runtime.cache().set("key", &6, life).await.is_err());
    let stats = next(&mut monitor).await;
    assert!(node(&stats).changes.as_ref().unwrap().errors["OOM"] >= 1);
    assert!(said(&stats.findings()).contains("of 1 bytes"));
}

#[tokio::test]
async fn evictions_are_found_in_the_interval_in_which_they_happen() {
    let own = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru"]);
    let runtime = on(&own).await;
    let mut monitor = runtime.monitor(OFTEN);
    let first = next(&mut monitor).await;
    let limit = server(&first).memory.used.unwrap() + 1_000_000;
    own.command::<()>(&["CONFIG", "SET", "maxmemory", &limit.to_string()]);
    let mut connection = own.connect();
    for number in 0..300 {
        let value = vec![b'x'; 10_000];
        let mut set = redis::cmd("SET");
        set.arg(format!("key:{number}")).arg(value);
        set.exec(&mut connection).unwrap();
    }
    // What comes and goes of its clients makes it evict on, this close to it.
    own.command::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    let stats = next(&mut monitor).await;
    let found = said(&stats.findings());
    assert!(found.contains("has evicted "), "{found}");
    let evicted = node(&stats).changes.as_ref().unwrap().counters.evicted_keys;
    assert!(evicted > Some(100), "{evicted:?}");
    // Long ago by now, though the total stays what it is.
    let then = next(&mut monitor).await;
    assert!(server(&then).counters.evicted_keys >= evicted);
    assert!(!said(&then.findings()).contains("has evicted "));
}

#[tokio::test]
async fn refused_connections_are_found() {
    let own = RedisServer::start();
    let mut admin = own.connect();
    let runtime = on(&own).await;
    let mut monitor = runtime.monitor(OFTEN);
    next(&mut monitor).await;
    let mut set = redis::cmd("CONFIG");
    set.arg("SET").arg("maxclients").arg(3);
    set.exec(&mut admin).unwrap();
    let client = redis::Client::open(own.url()).unwrap();
    assert!(
        client.get_connection().is_err(),
        "there is room for one more"
    );
    let stats = next(&mut monitor).await;
    let found = said(&stats.findings());
    assert!(
        found.contains("has refused ") && found.contains("3 of 3 connections"),
        "{found}"
    );
}

/// What the server has carried out, oldest first: name and first argument.
fn carried_out(own: &RedisServer) -> Vec<(String, String)> {
    let log: Vec<redis::Value> = own.command(&["SLOWLOG", "GET", "10000"]);
    let words = log.into_iter().rev().map(|entry| {
        let redis::Value::Array(mut parts) = entry else {
            panic!("{entry:?}");
        };
        let words: Vec<String> = redis::from_redis_value(parts.swap_remove(3)).unwrap();
        let word = |number: usize| {
            words
                .get(number)
                .map_or_else(String::new, |w| w.to_lowercase())
        };
        (word(0), word(1))
    });
    words.collect()
}

/// One round trip, and one `INFO`, for each sample.
#[tokio::test]
async fn a_sample_costs_one_info() {
    let own = RedisServer::start_with(&[
        "--slowlog-log-slower-than",
        "0",
        "--slowlog-max-len",
        "10000",
    ]);
    let runtime = on(&own).await;
    let mut monitor = runtime.monitor(OFTEN);
    let before = carried_out(&own).len();
    for _ in 0..5 {
        next(&mut monitor).await;
    }
    let log = carried_out(&own).split_off(before);
    let count = |name: &str, argument: &str| {
        let same = |entry: &&(String, String)| entry.0 == name && entry.1 == argument;
        log.iter().filter(same).count()
    };
    // One more is of this test.
    assert_eq!((count("info", "all"), count("slowlog", "get")), (5, 6));
    // The rest is the heartbeat, and how a connection of this test begins. Both ask
    // how many keys the server follows at most.
    let heartbeat = ["time", "ping", "info", "slowlog", "config"];
    let begins = |entry: &(String, String)| entry.0 == "client" && entry.1 == "setinfo";
    let others: Vec<_> = log
        .iter()
        .filter(|entry| !heartbeat.contains(&entry.0.as_str()) && !begins(entry))
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

/// X6
#[tokio::test]
async fn samples_leave_no_scripts_and_no_keys() {
    let own = RedisServer::start();
    let runtime = on(&own).await;
    let mut monitor = runtime.monitor(Duration::ZERO);
    let first = next(&mut monitor).await;
    for _ in 0..20 {
        next(&mut monitor).await;
    }
    let last = next(&mut monitor).await;
    let left = |stats| (server(stats).memory.cached_scripts, server(stats).keys);
    assert_eq!(left(&first), left(&last));
}
