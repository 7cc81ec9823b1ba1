//! Random interleavings against an oracle of a few lines.

use std::collections::BTreeMap;

use cacheable_runtime::{LockGuard, ManualClock, Release, Runtime};
use cacheable_tests::RedisServer;
use cacheable_tests::store::LONG;

use super::{key, on};

const NAMES: [&str; 3] = ["a", "b", "c"];

/// What is under test, and how locks of it expire at once.
enum Subject {
    /// By its clock, which the guards go by, too.
    Embedded(Runtime, ManualClock),
    /// By the server, as when its clock has stepped: the guards do not know.
    Redis(Vec<Runtime>, &'static RedisServer, String),
}

/// What should be so.
#[derive(Default)]
struct Oracle {
    /// Who holds it, by number.
    holders: BTreeMap<&'static str, usize>,
    fences: BTreeMap<&'static str, u64>,
    /// Guards that know that they have lost.
    told: Vec<usize>,
}

impl Subject {
    fn runtime(&self) -> &Runtime {
        match self {
            Self::Embedded(runtime, _) => runtime,
            Self::Redis(runtimes, ..) => &runtimes[fastrand::usize(..runtimes.len())],
        }
    }

    /// Ends all locks. `true`: and the guards know.
    fn expire(&self) -> bool {
        match self {
            Self::Embedded(_, clock) => {
                clock.advance(2 * LONG);
                true
            }
            Self::Redis(_, server, namespace) => {
                for name in NAMES {
                    server.command::<u8>(&["DEL", &key(namespace, name)]);
                }
                false
            }
        }
    }
}

async fn check(subject: Subject, steps: u32) {
    let mut oracle = Oracle::default();
    let mut guards: Vec<(&'static str, LockGuard)> = Vec::new();
    let mut seen = [0; 6];
    for step in 0..steps {
        let name = NAMES[fastrand::usize(..NAMES.len())];
        let number = fastrand::usize(..guards.len().max(1));
        let kind = fastrand::usize(..10);
        match kind {
            0..=3 => {
                let locks = subject.runtime().locks();
                let got = locks.try_acquire(name, LONG).await.unwrap();
                let free = !oracle.holders.contains_key(name);
                assert_eq!(got.is_some(), free, "step {step}, {name}");
                if let Some(guard) = got {
                    let last = oracle.fences.insert(name, guard.fence()).unwrap_or(0);
                    assert!(guard.fence() > last, "step {step}");
                    assert!(guard.is_held(), "step {step}");
                    oracle.holders.insert(name, guards.len());
                    guards.push((name, guard));
                    seen[0] += 1;
                } else {
                    seen[1] += 1;
                }
            }
            4..=6 if !guards.is_empty() => {
                let (name, guard) = &guards[number];
                let owns = oracle.holders.get(name) == Some(&number);
                let extended = guard.extend(LONG).await;
                assert_eq!(extended.is_ok(), owns, "step {step}: {extended:?}");
                if !owns {
                    super::is_lost(extended, guard.fence());
                    oracle.told.push(number);
                }
                seen[2] += 1;
            }
            7 | 8 if !guards.is_empty() => {
                let (name, guard) = &guards[number];
                let expected = match oracle.holders.get(name) {
                    Some(holder) if *holder == number => Release::Released,
                    Some(_) => Release::NotOwner,
                    None => Release::Expired,
                };
                let released = guard.release().await.unwrap();
                assert_eq!(released, expected, "step {step}");
                if released == Release::Released {
                    oracle.holders.remove(name);
                }
                oracle.told.push(number);
                seen[3 + usize::from(released != Release::Released)] += 1;
            }
            9 if fastrand::u8(..4) == 0 => {
                let told = subject.expire();
                oracle.holders.clear();
                if told {
                    oracle.told.extend(0..guards.len());
                }
                seen[5] += 1;
            }
            _ => {}
        }
        // Who holds a lock thinks so, and who was told thinks so no more.
        for holder in oracle.holders.values() {
            assert!(guards[*holder].1.is_held(), "step {step}");
        }
        for told in &oracle.told {
            assert!(!guards[*told].1.is_held(), "step {step}");
        }
    }
    assert!(seen.iter().all(|count| *count > 0), "{seen:?} has a gap");
}

/// Prints the seed, so that a run that failed can be made again.
fn seed() {
    let seed = fastrand::u64(..);
    println!("the seed is {seed}");
    fastrand::seed(seed);
}

#[tokio::test]
async fn embedded_does_what_the_oracle_says() {
    seed();
    for _ in 0..20 {
        let clock = ManualClock::new();
        let runtime = Runtime::builder().clock(&clock).build().await.unwrap();
        check(Subject::Embedded(runtime, clock), 400).await;
    }
}

#[tokio::test]
async fn a_server_does_what_the_oracle_says() {
    seed();
    let server = RedisServer::shared();
    for _ in 0..3 {
        let namespace = server.namespace();
        let url = server.url();
        let runtimes = vec![on(&url, &namespace).await, on(&url, &namespace).await];
        check(Subject::Redis(runtimes, server, namespace), 400).await;
    }
}
