//! Measures and prints what `main` does, and remembers what was not as said.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cacheable_runtime::{MethodCounts, Runtime};

use crate::service::{Package, PackageService};

pub struct Table {
    runtime: Runtime,
    service: Arc<PackageService>,
    /// Whether the store answered when the run began.
    stored: bool,
    facts: usize,
    wrong: Vec<String>,
}

impl Table {
    pub fn new(runtime: &Runtime, service: &Arc<PackageService>, stored: bool) -> Self {
        underlined(&line(["what was called", "answer", "queries", "time"]));
        Self {
            runtime: runtime.clone(),
            service: Arc::clone(service),
            stored,
            facts: 0,
            wrong: Vec::new(),
        }
    }

    /// Runs one step and prints its row. With a cache it runs `expected`
    /// queries.
    pub async fn row<T: Answer, E>(
        &mut self,
        what: &str,
        expected: u64,
        step: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let before = self.service.queries();
        let began = Instant::now();
        let value = step.await?;
        let took = began.elapsed();
        let queries = self.service.queries() - before;

        let what_in = format!("  {what}");
        let row = line([&what_in, &value.answer(), &queries.to_string(), &time(took)]);
        if queries == expected || !self.store_failed() {
            say!("{row}");
        } else {
            say!("{row}  uncached; {expected} with a cache");
        }
        self.fact_with_cache(
            queries == expected,
            &format!("{what} runs {expected} queries (it ran {queries})"),
        );
        Ok(value)
    }

    /// A fact that holds with a cache and without.
    pub fn fact(&mut self, holds: bool, fact: &str) {
        self.facts += 1;
        if !holds {
            say!("  DOES NOT HOLD: {fact}");
            self.wrong.push(fact.to_owned());
        }
    }

    /// A fact that needs a store that answers.
    pub fn fact_with_cache(&mut self, holds: bool, fact: &str) {
        if !self.store_failed() {
            self.fact(holds, fact);
        }
    }

    /// What the runtime counted of one method.
    pub fn counted(&self, method: &str) -> MethodCounts {
        self.runtime.observe().method(method)
    }

    /// What the runtime counted of every method.
    pub fn counters(&self) {
        let head = [
            "hits",
            "misses",
            "loads",
            "waits",
            "rejected",
            "invalidations",
            "store errors",
        ];
        underlined(&counts("counted by the runtime", head));
        for (method, seen) in self.runtime.observe().iter() {
            let numbers = [
                seen.hits_local + seen.hits_remote,
                seen.misses,
                seen.loads,
                seen.waits,
                seen.fills_rejected,
                seen.invalidations,
                store_errors(seen),
            ];
            let numbers = numbers.map(|number| number.to_string());
            say!("{}", counts(method, numbers));
        }
    }

    /// The last line.
    pub fn verdict(&self) -> Result<(), Box<dyn Error>> {
        say!("");
        if !self.wrong.is_empty() {
            let wrong = self.wrong.join("\n  ");
            return Err(format!("this should hold, and does not:\n  {wrong}").into());
        }
        if self.store_failed() {
            let failures = store_errors(self.runtime.observe().total());
            say!("The store was away ({failures} failures), and calls went on without it.");
            say!(
                "Checked: the {} facts that need no cache, and all hold.",
                self.facts
            );
        } else {
            say!("Checked: {} facts, and all hold.", self.facts);
        }
        Ok(())
    }

    /// Whether it failed at any time: a later call may then be a miss although
    /// the store is back.
    fn store_failed(&self) -> bool {
        !self.stored || store_errors(self.runtime.observe().total()) > 0
    }
}

pub fn chapter(title: &str) {
    say!("\n{title}");
}

macro_rules! say {
    ($($line:tt)*) => { $crate::table::print(format_args!($($line)*)) };
}
pub(crate) use say;

/// Prints a line. When nobody reads on, as behind `| head`, the checks do.
pub fn print(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn store_errors(counts: MethodCounts) -> u64 {
    counts.remote_errors + counts.invalidation_errors
}

fn underlined(head: &str) {
    say!("\n{head}\n{}", "-".repeat(head.chars().count()));
}

fn line([what, answer, queries, time]: [&str; 4]) -> String {
    format!("{what:<36} {:<44} {queries:>7} {time:>8}", cut(answer, 44))
}

fn counts(method: &str, numbers: [impl AsRef<str>; 7]) -> String {
    let mut line = format!("{method:<24}");
    for number in numbers {
        // Writing to a `String` does not fail.
        let _ = write!(line, " {:>12}", number.as_ref());
    }
    line
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 1).chain(['…']).collect()
}

fn time(took: Duration) -> String {
    match took.as_micros() {
        micros @ 0..10_000 => format!("{micros} µs"),
        micros => format!("{} ms", micros / 1_000),
    }
}

/// What a row shows of a value.
pub trait Answer {
    fn answer(&self) -> String;
}

impl Answer for Package {
    fn answer(&self) -> String {
        let Self { name, version, .. } = self;
        let mut text = format!("{name} {version}, needs {}", self.dependencies.len());
        if let Some(checksum) = &self.checksum {
            text.extend([", ", &checksum[..8], "…"]);
        }
        if self.yanked {
            text.push_str(", YANKED");
        }
        text
    }
}

impl Answer for Option<Package> {
    fn answer(&self) -> String {
        self.as_ref()
            .map_or_else(|| "none".to_owned(), Answer::answer)
    }
}

impl Answer for Vec<String> {
    fn answer(&self) -> String {
        format!("{}: {}", self.len(), self.join(", "))
    }
}

impl<T: Answer> Answer for Arc<T> {
    fn answer(&self) -> String {
        T::answer(self)
    }
}

impl Answer for String {
    fn answer(&self) -> String {
        self.clone()
    }
}

impl Answer for u64 {
    fn answer(&self) -> String {
        format!("{self} written")
    }
}
