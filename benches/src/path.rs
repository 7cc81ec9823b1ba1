//! Paths: what is measured, and what is printed about it.

use std::fmt;
use std::fs;
use std::io;
use std::num::NonZero;
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use serde_json::{Map, Value, json};
use tokio::runtime::{self, Runtime};

use crate::args::Args;
use crate::contender::Contender;
use crate::machine::Machine;
use crate::measure::{self, Counted, Effort, Measured, Turn};
use crate::plot::Plot;
use crate::record::Record;
use crate::table::{Table, nanos, number, ratio};

/// One run: the paths that were asked for, and what came out.
#[derive(Debug)]
pub struct Bench {
    args: Args,
    machine: Machine,
    output: PathBuf,
    began: Instant,
    results: Map<String, Value>,
}

/// One thing that contenders do.
pub struct Path<'a> {
    name: String,
    tasks: Vec<u64>,
    workers: Option<usize>,
    timed: bool,
    server: Option<&'a dyn Served>,
}

/// The server that a path's contenders talk to.
pub trait Served {
    /// How many requests it has got so far.
    fn trips(&self) -> u64;

    /// Forgets all that it holds. What one path leaves behind is not to weigh on
    /// the next one: who ran before would show in the figures.
    fn clear(&self);
}

/// The contenders of a path, and what one has to know about them.
#[derive(Debug)]
pub struct Field {
    /// Printed above the tables; may be empty.
    pub note: String,
    /// In the order of the rows.
    pub contenders: Vec<Contender>,
}

impl<'a> Path<'a> {
    /// A path that is measured with one task.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            tasks: vec![1],
            workers: None,
            timed: false,
            server: None,
        }
    }

    /// Measures with each of these numbers of tasks. Default: one task.
    #[must_use]
    pub fn tasks(mut self, tasks: &[u64]) -> Self {
        self.tasks = tasks.to_vec();
        self
    }

    /// Measures on so many threads. Default: one for each core, but no more than
    /// tasks.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// Takes the time of each operation, which costs two to three dozen
    /// nanoseconds itself. Default: it does not.
    #[must_use]
    pub fn timed(mut self) -> Self {
        self.timed = true;
        self
    }

    /// Measures on a server, which is empty at the beginning of each number of
    /// tasks, and counts the requests that it gets. Default: there is none.
    #[must_use]
    pub fn on(mut self, server: &'a dyn Served) -> Self {
        self.server = Some(server);
        self
    }
}

impl Bench {
    /// A run on `machine`; everything goes to the file `output` in the end.
    pub fn new(args: Args, machine: Machine, output: PathBuf) -> Self {
        println!("{machine}");
        Self {
            args,
            machine,
            output,
            began: Instant::now(),
            results: Map::new(),
        }
    }

    /// Whether this run is only to show that everything runs.
    pub fn is_quick(&self) -> bool {
        self.args.quick
    }

    /// Whether the path of this name was asked for.
    pub fn wants(&self, name: &str) -> bool {
        self.args.wants(name)
    }

    /// Measures one path, if it was asked for. `field` makes its contenders
    /// within the runtime that they run in, once for each number of tasks and
    /// once to count.
    pub fn path(&mut self, path: &Path<'_>, field: impl AsyncFn() -> Field) {
        let names = path.tasks.iter().map(|tasks| (*tasks, path.name(*tasks)));
        let wanted: Vec<_> = names.filter(|(_, name)| self.wants(name)).collect();
        if wanted.is_empty() {
            return;
        }
        let effort = self.effort();
        let counted = count(path, &field, effort);
        for (tasks, name) in wanted {
            let runtime = runtime_for(tasks, path.workers);
            path.clear();
            let field = runtime.block_on(field());
            let rounds = measure::measure(&field.contenders, tasks, path.timed, effort);
            let measured = runtime.block_on(rounds);
            let table = table(&field.contenders, &measured, &counted);
            let json = json(&field, &measured, &counted, tasks);
            self.report(&name, &field.note, &table, json);
        }
    }

    /// Prints a table and keeps its figures: `json` is an object, whose `contenders`, if
    /// it has them, are objects with a `name`.
    pub fn report(&mut self, name: &str, note: &str, table: &Table, mut json: Value) {
        println!("\n{name}");
        if !note.is_empty() {
            println!("{note}");
        }
        println!("\n{table}");
        json["note"] = note.into();
        json["table"] = table.json();
        self.results.insert(name.to_owned(), json);
    }

    /// Keeps a picture of a path that was reported; without one, a path of contenders
    /// has bars.
    pub fn plot(&mut self, name: &str, plot: &Plot) {
        if let Some(path) = self.results.get_mut(name) {
            path["plot"] = json!(plot);
        }
    }

    /// What was measured in this run, if it was.
    pub fn figure(&self, path: &str, contender: &str, figure: &str) -> Option<f64> {
        let contenders = self.results.get(path)?["contenders"].as_array()?;
        let mut named = contenders.iter().filter(|one| one["name"] == contender);
        named.next()?[figure].as_f64()
    }

