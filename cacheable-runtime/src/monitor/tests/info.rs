//! Any text is read, and what servers say is understood.

use std::time::Duration;

use proptest::prelude::*;

use super::TEXTS;
use crate::monitor::info::parse;
use crate::monitor::server::{MemoryLimit, ServerStats};

#[test]
fn every_server_is_understood() {
    for (version, text) in TEXTS {
        let stats = parse(text);
        assert_eq!(stats.version.as_deref(), Some(version));
        assert_eq!(
            stats.run_id.as_ref().map(String::len),
            Some(40),
            "{version}"
        );
        assert!(stats.uptime.is_some(), "{version}");
        let memory = &stats.memory;
        let sizes = [memory.used, memory.resident, memory.peak, memory.dataset];
        assert!(
            sizes.iter().all(|size| size.is_some_and(|size| size > 0)),
            "{version}"
        );
        assert_eq!(memory.limit, Some(MemoryLimit::Unlimited), "{version}");
        assert_eq!(memory.policy.as_deref(), Some("noeviction"), "{version}");
        assert_eq!(memory.fragmentation, None, "{version}");
        assert_eq!(memory.cached_scripts, Some(1), "{version}");
        assert_eq!(stats.clients.connected, Some(1), "{version}");
        assert_eq!(stats.clients.limit, Some(10_000), "{version}");
        assert_eq!(stats.counters.hits, Some(1), "{version}");
        assert_eq!(stats.counters.misses, Some(1), "{version}");
        assert_eq!(stats.counters.evicted_keys, Some(0), "{version}");
        assert_eq!(stats.counters.rejected_connections, Some(0), "{version}");
        assert!(stats.counters.bytes_in > Some(0), "{version}");
        let get = stats.commands["get"];
        assert_eq!((get.calls, get.failed), (2, Some(0)), "{version}");
        assert!(get.time > Duration::ZERO, "{version}");
        assert_eq!(get.p99.is_some(), !version.contains(" 6."), "{version}");
        assert_eq!(stats.errors["WRONGTYPE"], 1, "{version}");
        assert_eq!(
            (stats.keys, stats.keys_with_ttl),
            (Some(42), Some(1)),
            "{version}"
        );
        assert_eq!(stats.persistence.snapshot_failed, Some(false), "{version}");
        assert_eq!(stats.replication.replica, Some(false), "{version}");
    }
}

#[test]
fn what_is_in_another_form_is_not_known_and_nothing_else_is_lost() {
    let stats = parse(
        "used_memory:-1\nused_memory_rss:1e9\r\nmaxmemory:99999999999999999999999\n\
         connected_clients:\n:7\nevicted_keys:5\nevicted_keys:6\nrole:captain\n\
         cmdstat_get:calls=many\ncmdstat_set:calls=2\ncmdstat_:calls=1\n\
         errorstat_secret token:count=3\nerrorstat_OOM:count=1\n# Keyspace\ndbx:keys=9\n\
         db3:keys=2,new=1\nrun_id:with spaces in it\n",
    );
    let mut expected = ServerStats::default();
    // Nobody can overrule what stands first.
    expected.counters.evicted_keys = Some(5);
    expected.keys = Some(2);
    expected.keys_with_ttl = Some(0);
    expected.commands.entry("set".to_owned()).or_default().calls = 2;
    expected.errors.insert("OTHER".to_owned(), 3);
    expected.errors.insert("OOM".to_owned(), 1);
    assert_eq!(stats, expected);
}

#[test]
fn fragmentation_says_nothing_of_a_small_server() {
    let ratio = |used: u64| {
        let text = format!("used_memory:{used}\nused_memory_rss:{}", 3 * used);
        parse(&text).memory.fragmentation
    };
    assert_eq!(ratio(100 * 1024 * 1024 - 1), None);
    assert_eq!(ratio(100 * 1024 * 1024), Some(3.0));
    assert_eq!(ratio(0), None);
}

