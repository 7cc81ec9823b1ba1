//! Each finding at its threshold, and what it says.

use std::time::{Duration, SystemTime};

use crate::error::{Error, ErrorKind};
use crate::monitor::changes::{Reset, ServerChanges};
use crate::monitor::info::parse;
use crate::monitor::slow::SlowLog;
use crate::monitor::stats::{CacheStats, NodeStats, Stats, Tally, Unavailable};
use crate::monitor::{Finding, Thresholds};
use crate::observe::Observe;

fn quiet() -> Stats {
    Stats {
        taken_at: SystemTime::UNIX_EPOCH,
        interval: None,
        cache: CacheStats::default(),
        locks: Tally::default(),
        limits: Tally::default(),
        sessions: Tally::default(),
        messages: Tally::default(),
        nodes: Vec::new(),
    }
}

fn node(info: &str) -> NodeStats {
    NodeStats {
        address: "redis://cache:6379/".to_owned(),
        server: Ok(parse(info)),
        changes: None,
        reset: None,
        slow_log: Ok(SlowLog::default()),
    }
}

fn of(info: &str) -> Stats {
    Stats {
        nodes: vec![node(info)],
        ..quiet()
    }
}

fn changed(before: &str, now: &str) -> Stats {
    let over = Duration::from_secs(60);
    let changes = ServerChanges::between(&parse(before), &parse(now), over).unwrap();
    let mut node = node(now);
    node.changes = Some(changes);
    Stats {
        nodes: vec![node],
        ..quiet()
    }
}

fn read(hits: u64, misses: u64) -> Stats {
    let observe = Observe::default();
    for _ in 0..hits {
        observe.method("user.get").hit_local();
    }
    for _ in 0..misses {
        observe.method("team.list").missed();
    }
    let mut stats = quiet();
    stats.cache.since_start = observe.snapshot();
    stats
}

/// `Some`: there is one finding, and it says so.
#[track_caller]
fn check(stats: &Stats, said: Option<&str>) {
    let findings = stats.findings();
    let found: Vec<String> = findings.iter().map(Finding::to_string).collect();
    match said {
        Some(said) => {
            assert_eq!(found.len(), 1, "{found:#?}");
            assert!(found[0].contains(said), "{found:#?}");
            // What to do stands behind a colon or a semicolon.
            assert!(
                found[0].contains(": ") || found[0].contains("; "),
                "{found:#?}"
            );
        }
        None => assert!(found.is_empty(), "{found:#?}"),
    }
}

#[test]
fn a_cache_that_is_seldom_right_is_found_once_it_was_asked_enough() {
    check(&read(0, 99), None);
    check(&read(80, 20), None);
    let said = "the hit rate of the cache is 79 % of 100 reads, under 80 %; `team.list` has 21 of the misses";
    check(&read(79, 21), Some(said));
    let lax = Thresholds::default().hit_rate(0.5).least_reads(1);
    assert!(read(79, 21).findings_by(&lax).is_empty());
    assert_eq!(read(0, 1).findings_by(&lax).len(), 1);
}

#[test]
fn the_interval_counts_where_there_is_one() {
    let mut stats = read(79, 21);
    stats.cache.recent = Some(read(100, 0).cache.since_start);
    check(&stats, None);
    assert_eq!(stats.hit_rate(), Some(1.0));
}

#[test]
fn memory_is_near_its_limit_over_four_fifths_and_never_without_one() {
    check(&of("used_memory:80\nmaxmemory:100"), None);
    check(
        &of("used_memory:81\nmaxmemory:100"),
        Some("uses 81 of 100 bytes (81 %), over 80 %"),
    );
    check(&of("used_memory:81000000\nmaxmemory:0"), None);
    check(&of("used_memory:81"), None);
    let strict = Thresholds::default().memory(0.5);
    assert_eq!(
        of("used_memory:60\nmaxmemory:100")
            .findings_by(&strict)
            .len(),
        1
    );
}

#[test]
fn memory_is_lost_between_values_of_a_large_server_alone() {
    check(&of("used_memory:2000000\nused_memory_rss:17000000"), None);
    check(
        &of("used_memory:200000000\nused_memory_rss:300000000"),
        None,
    );
    let said = "takes 1.60 times the memory that it uses, over 1.50";
    check(
        &of("used_memory:200000000\nused_memory_rss:320000000"),
        Some(said),
    );
}

#[test]
fn evictions_and_refusals_are_found_when_they_happen() {
    // Long ago.
    check(&of("evicted_keys:7\nrejected_connections:7"), None);
    check(&changed("evicted_keys:7", "evicted_keys:7"), None);
    let evicted = changed("evicted_keys:7", "evicted_keys:12");
    check(&evicted, Some("has evicted 5 keys in 60s, over 0"));
    assert!(
        evicted
            .findings_by(&Thresholds::default().evictions(5))
            .is_empty()
    );
    let refused = changed("rejected_connections:0", "rejected_connections:3");
    check(&refused, Some("has refused 3 connections in 60s, over 0"));
    assert!(
        refused
            .findings_by(&Thresholds::default().rejected_connections(3))
            .is_empty()
    );
}

