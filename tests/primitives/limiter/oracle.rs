//! Thousands of calls at random against a log that forgets nothing. Each
//! decision says when the store made it, so that what was decided is judged by
//! the store's own time, and no machine is too slow for it.

use std::time::{Duration, SystemTime};

use cacheable_runtime::{Algorithm, Decision, RatePolicy};
use cacheable_tests::Store;
use tokio::task::JoinSet;

use super::{ALGORITHMS, asking, decided};

const WINDOW: Duration = Duration::from_millis(50);
const LIMIT: u64 = 10;
const SEGMENTS: u32 = 10;

/// Of each task.
const CALLS: usize = 1_000;

/// One call, as its answer tells of it.
struct Told {
    at: SystemTime,
    cost: u64,
    decision: Decision,
}

async fn calls(policy: RatePolicy, id: String) -> Vec<Told> {
    let mut log = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        match fastrand::u8(..8) {
            0 => tokio::time::sleep(Duration::from_millis(fastrand::u64(..20))).await,
            1 => tokio::time::sleep(WINDOW / LIMIT as u32).await,
            _ => {}
        }
        let cost = [1, 1, 1, 2, 3][fastrand::usize(..5)];
        let decision = policy.check_n(&id, cost).await.unwrap();
        log.push(Told {
            at: decided(&decision),
            cost,
            decision,
        });
    }
    log
}

/// How much of what was allowed by these calls lies in a window that ends at a
/// moment, the moment itself included.
fn used(log: &[Told], at: SystemTime, window: Duration) -> u64 {
    let counts = |told: &&Told| told.decision.allowed && told.at <= at && told.at + window > at;
    log.iter().filter(counts).map(|told| told.cost).sum()
}

/// What is true whatever the order of calls at one moment was. Returns how many
/// were denied.
fn judge(log: &[Told], algorithm: Algorithm) -> usize {
    let mut denied = 0;
    // The log is in order, so only what is near can lie in the window.
    for (place, told) in log.iter().enumerate() {
        let near = &log[place.saturating_sub(4_000)..(place + 64).min(log.len())];
        if told.decision.allowed {
            let most = match algorithm {
                Algorithm::Gcra => 2 * LIMIT,
                _ => LIMIT,
            };
            let used = used(near, told.at, WINDOW);
            assert!(used <= most, "{algorithm:?}: {used} in one window");
        } else {
            denied += 1;
            let late = match algorithm {
                Algorithm::Segmented => WINDOW / SEGMENTS,
                _ => Duration::ZERO,
            };
            let used = used(near, told.at, WINDOW + late);
            assert!(used + told.cost > LIMIT, "{algorithm:?}: {used} and denied");
        }
    }
    denied
}

/// Every call of one id in the order in which it was made: then each number is
/// known, too.
fn judge_exactly(log: &[Told], algorithm: Algorithm) {
    for (place, told) in log.iter().enumerate() {
        let near = &log[place.saturating_sub(500)..place];
        let decision = &told.decision;
        let mut times: Vec<SystemTime> = near
            .iter()
            .filter(|told| told.decision.allowed)
            .flat_map(|told| (0..told.cost).map(|_| told.at))
            .collect();
        times.retain(|time| *time + WINDOW > told.at);
        let used = times.len() as u64;
        let fits = used + told.cost <= LIMIT;
        if algorithm == Algorithm::Exact {
            assert_eq!(decision.allowed, fits, "{used} used, {decision:?}");
            let after = if fits { used + told.cost } else { used };
            assert_eq!(decision.remaining, LIMIT - after);
            let next = if fits {
                times.first().copied().unwrap_or(told.at)
            } else {
                times[(used + told.cost - LIMIT - 1) as usize]
            };
            assert_eq!(decision.reset_at, next + WINDOW);
        } else if !decision.allowed && !fits {
            let exact = times[(used + told.cost - LIMIT - 1) as usize] + WINDOW;
            assert!(algorithm == Algorithm::Gcra || decision.reset_at >= exact);
        }
    }
}

/// R4, R5
async fn no_window_holds_too_much_and_nothing_that_fits_is_denied(store: Store) {
    let runtime = store.runtime().await;
    for algorithm in ALGORITHMS {
        let builder = asking(&runtime, "oracle", LIMIT, WINDOW).algorithm(algorithm);
        let builder = match algorithm {
            Algorithm::Segmented => builder.segments(SEGMENTS),
            _ => builder,
        };
        let policy = builder.build().unwrap();
        let mut alone = JoinSet::new();
        let mut shared = JoinSet::new();
        for task in 0..6 {
            alone.spawn(calls(policy.clone(), format!("id {task}")));
            // Each as another process would, where there can be one.
            shared.spawn(calls(policy.clone(), "shared".to_owned()));
        }
        let (mut denied, mut calls) = (0, 0);
        for log in alone.join_all().await {
            denied += judge(&log, algorithm);
            calls += log.len();
            judge_exactly(&log, algorithm);
        }
        shows_both(denied, calls);
        let mut log: Vec<Told> = shared.join_all().await.into_iter().flatten().collect();
        log.sort_by_key(|told| told.at);
        shows_both(judge(&log, algorithm), log.len());
    }
}

/// On a machine that is very busy few calls of one id come within one window.
fn shows_both(denied: usize, calls: usize) {
    let allowed = calls - denied;
    assert!(
        denied > 50 && allowed > 50,
        "{denied} denied, {allowed} allowed"
    );
}

/// The control: the judge sees what counters of fixed windows let through at
/// the edge, and a denial of what fits.
#[tokio::test]
async fn the_judge_sees_what_is_wrong() {
    let runtime = cacheable_runtime::Runtime::embedded();
    let policy = asking(&runtime, "api", LIMIT, WINDOW).build().unwrap();
    let template = policy.check("id").await.unwrap();
    let told = |after: u64, allowed| {
        let mut decision = template.clone();
        decision.allowed = allowed;
        Told {
            at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_000 + after),
            cost: 1,
            decision,
        }
    };
    let panics = |log: Vec<Told>| {
        let judged = std::panic::AssertUnwindSafe(|| judge(&log, Algorithm::Exact));
        std::panic::catch_unwind(judged).is_err()
    };
    // Ten at the end of each second window, and denials while it is full.
    let right = |step: u64| {
        let allowed = (0..10).map(move |_| told(step * 100, true));
        allowed.chain((0..10).map(move |_| told(step * 100 + 49, false)))
    };
    let right: Vec<Told> = (0..10).flat_map(right).collect();
    judge(&right, Algorithm::Exact);
    let mut edge: Vec<Told> = (0..10).map(|_| told(0, true)).collect();
    edge.extend((0..10).map(|_| told(10, true)));
    edge.extend(right.into_iter().map(|mut told| {
        told.at += Duration::from_secs(1);
        told
    }));
    assert!(panics(edge));
    let denied = (0..10).map(|_| told(50, false));
    let all = (0..10).map(|_| told(0, true)).chain(denied);
    let rest = (0..200).map(|number| told(1_000 + number * 100, number % 2 == 0));
    assert!(panics(all.chain(rest).collect()));
}

crate::on_every_store! { no_window_holds_too_much_and_nothing_that_fits_is_denied }
