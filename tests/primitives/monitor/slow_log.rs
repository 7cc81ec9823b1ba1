//! M5: the slow log.

use std::collections::BTreeSet;

use cacheable_runtime::{Monitor, SlowCommand};
use cacheable_tests::RedisServer;
use redis::Connection;

use super::{OFTEN, next, node, on};

const SECRET: &str = "hunter2";

/// Logs nothing by itself: the test says what is slow.
fn server() -> (RedisServer, Connection) {
    let server = RedisServer::start_with(&["--slowlog-log-slower-than", "-1"]);
    let admin = server.connect();
    (server, admin)
}

/// Runs one command that is logged, among others that are not.
fn slow(admin: &mut Connection, words: &[&str]) {
    let threshold = |at: i32| {
        let mut set = redis::cmd("CONFIG");
        set.arg("SET").arg("slowlog-log-slower-than").arg(at);
        set
    };
    // In one piece, so that no command of a runtime is logged meanwhile.
    let mut both = redis::pipe();
    both.atomic();
    both.add_command(threshold(0));
    let command = both.cmd(words[0]);
    for word in &words[1..] {
        command.arg(word);
    }
    both.add_command(threshold(-1));
    both.exec(admin).unwrap();
}

/// The next entries that are of the test's own.
async fn logged(monitor: &mut Monitor) -> Vec<SlowCommand> {
    let stats = next(monitor).await;
    let log = node(&stats).slow_log.as_ref().unwrap();
    let own = log.commands.iter();
    own.filter(|command| command.name == "SET" || command.name == "MSET")
        .cloned()
        .collect()
}

fn ids(commands: &[SlowCommand]) -> Vec<u64> {
    commands.iter().map(|command| command.id).collect()
}

#[tokio::test]
async fn each_entry_comes_once_and_over_a_reset() {
    let (own, mut admin) = server();
    let runtime = on(&own).await;
    let mut monitor = runtime.monitor(OFTEN);
    // What is there when the monitor begins is news, too.
    slow(&mut admin, &["SET", "a", SECRET]);
    let first = logged(&mut monitor).await;
    assert_eq!(first.len(), 1);
    assert!(logged(&mut monitor).await.is_empty());
    slow(&mut admin, &["SET", "b", SECRET]);
    slow(&mut admin, &["SET", "c", SECRET]);
    let second = logged(&mut monitor).await;
    assert_eq!(second.len(), 2);
    assert!(second[0].id < second[1].id, "the oldest stands first");
    redis::cmd("SLOWLOG").arg("RESET").exec(&mut admin).unwrap();
    assert!(logged(&mut monitor).await.is_empty());
    slow(&mut admin, &["SET", "d", SECRET]);
    let third = logged(&mut monitor).await;
    assert_eq!(third.len(), 1);
    let all: BTreeSet<u64> = [ids(&first), ids(&second), ids(&third)]
        .concat()
        .into_iter()
        .collect();
    assert_eq!(all.len(), 4, "no number comes twice");
    // The control: without a monitor nothing is remembered from one to the next.
    for _ in 0..2 {
        let stats = runtime.stats().await.unwrap();
        let log = node(&stats).slow_log.as_ref().unwrap();
        assert!(log.commands.iter().any(|command| command.id == third[0].id));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_after_a_restart_come_though_their_numbers_came_before() {
    let (own, mut admin) = server();
    let runtime = on(&own).await;
    let mut monitor = runtime.monitor(OFTEN);
    for _ in 0..3 {
        slow(&mut admin, &["SET", "a", SECRET]);
    }
    let before = logged(&mut monitor).await;
    assert_eq!(before.len(), 3);
    own.restart();
    let mut admin = own.connect();
    for _ in 0..5 {
        slow(&mut admin, &["SET", "a", SECRET]);
    }
    let after = loop {
        let stats = next(&mut monitor).await;
        if stats.is_available() {
            let log = node(&stats).slow_log.as_ref().unwrap();
            assert_eq!(log.missed, 0);
            let own = log.commands.iter().filter(|command| command.name == "SET");
            break own.cloned().collect::<Vec<_>>();
        }
    };
    assert_eq!(after.len(), 5);
    // The control: by the number alone some of them would have been held back.
    assert!(after[0].id <= before[2].id, "{before:?} {after:?}");
    assert!(logged(&mut monitor).await.is_empty());
}

#[tokio::test]
async fn what_is_too_much_for_one_sample_is_counted() {
    let (own, mut admin) = server();
    let runtime = on(&own).await;
    let mut monitor = runtime.monitor(OFTEN);
    slow(&mut admin, &["SET", "a", SECRET]);
    next(&mut monitor).await;
    for _ in 0..100 {
        slow(&mut admin, &["SET", "a", SECRET]);
    }
    let stats = next(&mut monitor).await;
    let log = node(&stats).slow_log.as_ref().unwrap();
    assert_eq!(log.commands.len(), 64);
    assert!(log.missed >= 36, "{}", log.missed);
}

#[tokio::test]
async fn arguments_are_left_out_and_counted() {
    let (own, mut admin) = server();
    let runtime = on(&own).await;
    slow(&mut admin, &["SET", "user:42", SECRET]);
    let mut words = vec!["MSET"];
    words.extend([SECRET; 80]);
    slow(&mut admin, &words);
    // The control: the server has them.
    let raw: Vec<redis::Value> = redis::cmd("SLOWLOG").arg("GET").query(&mut admin).unwrap();
    let raw = format!("{raw:?}");
    let secret = format!("{:?}", SECRET.as_bytes());
    assert!(raw.contains(SECRET) || raw.contains(&secret), "{raw}");

    let mut monitor = runtime.monitor(OFTEN);
    let stats = next(&mut monitor).await;
    let log = node(&stats).slow_log.as_ref().unwrap();
    let counts: Vec<(&str, u64)> = log
        .commands
        .iter()
        .filter(|command| command.name.ends_with("SET"))
        .map(|command| (command.name.as_str(), command.arguments))
        .collect();
    assert_eq!(counts, [("SET", 2), ("MSET", 80)]);
    let shown = format!("{stats:?}");
    assert!(
        !shown.contains(SECRET) && !shown.contains("user:42"),
        "{shown}"
    );
}
