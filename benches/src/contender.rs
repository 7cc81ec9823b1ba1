//! One way of doing what a path is about.

use std::fmt;
use std::future::Future;
use std::hint::black_box;
use std::iter::StepBy;
use std::ops::Range;
use std::pin::Pin;
use std::time::Instant;

/// One way of doing what a path is about.
pub struct Contender {
    pub(crate) name: String,
    /// The contender that this one is compared with.
    pub(crate) floor: Option<String>,
    run: Box<dyn Fn(Batch) -> Running + Send + Sync>,
}

/// What one task does in one round.
pub(crate) struct Batch {
    /// The numbers that the operation is given. No number is given twice in
    /// one process.
    pub(crate) numbers: StepBy<Range<u64>>,
    /// Whether to take the time of each operation.
    pub(crate) timed: bool,
}

/// The nanoseconds of each operation, if they are taken.
pub(crate) type Running = Pin<Box<dyn Future<Output = Vec<u32>> + Send>>;

impl Contender {
    /// A contender whose operation is what `operation` returns.
    ///
    /// The loop over a batch is compiled for each of them, so an operation of
    /// a few nanoseconds is not drowned by a call through a pointer.
    pub fn new<O, F>(name: impl Into<String>, operation: O) -> Self
    where
        O: Fn(u64) -> F + Copy + Send + Sync + 'static,
        F: Future + Send + 'static,
    {
        Self {
            name: name.into(),
            floor: None,
            run: Box::new(move |batch| Box::pin(run(operation, batch))),
        }
    }

    /// A contender that waits for nothing.
    pub fn sync<O, T>(name: impl Into<String>, operation: O) -> Self
    where
        O: Fn(u64) -> T + Copy + Send + Sync + 'static,
        T: Send + 'static,
    {
        Self::new(name, move |number| std::future::ready(operation(number)))
    }

    /// Compares it with the contender of this name. Default: with none.
    #[must_use]
    pub fn against(mut self, floor: impl Into<String>) -> Self {
        self.floor = Some(floor.into());
        self
    }

    pub(crate) fn run(&self, batch: Batch) -> Running {
        (self.run)(batch)
    }
}

async fn run<F: Future>(operation: impl Fn(u64) -> F, batch: Batch) -> Vec<u32> {
    if !batch.timed {
        for number in batch.numbers {
            black_box(operation(black_box(number)).await);
        }
        return Vec::new();
    }
    let mut taken = Vec::with_capacity(batch.numbers.size_hint().0);
    let mut before = Instant::now();
    for number in batch.numbers {
        black_box(operation(black_box(number)).await);
        let after = Instant::now();
        taken.push(u32::try_from((after - before).as_nanos()).unwrap_or(u32::MAX));
        before = after;
    }
    taken
}

impl fmt::Debug for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contender")
            .field("name", &self.name)
            .field("floor", &self.floor)
            .finish_non_exhaustive()
    }
}
