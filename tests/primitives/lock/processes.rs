//! Several processes, some of which are stopped or killed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use cacheable_tests::store::{LONG, PATIENCE};
use cacheable_tests::{RedisServer, Worker, eventually, wait_until};
use tempfile::NamedTempFile;

use super::{SECOND, millis, on};

const LOCKER: &str = env!("CARGO_BIN_EXE_locker");

/// One line for each step that was taken: its number, the fence, the process.
fn steps(file: &Path) -> Vec<(u64, u64, usize)> {
    let text = fs::read_to_string(file).unwrap();
    let number = |word: Option<&str>| word.unwrap().parse::<u64>().unwrap();
    text.lines()
        .map(|line| {
            let mut words = line.split(' ');
            let mut next = || number(words.next());
            (next(), next(), next() as usize)
        })
        .collect()
}

/// L25
fn stress(rounds: u64, kills: usize, way: &str) -> Vec<(u64, u64, usize)> {
    let server = RedisServer::shared();
    let (namespace, file) = (server.namespace(), NamedTempFile::new().unwrap());
    let path = file.path();
    let mut lockers: Vec<Worker> = (0..4)
        .map(|_| Worker::spawn(LOCKER, server, &namespace))
        .collect();
    for (number, locker) in lockers.iter_mut().enumerate() {
        locker.send(&format!(
            "count {way} {number} 4 {rounds} {}",
            path.display()
        ));
    }
    for (kill, locker) in lockers.iter_mut().enumerate().take(kills) {
        let enough = (kill + 1) * 100;
        wait_until("some steps are taken", 2 * PATIENCE, || {
            steps(path).len() > enough
        });
        locker.kill();
    }
    let mut counted = BTreeMap::new();
    for (number, locker) in lockers.iter().enumerate().skip(kills) {
        let answer = locker.answer_within(2 * PATIENCE);
        counted.insert(number, answer.number("counted"));
        assert_eq!(answer.number("lost"), 0, "locker {number}");
    }
    let steps = steps(path);
    for (number, counted) in counted {
        assert_eq!(counted, 4 * rounds);
        let taken = steps.iter().filter(|(.., who)| *who == number).count();
        assert_eq!(taken as u64, counted);
    }
    steps
}

/// L25
#[track_caller]
fn nobody_overlapped(steps: &[(u64, u64, usize)]) {
    for (pair, expected) in steps.windows(2).zip(2..) {
        assert_eq!(pair[1].0, expected, "two have read the same: {pair:?}");
        assert!(pair[0].1 < pair[1].1, "the fences fell: {pair:?}");
    }
}

/// L25
#[test]
fn sixteen_tasks_in_four_processes_count_right() {
    let steps = stress(50, 0, "locked");
    assert_eq!(steps.len(), 800);
    nobody_overlapped(&steps);
}

/// L25
#[test]
fn those_that_are_killed_make_nobody_count_wrong() {
    let steps = stress(200, 2, "locked");
    assert!(steps.len() > 1600, "{}", steps.len());
    nobody_overlapped(&steps);
}

/// L25: the control.
#[test]
fn without_the_lock_they_count_wrong() {
    let steps = stress(50, 0, "unlocked");
    let mut numbers: Vec<u64> = steps.iter().map(|step| step.0).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert!(numbers.len() < 800, "nobody has met anybody");
}

/// L11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_that_was_stopped_takes_no_further_step() {
    let server = RedisServer::shared();
    let (namespace, file) = (server.namespace(), NamedTempFile::new().unwrap());
    let path = file.path();
    let ttl = SECOND;
    let mut locker = Worker::spawn(LOCKER, server, &namespace);
    locker.send(&format!("work name {} {}", ttl.as_millis(), path.display()));
    eventually("it works", PATIENCE, async || steps(path).len() > 3).await;
    // It is renewed, too.
    tokio::time::sleep(2 * ttl).await;
    locker.pause();
    let stopped = Instant::now();
    let locks = on(&server.url(), &namespace).await.locks();
    let guard = locks.acquire("name", LONG, PATIENCE).await.unwrap();
    let before = steps(path);
    assert!(guard.fence() > before.last().unwrap().1);
    tokio::time::sleep((2 * ttl).saturating_sub(stopped.elapsed())).await;
    locker.resume();
    let answer = locker.answer_within(PATIENCE);
    assert_eq!(answer.number("lost"), 1);
    assert_eq!(answer.number("fence"), before[0].1);
    // It may have been stopped between its look at the clock and the step,
    // which only the fence can tell from a step in time.
    let after = steps(path).len() - before.len();
    assert!(after <= 1, "{after} steps without the lock");
    assert!(guard.is_held());
}

/// L21
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_holder_is_waited_for_no_longer_than_its_lock_lives() {
    let server = RedisServer::shared();
    let (namespace, file) = (server.namespace(), NamedTempFile::new().unwrap());
    let locks = on(&server.url(), &namespace).await.locks();
    let ttl = 2 * SECOND;
    let mut locker = Worker::spawn(LOCKER, server, &namespace);
    let path = file.path().display();
    locker.send(&format!("work name {} {path}", ttl.as_millis()));
    eventually("it works", PATIENCE, async || {
        !steps(file.path()).is_empty()
    })
    .await;
    let waits = tokio::spawn(async move { locks.acquire("name", LONG, PATIENCE).await });
    tokio::time::sleep(millis(200)).await;
    locker.kill();
    let killed = Instant::now();
    let guard = waits.await.unwrap().unwrap();
    let took = killed.elapsed();
    // The rest of its life, which was renewed at a third of it at the latest.
    assert!(took > ttl / 3 && took < ttl + 3 * SECOND, "{took:?}");
    assert!(guard.fence() > steps(file.path())[0].1);
}