#[test]
fn servers_together_are_added_where_that_makes_sense() {
    let of = |text: &str| parse(text);
    let one = of(
        "redis_version:7.0.1\nused_memory:10\nused_memory_peak:9\nmaxmemory:100\n\
                  maxmemory_policy:a\nkeyspace_hits:3\nrun_id:a\nuptime_in_seconds:9\n\
                  cmdstat_get:calls=1,usec=5\nerrorstat_OOM:count=1\nloading:0",
    );
    let other = of(
        "redis_version:7.0.1\nused_memory:20\nused_memory_peak:9\nmaxmemory:100\n\
                    maxmemory_policy:b\nrun_id:b\nuptime_in_seconds:4\n\
                    cmdstat_get:calls=2,usec=5\ncmdstat_set:calls=1\nerrorstat_OOM:count=1\nloading:1",
    );
    let both = ServerStats::together([&one, &other]).unwrap();
    assert_eq!(both.version.as_deref(), Some("redis 7.0.1"));
    assert_eq!(
        (both.run_id, both.memory.peak, both.memory.policy),
        (None, None, None)
    );
    assert_eq!(
        (both.memory.used, both.memory.limit),
        (Some(30), Some(MemoryLimit::Bytes(200)))
    );
    // One of them does not tell.
    assert_eq!(both.counters.hits, None);
    assert_eq!(both.uptime, Some(Duration::from_secs(4)));
    assert_eq!(
        (both.commands["get"].calls, both.commands["set"].calls),
        (3, 1)
    );
    assert_eq!(both.errors["OOM"], 2);
    assert_eq!(both.persistence.loading, Some(true));
    assert_eq!(ServerStats::together([&one]), Some(one.clone()));
    assert_eq!(ServerStats::together([]), None);
    let unlimited = of("maxmemory:0");
    let limit = ServerStats::together([&one, &unlimited])
        .unwrap()
        .memory
        .limit;
    assert_eq!(limit, Some(MemoryLimit::Unlimited));
}

/// A line of a server, with something else in it.
fn line() -> impl Strategy<Value = String> {
    let known: Vec<String> = TEXTS
        .iter()
        .flat_map(|(_, text)| text.lines().map(str::to_owned))
        .collect();
    let value = prop_oneof!["[0-9]{1,25}", "[-0-9.,=a-z]{0,30}", ".{0,20}"];
    prop_oneof![
        prop::sample::select(known.clone()),
        (prop::sample::select(known), value).prop_map(|(line, value)| {
            let name = line.split(':').next().unwrap_or_default();
            format!("{name}:{value}")
        }),
        ".{0,40}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_text_is_read(text in "(?s).{0,400}") {
        parse(&text);
    }

    #[test]
    fn any_lines_are_read_and_added_without_a_panic(
        one in prop::collection::vec(line(), 0..80),
        other in prop::collection::vec(line(), 0..80),
    ) {
        let (one, other) = (parse(&one.join("\r\n")), parse(&other.join("\n")));
        let both = ServerStats::together([&one, &other]);
        prop_assert!(both.is_some());
        for stats in [&one, &other] {
            prop_assert!(stats.errors.keys().all(|code| code.len() <= 24));
            if let Some(share) = stats.memory.fraction_used() {
                prop_assert!(share.is_finite());
            }
        }
    }

    /// M10: what other versions add changes nothing, in whatever place.
    #[test]
    fn new_lines_change_nothing(
        number in 0..TEXTS.len(),
        new in prop::collection::vec(("new_[a-z]{1,10}", "[ -~]{0,20}", 0..500_usize), 0..20),
    ) {
        let text = TEXTS[number].1;
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for (name, value, place) in new {
            lines.insert(place % lines.len(), format!("{name}:{value}"));
        }
        prop_assert_eq!(parse(&lines.join("\r\n")), parse(text));
    }

    /// M10: what other versions leave out is not known, and the rest is.
    #[test]
    fn a_line_that_is_missing_is_missed_alone(
        number in 0..TEXTS.len(),
        left_out in 0..300_usize,
    ) {
        let text = TEXTS[number].1;
        let lines: Vec<&str> = text.lines().collect();
        let left_out = left_out % lines.len();
        let rest: Vec<&str> = lines
            .iter()
            .enumerate()
            .filter(|(place, _)| *place != left_out)
            .map(|(_, line)| *line)
            .collect();
        let shown = |text: &str| -> Vec<String> {
            format!("{:#?}", parse(text)).lines().map(|line| line.trim().to_owned()).collect()
        };
        let (whole, part) = (shown(text), shown(&rest.join("\n")));
        let lost = whole.iter().filter(|line| !part.contains(line)).count();
        // The most that one line tells: a command with its percentiles.
        prop_assert!(lost <= 24, "{} cost {lost} lines", lines[left_out]);
    }
}
