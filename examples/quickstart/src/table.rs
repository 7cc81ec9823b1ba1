//! Measures and prints what `main` does, and remembers what was not as said.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cacheable_runtime::{MethodCounts, Runtime};

use crate::service::{Package, PackageService};

pub struct Table {
    runtime: Runtime,
    service: Arc<PackageService>,
    facts: usize,
    wrong: Vec<String>,
}

impl Table {
    pub fn new(runtime: &Runtime, service: &Arc<PackageService>) -> Self {
        Self {
            runtime: runtime.clone(),
            service: Arc::clone(service),
            facts: 0,
            wrong: Vec::new(),
        }
    }

    pub fn heading(&self, text: &str) {
        println!("\n{}", line([text, "answer", "queries", "time"]));
        println!("{}", "-".repeat(line([""; 4]).chars().count()));
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

        let shown = [what, &value.answer(), &queries.to_string(), &time(took)];
        let row = line(shown);
        if queries == expected || !self.store_failed() {
            println!("{row}");
        } else {
            println!("{row}  uncached; {expected} with a cache");
        }
        self.fact_with_cache(
            queries == expected,
            &format!("{what} runs {expected} queries, not {queries}"),
        );
        Ok(value)
    }

    /// A fact that holds with a cache and without.
    pub fn fact(&mut self, holds: bool, fact: &str) {
        self.facts += 1;
        if !holds {
            println!("WRONG: {fact}");
            self.wrong.push(fact.to_owned());
        }
    }

    /// A fact that needs a store that answers.
    pub fn fact_with_cache(&mut self, holds: bool, fact: &str) {
        if !self.store_failed() {
            self.fact(holds, fact);
        }
    }

    /// What the runtime counted, per method.
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
        println!("\n{}", counts("counted by the runtime", head));
        println!("{}", "-".repeat(counts("", head).chars().count()));
        for (method, seen) in self.runtime.observe().iter() {
            let numbers = [
                seen.hits_remote,
                seen.misses,
                seen.loads,
                seen.waits,
                seen.fills_rejected,
                seen.invalidations,
                store_errors(seen),
            ];
            println!("{}", counts(method, numbers.map(|number| number.to_string())));
        }
    }

    /// The last line.
    pub fn verdict(&self) -> Result<(), String> {
        println!();
        if self.store_failed() {
            println!(
                "The store failed {} times, so calls ran uncached: of what this table says, the \
                 {} facts that need no cache were checked.",
                store_errors(self.runtime.observe().total()),
                self.facts,
            );
        } else if self.wrong.is_empty() {
            println!("All {} facts that this table shows were checked.", self.facts);
        }
        if self.wrong.is_empty() {
            Ok(())
        } else {
            Err(format!("not as it should be:\n  {}", self.wrong.join("\n  ")))
        }
    }

    /// Whether it failed at any time: a later call may then be a miss although
    /// the store is back.
    fn store_failed(&self) -> bool {
        store_errors(self.runtime.observe().total()) > 0
    }
}

fn store_errors(counts: MethodCounts) -> u64 {
    counts.remote_errors + counts.invalidation_errors
}

fn line([what, answer, queries, time]: [&str; 4]) -> String {
    format!("{what:<42} {:<40} {queries:>7} {time:>9}", cut(answer, 40))
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
        let yanked = if self.yanked { "YANKED, " } else { "" };
        format!(
            "{} {}, {yanked}needs {} packages",
            self.name,
            self.version,
            self.dependencies.len()
        )
    }
}

impl Answer for Option<Package> {
    fn answer(&self) -> String {
        self.as_ref().map_or_else(|| "none".to_owned(), Answer::answer)
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
        format!("{self} rows written")
    }
}
