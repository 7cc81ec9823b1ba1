//! What a hit at level 1 costs in instructions and allocations, and a miss of both
//! levels in this process, held against `benches/bounds.json`. Time is not looked at:
//! it belongs to the machine.
//!
//! `cargo bench -p benches --bench hits` checks, with `-- --record` it writes the
//! bounds anew. This program also runs itself, as `hits NAME COUNT`, under `callgrind`:
//! the instructions of a long run less those of a short one are those of the hits that
//! it has more.

#[allow(
    dead_code,
    clippy::unused_async,
    reason = "the methods that are hit are some of those in `paths`"
)]
#[path = "../paths/service.rs"]
mod service;
#[allow(
    dead_code,
    reason = "the values that are hit are some of those in `paths`"
)]
#[path = "../paths/source.rs"]
mod source;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use benches::{Bounds, Cost, Table};
use cacheable_runtime::Runtime;
use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use crate::service::Service;
use crate::source::{Project, SOURCE};

/// So few that they are there soon, also under `callgrind`.
const ENTRIES: u64 = 256;
const FEW: u64 = 20_000;
const MANY: u64 = 120_000;

/// A kind of hit, or a miss.
struct Hit {
    name: &'static str,
    /// Whether it is ours, and so has a bound.
    held: bool,
    /// It is done once for so many hits: a miss takes as long as many of them.
    outweighs: u64,
    run: fn(u64) -> u64,
}

/// Each hits as often as it is told, and returns how many allocations that took.
const HITS: [Hit; 6] = [
    Hit {
        name: "Arc, u64",
        held: true,
        outweighs: 1,
        run: |count| {
            with_service(count, async |service, id| {
                black_box(service.shared(id).await.expect(THERE));
            })
        },
    },
    Hit {
        name: "Arc, &str",
        held: true,
        outweighs: 1,
        run: |count| {
            with_service(count, async |service, id| {
                let name = black_box(SOURCE.name(id));
                black_box(service.shared_by_name(name).await.expect(THERE));
            })
        },
    },
    Hit {
        name: "owned, u64",
        held: true,
        outweighs: 1,
        run: |count| {
            with_service(count, async |service, id| {
                black_box(service.owned(id).await.expect(THERE));
            })
        },
    },
    Hit {
        name: "miss, Arc, u64",
        held: true,
        outweighs: 20,
        run: |count| {
            // None of them comes twice, nor is among those that are there.
            let next = Cell::new(ENTRIES);
            with_service(count, async |service, _| {
                let id = black_box(next.replace(next.get() + 1));
                black_box(service.shared(id).await.expect(THERE));
            })
        },
    },
    Hit {
        name: "quick_cache, u64",
        held: false,
        outweighs: 1,
        run: quick_cache_by_id,
    },
    Hit {
        name: "quick_cache, &str",
        held: false,
        outweighs: 1,
        run: quick_cache_by_name,
    },
];

/// A hit that does more than it has to: if it passed, so would anything.
const CONTROL: Hit = Hit {
    name: "control",
    held: false,
    outweighs: 1,
    run: |count| {
        with_service(count, async |service, id| {
            black_box(format!("cache:bench:shared:{id}"));
            black_box(service.shared(id).await.expect(THERE));
        })
    },
};

const THERE: &str = "every project is there";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args()
        .skip(1)
        .filter(|it| it != "--bench")
        .collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let result = match words[..] {
        [] => check(),
        ["--record"] => record(),
        [name, count] => run(name, count),
        _ => Err("cargo bench -p benches --bench hits -- [--record | NAME COUNT]".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn check() -> Result<(), String> {
    let bounds = Bounds::recorded();
    let bounds = bounds.map_err(|error| format!("the bounds cannot be read: {error}"))?;
    let same_arch = bounds.arch == std::env::consts::ARCH;
    if !same_arch {
        println!(
            "The bounds are from {}: instructions are not counted here, allocations are.",
            bounds.arch
        );
    } else if !valgrind_is_here() {
        println!("There is no valgrind: instructions are not counted, allocations are.");
    }
    let counting = same_arch && valgrind_is_here();
    let costs = costs(counting)?;
    let mut table = Table::new(&["", "instructions", "bound", "allocations", "bound"]);
    let mut broken = Vec::new();
    for hit in &HITS {
        let (now, bound) = (&costs[hit.name], bounds.hits.get(hit.name));
        let instructions = |cost: &Cost| cost.instructions.map(|it| format!("{it:.0}"));
        let mut cells = vec![
            hit.name.to_owned(),
            instructions(now).unwrap_or_default(),
            bound.and_then(instructions).unwrap_or_default(),
            format!("{:.1}", now.allocations),
            bound.map_or_else(String::new, |bound| format!("{:.1}", bound.allocations)),
        ];
        if hit.held {
            broken.extend(bounds.broken_by(hit.name, now));
        } else {
            cells[2].clear();
            cells[4].clear();
        }
        table.row(cells);
    }
    println!("{table}");
    notices_more(&bounds, counting)?;
    if broken.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{}\nrecorded with {}; if it is meant: cargo bench -p benches --bench hits -- --record",
        broken.join("\n"),
        bounds.rustc
    ))
}