#[test]
fn what_a_server_says_of_itself_is_found() {
    check(&of("connected_clients:8\nmaxclients:10"), None);
    check(
        &of("connected_clients:9\nmaxclients:10"),
        Some("9 of 10 connections (90 %), over 80 %"),
    );
    let mut crowded = of("tracking_total_keys:80");
    check(&crowded, None);
    let mut follow = |keys| {
        crowded.nodes[0]
            .server
            .as_mut()
            .unwrap()
            .clients
            .tracked_keys_limit = Some(keys);
        crowded.clone()
    };
    check(&follow(100), None);
    check(
        &follow(99),
        Some("changes to 80 of 99 keys (80.8 %), over 80 %"),
    );
    let lax = Thresholds::default().tracked_keys(0.9);
    assert!(follow(99).findings_by(&lax).is_empty());
    check(&of("number_of_cached_scripts:1000"), None);
    check(
        &of("number_of_cached_scripts:1001"),
        Some("cached 1001 scripts, over 1000"),
    );
    check(&of("rdb_last_bgsave_status:err"), Some("its last snapshot"));
    check(
        &of("aof_last_write_status:err"),
        Some("its last append-only file"),
    );
    check(
        &of("role:slave\nmaster_link_status:down"),
        Some("does not hear its primary"),
    );
    check(&of("role:slave\nmaster_link_status:up"), None);
    let mut restarted = of("");
    restarted.nodes[0].reset = Some(Reset::Restarted);
    check(&restarted, Some("was started anew"));
    restarted.nodes[0].reset = Some(Reset::Counters);
    check(&restarted, None);
}

#[test]
fn a_server_that_is_away_is_found_and_one_that_may_not_be_asked_is_not() {
    let mut stats = of("");
    let error = Error::new(ErrorKind::Unavailable, "the server refuses connections");
    stats.nodes[0].server = Err(Unavailable::away(error));
    let said = "redis://cache:6379/ could not be asked: the server refuses connections";
    check(&stats, Some(said));
    assert!(!stats.is_available() && stats.server().is_none());
    #[cfg(feature = "redis")]
    {
        let error = Error::new(ErrorKind::Server, "NOPERM: …");
        stats.nodes[0].server = Err(Unavailable::refused("NOPERM", error));
        check(&stats, None);
        assert!(stats.is_available());
    }
}

#[test]
fn thresholds_that_make_no_sense_find_nothing_and_panic_nowhere() {
    let odd = Thresholds::default()
        .memory(f64::NAN)
        .hit_rate(f64::NAN)
        .fragmentation(f64::INFINITY)
        .clients(-1.0);
    let stats = of("used_memory:90\nmaxmemory:100\nconnected_clients:1\nmaxclients:10");
    // Any client is more than less than none.
    assert_eq!(stats.findings_by(&odd).len(), 1);
    assert!(read(0, 200).findings_by(&odd).len() <= 1);
}

#[test]
fn errors_that_tell_something_are_found_and_mistakes_of_programs_are_not() {
    let oom = changed("errorstat_OOM:count=1", "errorstat_OOM:count=4");
    check(
        &oom,
        Some("has answered 3 times with OOM in 60s, over 0: raise `maxmemory`"),
    );
    assert!(oom.findings_by(&Thresholds::default().errors(3)).is_empty());
    let mistaken = changed(
        "errorstat_WRONGTYPE:count=1\nerrorstat_NOPERM:count=1",
        "errorstat_WRONGTYPE:count=9\nerrorstat_NOPERM:count=9",
    );
    check(&mistaken, None);
}

#[test]
fn a_finding_has_a_name_for_labels_and_its_server() {
    let finding = &of("used_memory:90\nmaxmemory:100").findings()[0];
    assert_eq!(finding.name(), "memory_near_limit");
    assert_eq!(finding.node(), Some("redis://cache:6379/"));
    assert_eq!(read(0, 100).findings()[0].node(), None);
}

#[test]
fn a_sample_is_a_few_lines_for_people() {
    let mut stats = changed(
        "run_id:a\ntotal_commands_processed:0",
        "run_id:a\nredis_version:7.0.15\nused_memory:1572864\nmaxmemory:0\n\
         total_commands_processed:600\nconnected_clients:3\n# Keyspace\ndb0:keys=42,expires=1",
    );
    stats.interval = Some(Duration::from_secs(60));
    stats.cache.recent = Some(read(1, 3).cache.since_start);
    stats.cache.local_bytes = 1023;
    assert_eq!(
        stats.to_string(),
        "cache: 4 reads in 60s, 25.0 % hits, 0 loads, 0 errors of loads; level 1: 0 values, 1023 B\n\
         redis://cache:6379/: redis 7.0.15, 1.5 MiB without a limit, 42 keys, 3 clients, 10 commands/s"
    );
    assert!(
        of("used_memory:90\nmaxmemory:100")
            .to_string()
            .contains("\n! redis://cache")
    );
}