    /// Writes the file, and records the figures if that was asked for.
    ///
    /// # Errors
    /// A file cannot be written, or what is recorded is of another machine.
    pub fn finish(self) -> io::Result<()> {
        let results = json!({
            "machine": self.machine.json(),
            "quick": self.args.quick,
            "paths": self.results,
        });
        fs::write(&self.output, format!("{results:#}\n"))?;
        let elapsed = self.began.elapsed();
        println!("{elapsed:.1?}, every round in {}", self.output.display());
        if self.args.record {
            let all = self.args.wants_all();
            Record::here().keep(&self.machine, all, &self.results)?;
        }
        Ok(())
    }

    fn effort(&self) -> Effort {
        if self.args.quick {
            Effort::QUICK
        } else {
            Effort::FULL
        }
    }
}

impl Path<'_> {
    fn name(&self, tasks: u64) -> String {
        match self.tasks.as_slice() {
            [_] => self.name.clone(),
            _ => format!("{}/{tasks}", self.name),
        }
    }

    fn clear(&self) {
        if let Some(server) = self.server {
            server.clear();
        }
    }
}

/// A runtime as a service has it, with a worker per core; but no more workers
/// than tasks: a lone task would be moved between them now and then, and an
/// operation in one round would not be what it is in the next.
fn runtime_for(tasks: u64, workers: Option<usize>) -> Runtime {
    let workers = workers.unwrap_or_else(|| {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        usize::try_from(tasks).map_or(cores, |tasks| tasks.min(cores))
    });
    let mut builder = runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(workers).enable_all().build();
    runtime.expect("threads can be started")
}

/// Allocations are counted per thread, so there is only one.
fn count(path: &Path<'_>, field: &impl AsyncFn() -> Field, effort: Effort) -> Vec<Counted> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    path.clear();
    let field = runtime.block_on(field());
    let contenders = field.contenders.iter();
    contenders
        .map(|contender| measure::count(contender, &runtime, path.server, effort))
        .collect()
}

fn floor_of<'a>(
    contender: &Contender,
    contenders: &[Contender],
    measured: &'a [Measured],
) -> Option<&'a Measured> {
    let floor = contender.floor.as_ref()?;
    let found = contenders.iter().position(|other| other.name == *floor);
    Some(&measured[found.expect("a floor is one of the contenders")])
}

fn table(contenders: &[Contender], measured: &[Measured], counted: &[Counted]) -> Table {
    let mut table = Table::new(&[
        "", "ops/s", "±", "of floor", "CPU/op", "of floor", "allocs", "bytes", "trips", "p50",
        "p99",
    ]);
    for ((contender, measured_here), counted) in contenders.iter().zip(measured).zip(counted) {
        let floor = floor_of(contender, contenders, measured);
        let against = |figure| {
            floor.map_or_else(String::new, |floor| {
                ratio(measured_here.against(floor, figure))
            })
        };
        let latency = |share| measured_here.latency(share).map_or_else(String::new, nanos);
        table.row(vec![
            contender.name.clone(),
            number(measured_here.per_second()),
            measured_here
                .spread()
                .map_or_else(String::new, |share| format!("{:.0} %", share * 100.0)),
            against(Turn::per_second),
            nanos(measured_here.cpu_nanos()),
            against(Turn::cpu_nanos),
            format!("{:.1}", counted.allocations),
            format!("{:.0}", counted.bytes),
            counted
                .trips
                .map_or_else(String::new, |trips| format!("{trips:.1}")),
            latency(0.5),
            latency(0.99),
        ]);
    }
    table
}

fn json(field: &Field, measured: &[Measured], counted: &[Counted], tasks: u64) -> Value {
    let contenders = field.contenders.iter().zip(measured).zip(counted);
    let contenders: Vec<_> = contenders
        .map(|((contender, measured_here), counted)| {
            let floor = floor_of(contender, &field.contenders, measured);
            let against = |figure| floor.map(|floor| measured_here.against(floor, figure));
            let turns = measured_here.turns.iter().map(|turn| {
                json!({
                    "operations": turn.operations,
                    "wall_ns": turn.wall.as_nanos() as u64,
                    "cpu_ns": turn.cpu.as_nanos() as u64,
                })
            });
            json!({
                "name": contender.name,
                "floor": contender.floor,
                "ops_per_second": measured_here.per_second(),
                "ops_of_floor": against(Turn::per_second),
                "spread": measured_here.spread(),
                "cpu_ns": measured_here.cpu_nanos(),
                "cpu_of_floor": against(Turn::cpu_nanos),
                "allocations": counted.allocations,
                "allocated_bytes": counted.bytes,
                "round_trips": counted.trips,
                "p50_ns": measured_here.latency(0.5),
                "p99_ns": measured_here.latency(0.99),
                "rounds": turns.collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({ "tasks": tasks, "contenders": contenders })
}

impl fmt::Debug for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Path")
            .field("name", &self.name)
            .field("tasks", &self.tasks)
            .finish_non_exhaustive()
    }
}