/// The control: a hit that does more is found to, by each of what is counted.
fn notices_more(bounds: &Bounds, counting: bool) -> Result<(), String> {
    let more = cost(&CONTROL, counting)?;
    let found = bounds.broken_by(HITS[0].name, &more);
    if found.len() == 1 + usize::from(counting) {
        return Ok(());
    }
    Err(format!(
        "a hit that builds a text costs {more:?}, and all that is noticed is {found:?}"
    ))
}

fn record() -> Result<(), String> {
    if !valgrind_is_here() {
        return Err("bounds are recorded with valgrind, which is not here".to_owned());
    }
    let rustc = Command::new("rustc").arg("--version").output();
    let rustc = rustc.map_err(|error| format!("rustc does not tell its version: {error}"))?;
    let bounds = Bounds {
        rustc: String::from_utf8_lossy(&rustc.stdout).trim().to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
        hits: costs(true)?,
    };
    notices_more(&bounds, true)?;
    println!("{bounds:#?}");
    let written = bounds.record().and_then(|()| benches::redraw());
    written.map_err(|error| format!("they cannot be recorded: {error}"))
}

fn costs(counting: bool) -> Result<BTreeMap<String, Cost>, String> {
    let hits = HITS.iter();
    hits.map(|hit| Ok((hit.name.to_owned(), cost(hit, counting)?)))
        .collect()
}

fn cost(hit: &Hit, counting: bool) -> Result<Cost, String> {
    let instructions = if counting {
        let (many, few) = (MANY / hit.outweighs, FEW / hit.outweighs);
        let more = instructions(hit, many)? - instructions(hit, few)?;
        Some((more / (many - few) as f64 * 10.0).round() / 10.0)
    } else {
        None
    };
    let many = MANY / hit.outweighs;
    let allocations = (hit.run)(many) as f64 / many as f64;
    Ok(Cost {
        instructions,
        allocations: (allocations * 1_000.0).round() / 1_000.0,
    })
}

/// All instructions of a process that hits `count` times.
fn instructions(hit: &Hit, count: u64) -> Result<f64, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([hit.name, &count.to_string()])
        .output()
        .map_err(|error| format!("valgrind does not start: {error}"))?;
    let told = String::from_utf8_lossy(&output.stderr);
    let collected = told
        .lines()
        .find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    match collected {
        Some(collected) if output.status.success() => Ok(collected),
        _ => Err(format!("callgrind does not count {}:\n{told}", hit.name)),
    }
}

fn valgrind_is_here() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok()
}

fn run(name: &str, count: &str) -> Result<(), String> {
    let count = count
        .parse()
        .map_err(|_| format!("`{count}` is no number"))?;
    let mut hits = HITS.iter().chain([&CONTROL]);
    let Some(hit) = hits.find(|hit| hit.name == name) else {
        return Err(format!("`{name}` is no hit"));
    };
    (hit.run)(count);
    Ok(())
}

fn with_service(count: u64, hit: impl AsyncFn(&'static Service, u64)) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    let service = runtime.block_on(async {
        let service = Service::on(Runtime::embedded());
        for id in 0..ENTRIES {
            hit(service, id).await;
        }
        service
    });
    let counted = allocation_counter::measure(|| {
        runtime.block_on(async {
            for number in 0..count {
                hit(service, black_box(number % ENTRIES)).await;
            }
        });
    });
    counted.count_total
}

type Quick<K> = Cache<K, Arc<Project>, UnitWeighter, ahash::RandomState>;

fn quick<K: std::hash::Hash + Eq + Clone>(key: impl Fn(u64) -> K) -> Quick<K> {
    let cache = Cache::with(
        2 * ENTRIES as usize,
        2 * ENTRIES,
        UnitWeighter,
        ahash::RandomState::new(),
        DefaultLifecycle::default(),
    );
    for id in 0..ENTRIES {
        cache.insert(key(id), Arc::clone(SOURCE.project(id)));
    }
    cache
}

fn quick_cache_by_id(count: u64) -> u64 {
    let cache = quick(|id| id);
    let hits = || {
        for number in 0..count {
            black_box(cache.get(&black_box(number % ENTRIES)).expect(THERE));
        }
    };
    allocation_counter::measure(hits).count_total
}

fn quick_cache_by_name(count: u64) -> u64 {
    let cache = quick(|id| SOURCE.name(id).to_owned());
    let hits = || {
        for number in 0..count {
            let name = SOURCE.name(black_box(number % ENTRIES));
            black_box(cache.get(black_box(name)).expect(THERE));
        }
    };
    allocation_counter::measure(hits).count_total
}
