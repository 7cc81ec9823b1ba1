//! Rounds in turns, and one pass that counts.

use std::iter::StepBy;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::task::JoinSet;

use crate::contender::{Batch, Contender, Running};
use crate::path::Served;
use crate::stats::{median, percentile, spread};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// How often each contender has its turn.
    pub(crate) rounds: usize,
    /// How long a turn takes, about.
    pub(crate) round: Duration,
    /// Operations whose allocations are counted.
    pub(crate) counted: u64,
}

impl Effort {
    pub(crate) const FULL: Self = Self {
        rounds: 31,
        round: Duration::from_millis(40),
        counted: 1_000,
    };
    pub(crate) const QUICK: Self = Self {
        rounds: 3,
        round: Duration::from_millis(5),
        counted: 200,
    };
}

/// One turn of one contender.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    pub(crate) operations: u64,
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
}

/// All turns of one contender.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) turns: Vec<Turn>,
    /// Nanoseconds, sorted at the end; empty if they are not taken.
    latencies: Vec<u32>,
}

/// What one operation needs, whatever else the machine does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub(crate) allocations: f64,
    pub(crate) bytes: f64,
    /// Requests that reached the server; `None` without one.
    pub(crate) trips: Option<f64>,
}

/// The processor time that this process has used so far, in all of its threads.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).expect("a processor clock counts from zero")
}

/// The indices below `contenders` in the order of one round: each begins one
/// further on, so that no contender always follows the same other one first.
pub fn in_turns(contenders: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..contenders).map(move |turn| (turn + round) % contenders)
}

/// Gives each contender its turn, round after round.
pub(crate) async fn measure(
    contenders: &[Contender],
    tasks: u64,
    timed: bool,
    effort: Effort,
) -> Vec<Measured> {
    let mut sizes = Vec::new();
    for contender in contenders {
        sizes.push(batch_size(contender, tasks, effort.round).await);
    }
    let mut measured: Vec<_> = contenders.iter().map(|_| Measured::default()).collect();
    for round in 0..effort.rounds {
        for index in in_turns(contenders.len(), round) {
            let (turn, mut latencies) = take(&contenders[index], tasks, sizes[index], timed).await;
            measured[index].turns.push(turn);
            measured[index].latencies.append(&mut latencies);
        }
    }
    for measured in &mut measured {
        measured.latencies.sort_unstable();
    }
    measured
}

/// How many operations each task does so that a turn takes `round`, about.
/// Finding out warms everything up.
async fn batch_size(contender: &Contender, tasks: u64, round: Duration) -> u64 {
    let mut size = 1;
    loop {
        let (turn, _) = take(contender, tasks, size, false).await;
        if turn.wall * 4 >= round {
            let scale = round.as_secs_f64() / turn.wall.as_secs_f64();
            #[allow(clippy::cast_sign_loss, reason = "neither factor is negative")]
            return ((size as f64 * scale) as u64).max(1);
        }
        size *= 2;
    }
}

async fn take(contender: &Contender, tasks: u64, size: u64, timed: bool) -> (Turn, Vec<u32>) {
    let mut running = JoinSet::new();
    let mut latencies = Vec::new();
    let cpu = cpu_time();
    let start = Instant::now();
    for numbers in next_numbers(tasks, size) {
        running.spawn(contender.run(Batch { numbers, timed }));
    }
    while let Some(taken) = running.join_next().await {
        latencies.append(&mut taken.expect("no operation panics"));
    }
    let turn = Turn {
        operations: tasks * size,
        wall: start.elapsed(),
        cpu: cpu_time().saturating_sub(cpu),
    };
    (turn, latencies)
}

/// As many numbers as `size` for each of `tasks`. They take turns, so that tasks
/// that are equally fast are never at the same entry: such calls would share
/// one look-up, and how many do would depend on the size.
fn next_numbers(tasks: u64, size: u64) -> impl Iterator<Item = StepBy<Range<u64>>> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let first = NEXT.fetch_add(tasks * size, Ordering::Relaxed);
    let end = first + tasks * size;
    let step = usize::try_from(tasks).expect("tasks fit into memory");
    (first..first + tasks).map(move |first| (first..end).step_by(step))
}

