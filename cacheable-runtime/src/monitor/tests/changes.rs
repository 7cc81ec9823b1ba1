//! Differences: never negative, and none over a reset.

use std::time::Duration;

use proptest::prelude::*;

use super::TEXTS;
use crate::monitor::changes::{Reset, ServerChanges};
use crate::monitor::info::parse;

const SECOND: Duration = Duration::from_secs(1);

fn between(earlier: &str, now: &str) -> Result<ServerChanges, Reset> {
    ServerChanges::between(&parse(earlier), &parse(now), 10 * SECOND)
}

#[test]
fn counters_grow_and_rates_are_over_the_time_between() {
    let changes = between(
        "run_id:a\ntotal_commands_processed:100\nkeyspace_hits:10\nkeyspace_misses:10\n\
         cmdstat_get:calls=5,usec=50,rejected_calls=0,failed_calls=0\nerrorstat_OOM:count=2",
        "run_id:a\ntotal_commands_processed:150\nkeyspace_hits:13\nkeyspace_misses:11\n\
         evicted_keys:4\ncmdstat_get:calls=7,usec=90,rejected_calls=0,failed_calls=1\n\
         cmdstat_set:calls=1,usec=1,rejected_calls=0,failed_calls=0\nerrorstat_OOM:count=5",
    )
    .unwrap();
    assert_eq!(changes.per_second(changes.counters.commands), Some(5.0));
    assert_eq!(changes.hit_rate(), Some(0.75));
    // It was not told of before.
    assert_eq!(changes.counters.evicted_keys, None);
    assert_eq!(
        (
            changes.commands["get"].calls,
            changes.commands["get"].failed
        ),
        (2, Some(1))
    );
    assert_eq!(
        changes.commands["get"].time_per_call(),
        Some(Duration::from_micros(20))
    );
    assert_eq!(changes.commands["set"].calls, 1);
    assert_eq!(changes.errors["OOM"], 3);
    assert_eq!(changes.errors.len(), 1);
}

#[test]
fn without_reads_there_is_no_hit_rate_and_without_time_no_rate() {
    let quiet = "keyspace_hits:10\nkeyspace_misses:10\ntotal_commands_processed:5\nrun_id:a";
    let changes = between(quiet, quiet).unwrap();
    assert_eq!(changes.hit_rate(), None);
    assert_eq!(changes.per_second(changes.counters.commands), Some(0.0));
    let at_once = ServerChanges::default();
    assert_eq!(at_once.per_second(Some(7)), None);
}

#[test]
fn a_restart_is_told_by_its_name_or_by_its_age() {
    let before = "run_id:a\nuptime_in_seconds:50\ntotal_commands_processed:5";
    let grown = "total_commands_processed:900";
    for now in [
        format!("run_id:b\nuptime_in_seconds:60\n{grown}"),
        format!("uptime_in_seconds:3\n{grown}"),
    ] {
        assert_eq!(between(before, &now), Err(Reset::Restarted), "{now}");
    }
}

/// A counter that has outgrown what it was by the next sample is no proof that
/// there was no reset: any other that fell is one.
#[test]
fn a_reset_is_told_by_any_counter_that_fell() {
    let before = "run_id:a\nkeyspace_hits:5\nevicted_keys:9\ncmdstat_get:calls=5,usec=1\n\
                  cmdstat_set:calls=5,usec=1\nerrorstat_OOM:count=2\nerrorstat_ERR:count=2";
    for now in [
        "run_id:a\nkeyspace_hits:900\nevicted_keys:0",
        "run_id:a\nkeyspace_hits:900\ncmdstat_get:calls=9,usec=1",
        "run_id:a\nkeyspace_hits:900\nerrorstat_ERR:count=9",
    ] {
        assert_eq!(between(before, now), Err(Reset::Counters), "{now}");
    }
    // A server that does not tell a section has not reset it.
    assert!(between(before, "run_id:a\nkeyspace_hits:900").is_ok());
}

#[test]
fn several_servers_change_together() {
    let one = between(
        "keyspace_hits:1\nkeyspace_misses:0",
        "keyspace_hits:4\nkeyspace_misses:0",
    );
    let other = between(
        "keyspace_hits:1\nkeyspace_misses:0",
        "keyspace_hits:1\nkeyspace_misses:1",
    );
    let both = [one.unwrap(), other.unwrap()];
    let both = ServerChanges::together(&both).unwrap();
    assert_eq!(both.hit_rate(), Some(0.75));
    assert_eq!(ServerChanges::together([]), None);
}

#[test]
fn a_real_server_has_not_changed_since_itself() {
    for (version, text) in TEXTS {
        let changes = between(text, text).unwrap();
        assert!(
            changes.commands.is_empty() && changes.errors.is_empty(),
            "{version}"
        );
        assert_eq!(changes.counters.commands, Some(0), "{version}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// M2: whatever two samples say, no difference is more than the later one.
    #[test]
    fn no_difference_is_larger_than_what_is_there(
        before in prop::array::uniform4(0..20_u64),
        now in prop::array::uniform4(0..20_u64),
    ) {
        let text = |[commands, hits, calls, errors]: [u64; 4]| format!(
            "run_id:a\ntotal_commands_processed:{commands}\nkeyspace_hits:{hits}\n\
             keyspace_misses:0\ncmdstat_get:calls={calls},usec={calls}\nerrorstat_OOM:count={errors}"
        );
        let fell = before.iter().zip(now).any(|(before, now)| now < *before);
        match between(&text(before), &text(now)) {
            Ok(changes) => {
                prop_assert!(!fell);
                prop_assert_eq!(changes.counters.commands, Some(now[0] - before[0]));
                prop_assert!(changes.per_second(changes.counters.commands).unwrap() >= 0.0);
            }
            Err(reset) => prop_assert!(fell && reset == Reset::Counters),
        }
    }
}
