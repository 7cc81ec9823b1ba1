//! Reads, loads and invalidations at random, in one process and in several.
//! `CACHEABLE_STRESS_SECONDS` says for how long; 3 s by default.

use std::env;
use std::time::{Duration, Instant};

use cacheable_tests::{Ages, Answer, Ledger, RedisServer, Worker, say, wait_until};

use crate::fleet;

const PATIENCE: Duration = Duration::from_secs(30);

const READERS: u64 = 16;
const WRITERS: u64 = 2;

/// What all the processes found, together.
#[derive(Default)]
struct Outcome {
    reads: u64,
    writes: u64,
    violations: u64,
    ages: Ages,
}

impl Outcome {
    /// Enough for readers and writers to have met.
    fn shows_something(&self) -> bool {
        self.reads > 1_000 && self.writes > 100
    }

    /// By hand, both within a process and between them.
    fn shows_what_goes_wrong(&self) -> bool {
        self.violations > 0 && self.ages.count() > 0
    }
}

/// Lets processes read and write for a while, and again until that is `enough`:
/// a busy machine may take long over a few.
fn race(
    workers: &mut [Worker],
    server: &RedisServer,
    way: &str,
    enough: fn(&Outcome) -> bool,
) -> Outcome {
    let (mut all, began) = (Outcome::default(), Instant::now());
    loop {
        let outcome = run(workers, server, way);
        all.reads += outcome.reads;
        all.writes += outcome.writes;
        all.violations += outcome.violations;
        all.ages.merge(&outcome.ages);
        if all.shows_something() && enough(&all) {
            return all;
        }
        assert!(
            began.elapsed() < PATIENCE,
            "the race proves nothing: {} reads, {} writes",
            all.reads,
            all.writes
        );
    }
}

fn run(workers: &mut [Worker], server: &RedisServer, way: &str) -> Outcome {
    let seconds = env::var("CACHEABLE_STRESS_SECONDS").map_or(3, |seconds| {
        seconds.parse().expect("it is a number of seconds")
    });
    let ledger = Ledger::create().unwrap();
    let path = ledger.path().unwrap().display();
    let database = server.database_url(1);
    for worker in &mut *workers {
        worker.send(&format!(
            "race {way} {path} {database} {READERS} {WRITERS} {seconds}"
        ));
    }
    let answer = |worker: &Worker| worker.answer_within(Duration::from_secs(seconds));
    let answers: Vec<Answer> = workers.iter().map(answer).collect();
    let sum = |name| -> u64 { answers.iter().map(|answer| answer.number(name)).sum() };
    let mut ages = Ages::default();
    for answer in &answers {
        ages.merge(&answer.text("ages").parse().unwrap());
    }
    say(&format!(
        "race, {way}: {} processes, {seconds} s, {} reads, {} loads, {} writes: \
         {} violations within a process; \
         of others {} stale reads, for p50 {:?}, p99 {:?}, max {:?}",
        answers.len(),
        sum("reads"),
        sum("loads"),
        sum("writes"),
        sum("violations"),
        ages.count(),
        ages.quantile(0.5),
        ages.quantile(0.99),
        ages.longest(),
    ));
    if way == "cached" {
        wait_until("nothing stays old", PATIENCE, || {
            workers.iter_mut().all(|worker| {
                worker.send(&format!("settle {way} {path} {database}"));
                worker.answer_within(Duration::ZERO).number("old") == 0
            })
        });
    }
    Outcome {
        reads: sum("reads"),
        writes: sum("writes"),
        violations: sum("violations"),
        ages,
    }
}

#[test]
fn a_process_reads_what_it_wrote() {
    let server = RedisServer::start();
    let outcome = race(&mut fleet(&server, 1), &server, "cached", |_| true);
    assert_eq!(outcome.violations, 0);
    // There are no others.
    assert_eq!(outcome.ages.count(), 0);
}

#[test]
fn each_of_four_processes_reads_what_it_wrote_and_soon_what_others_wrote() {
    let server = RedisServer::start();
    let outcome = race(&mut fleet(&server, 4), &server, "cached", |_| true);
    assert_eq!(outcome.violations, 0);
    // The promise is the time a push takes; the rest is room for a busy machine.
    let longest = outcome.ages.longest();
    assert!(longest < Duration::from_secs(2), "{longest:?}");
}

/// The control: by hand it goes wrong, in one process and between them.
#[test]
fn by_hand_old_values_are_read() {
    let server = RedisServer::start();
    race(
        &mut fleet(&server, 2),
        &server,
        "aside",
        Outcome::shows_what_goes_wrong,
    );
}