/// What one operation of `contender` allocates, and how often it asks the
/// server, when one task runs on `runtime`, which has no thread but this one.
pub(crate) fn count(
    contender: &Contender,
    runtime: &tokio::runtime::Runtime,
    server: Option<&dyn Served>,
    effort: Effort,
) -> Counted {
    // Buffers grow and connections settle before anything is counted.
    runtime.block_on(run_alone(contender, effort.counted));
    let batch = run_alone(contender, effort.counted);
    let trips_before = server.map(Served::trips);
    let counted = allocation_counter::measure(|| {
        runtime.block_on(batch);
    });
    let operations = effort.counted as f64;
    Counted {
        allocations: counted.count_total as f64 / operations,
        bytes: counted.bytes_total as f64 / operations,
        trips: server
            .zip(trips_before)
            .map(|(server, before)| (server.trips() - before) as f64 / operations),
    }
}

fn run_alone(contender: &Contender, size: u64) -> Running {
    let mut numbers = next_numbers(1, size);
    contender.run(Batch {
        numbers: numbers.next().expect("there is one task"),
        timed: false,
    })
}

impl Turn {
    pub(crate) fn per_second(&self) -> f64 {
        self.operations as f64 / self.wall.as_secs_f64()
    }

    /// Nanoseconds of processor time per operation.
    pub(crate) fn cpu_nanos(&self) -> f64 {
        self.cpu.as_nanos() as f64 / self.operations as f64
    }
}

impl Measured {
    pub(crate) fn per_second(&self) -> f64 {
        median(self.turns.iter().map(Turn::per_second))
    }

    pub(crate) fn cpu_nanos(&self) -> f64 {
        median(self.turns.iter().map(Turn::cpu_nanos))
    }

    /// The median of what this is of `floor`, round by round: two turns of one
    /// round have met the same machine, two medians need not have.
    pub(crate) fn against(&self, floor: &Self, figure: fn(&Turn) -> f64) -> f64 {
        let rounds = self.turns.iter().zip(&floor.turns);
        median(rounds.map(|(turn, floor)| figure(turn) / figure(floor)))
    }

    /// How much the rounds differ in operations per second, as a share.
    pub(crate) fn spread(&self) -> Option<f64> {
        spread(self.turns.iter().map(Turn::per_second))
    }

    /// Nanoseconds; `None` if they were not taken.
    pub(crate) fn latency(&self, share: f64) -> Option<f64> {
        (!self.latencies.is_empty()).then(|| f64::from(percentile(&self.latencies, share)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Measured, Turn, in_turns, next_numbers};

    #[test]
    fn every_task_has_numbers_of_its_own() {
        let numbers: Vec<Vec<_>> = next_numbers(3, 4).map(Iterator::collect).collect();
        assert!(numbers.iter().all(|numbers| numbers.len() == 4));
        let mut all = numbers.concat();
        let (first, last) = (numbers[0][0], numbers[2][3]);
        all.sort_unstable();
        assert_eq!(all, (first..=last).collect::<Vec<_>>());
        assert!(next_numbers(1, 1).all(|mut next| next.all(|next| next > last)));
    }

    #[test]
    fn a_ratio_is_one_within_rounds() {
        let measured = |cpu: [u64; 3]| Measured {
            turns: cpu.map(turn).to_vec(),
            latencies: Vec::new(),
        };
        // The machine got slower after the first round, and then faster again.
        let floor = measured([100, 900, 500]);
        let twice = measured([200, 1800, 100]);
        assert_eq!(
            twice.against(&floor, Turn::cpu_nanos).to_bits(),
            2_f64.to_bits()
        );
    }

    fn turn(cpu: u64) -> Turn {
        Turn {
            operations: 1,
            wall: Duration::from_nanos(1),
            cpu: Duration::from_nanos(cpu),
        }
    }

    #[test]
    fn everyone_begins_once() {
        let orders: Vec<Vec<_>> = (0..3).map(|round| in_turns(3, round).collect()).collect();
        assert_eq!(orders, [[0, 1, 2], [1, 2, 0], [2, 0, 1]]);
    }
}
