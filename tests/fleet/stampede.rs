//! All processes ask for one cold key at once.

use std::collections::BTreeSet;
use std::time::Duration;

use cacheable_tests::{RedisServer, Worker, say};

use crate::fleet;

const PROCESSES: usize = 4;
const CALLERS: usize = 1_000;
const BODY: Duration = Duration::from_millis(50);

/// The promise is the body and a few round trips; the rest is room for a busy machine.
const BOUND: Duration = Duration::from_secs(5);

#[test]
fn thousands_of_callers_in_four_processes_are_one_load() {
    let server = RedisServer::start();
    let mut workers = fleet(&server, PROCESSES);
    for round in 0..5 {
        let command = format!("stampede cold{round} {CALLERS} {}", BODY.as_millis());
        for worker in &mut workers {
            worker.send(&command);
        }
        let answer = |worker: &Worker| worker.answer_within(BODY);
        let answers: Vec<_> = workers.iter().map(answer).collect();
        let numbers = |name| answers.iter().map(move |answer| answer.number(name));
        let began = numbers("began").min().unwrap();
        let ended = numbers("ended").max().unwrap();
        let makespan = Duration::from_micros(ended - began);
        say(&format!(
            "stampede: {PROCESSES} processes of {CALLERS} callers, a body of {BODY:?}: \
             {} loads, {makespan:?}",
            numbers("loads").sum::<u64>(),
        ));
        let values: BTreeSet<&str> = answers.iter().map(|answer| answer.text("values")).collect();
        assert_eq!(numbers("loads").sum::<u64>(), 1, "{answers:?}");
        assert_eq!(values.len(), 1, "{answers:?}");
        assert!(BODY <= makespan && makespan < BOUND, "{makespan:?}");
    }
}
