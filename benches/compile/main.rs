//! What annotated methods cost to compile, beside plain ones and `cached`; and
//! what the library itself costs whoever adds it.
//!
//! `cargo run --release -p benches --bin compile -- [--quick|--record] [methods|cold]…`
//!
//! Programs are written to `target/compile`, each into a workspace of its own
//! with this repository's lock file, and are built without the network. The
//! dependencies are built before the clock starts.

mod build;
mod program;

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

use benches::{Table, in_turns, median, nanos};
use serde_json::{Map, Value, json};

use build::{Built, Crate};
use program::{Size, Style};

/// With one value type for all methods, and with one for each.
const SIZES: [Size; 4] = [
    Size {
        methods: 10,
        types: 1,
    },
    Size {
        methods: 100,
        types: 1,
    },
    Size {
        methods: 10,
        types: 10,
    },
    Size {
        methods: 100,
        types: 100,
    },
];

/// What a user can ask for beside the default features.
const FEATURES: [&str; 5] = ["json", "metrics", "tls", "tower", "tower-sessions"];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let (mut quick, mut records, mut parts) = (false, false, Vec::new());
    for argument in env::args().skip(1) {
        match argument.as_str() {
            "--quick" => quick = true,
            "--record" => records = true,
            "methods" | "cold" => parts.push(argument),
            other => {
                return Err(io::Error::other(format!(
                    "`{other}` is no argument: [--quick|--record] [methods|cold]…"
                )));
            }
        }
    }
    let wants = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    let mut results = Map::new();
    if wants("methods") {
        methods(if quick { 1 } else { 3 }, &mut results)?;
    }
    if wants("cold") {
        cold(quick, &mut results)?;
    }
    let output = build::directory().with_file_name("compile.json");
    if records && !quick {
        benches::keep(&results)?;
    }
    fs::write(&output, format!("{:#}\n", Value::Object(results)))?;
    println!("every round in {}", output.display());
    Ok(())
}

/// Prints a table, and keeps it with its figures.
fn report(
    results: &mut Map<String, Value>,
    name: &str,
    note: &str,
    table: &Table,
    contenders: &[Value],
) {
    println!("\n{name}\n{note}\n\n{table}");
    let figures = json!({ "note": note, "contenders": contenders, "table": table.json() });
    results.insert(format!("compile/{name}"), figures);
}

/// One style's builds of one size.
#[derive(Default)]
struct Builds {
    clean: Vec<Built>,
    incremental: Vec<Built>,
}

fn methods(rounds: usize, results: &mut Map<String, Value>) -> io::Result<()> {
    let crates: Vec<Crate> = Style::ALL
        .into_iter()
        .map(Crate::of)
        .collect::<io::Result<_>>()?;
    let mut table = Table::new(&["", "methods", "types", "clean", "CPU", "again", "CPU"]);
    let mut figures = Vec::new();
    // By size, then by style: processor nanoseconds.
    let mut clean = Vec::new();
    let mut again = Vec::new();
    for size in SIZES {
        let mut seen: Vec<Builds> = crates.iter().map(|_| Builds::default()).collect();
        for round in 0..rounds {
            for index in in_turns(crates.len(), round) {
                let program = &crates[index];
                let builds = &mut seen[index];
                program.write(size, 0)?;
                builds.clean.push(program.build_clean()?);
                // As after a change by hand.
                program.write(size, 1 + round)?;
                builds.incremental.push(program.build()?);
            }
        }
        for (style, builds) in Style::ALL.iter().zip(&seen) {
            table.row(vec![
                style.name().to_owned(),
                size.methods.to_string(),
                size.types.to_string(),
                nanos(of(&builds.clean, |built| built.wall)),
                nanos(of(&builds.clean, |built| built.cpu)),
                nanos(of(&builds.incremental, |built| built.wall)),
                nanos(of(&builds.incremental, |built| built.cpu)),
            ]);
            let json = |builds: &[Built]| builds.iter().map(Built::json).collect::<Vec<_>>();
            figures.push(json!({
                "name": format!("{}, {} of {} types", style.name(), size.methods, size.types),
                "rounds": {
                    "clean": json(&builds.clean),
                    "incremental": json(&builds.incremental),
                },
            }));
        }
        let cpu = |builds: &Builds| of(&builds.clean, |built| built.cpu);
        clean.push(seen.iter().map(cpu).collect::<Vec<_>>());
        let cpu = |builds: &Builds| of(&builds.incremental, |built| built.cpu);
        again.push(seen.iter().map(cpu).collect::<Vec<_>>());
    }
    let note = "programs of annotated methods, debug build, dependencies built before; \
                again: after a change of one body";
    report(results, "methods", note, &table, &figures);
    let mut table = Table::new(&["", "one type", "again", "a type each", "again"]);
    let mut each = Vec::new();
    for (index, style) in Style::ALL.iter().enumerate().skip(1) {
        // Beyond what the plain method costs, from the larger program's
        // difference to the smaller: what a program costs at all is in neither.
        let added = |seen: &[Vec<f64>], small: usize| {
            let methods = (SIZES[small + 1].methods - SIZES[small].methods) as f64;
            let grows = |style: usize| (seen[small + 1][style] - seen[small][style]) / methods;
            grows(index) - grows(0)
        };
        let added = [
            added(&clean, 0),
            added(&again, 0),
            added(&clean, 2),
            added(&again, 2),
        ];
        let cells = added.iter().map(|&added| nanos(added.max(0.0)));
        table.row([style.name().to_owned()].into_iter().chain(cells).collect());
        each.push(json!({
            "name": style.name(),
            "clean_ns": added[0],
            "again_ns": added[1],
            "clean_typed_ns": added[2],
            "again_typed_ns": added[3],
        }));
    }
    let note = "processor time that one method more adds to a build, beyond a plain one: \
                of a value type that others return, and of a type of its own";
    report(results, "each", note, &table, &each);
    Ok(())
}

fn of(builds: &[Built], figure: impl Fn(&Built) -> std::time::Duration) -> f64 {
    median(builds.iter().map(|built| figure(built).as_nanos() as f64))
}

/// What a user builds who adds the library and nothing else.
fn cold(quick: bool, results: &mut Map<String, Value>) -> io::Result<()> {
    let bare =
        "cacheable-runtime = { path = \"REPOSITORY/cacheable-runtime\", default-features = false }";
    let feature = |name: &str| {
        format!(
            "cacheable-runtime = {{ path = \"REPOSITORY/cacheable-runtime\", features = [\"{name}\"] }}"
        )
    };
    let mut users = vec![
        ("no default features".to_owned(), bare.to_owned()),
        ("default".to_owned(), feature("default")),
    ];
    users.extend(FEATURES.map(|name| (format!("default, {name}"), feature(name))));
    let mut table = Table::new(&["features", "crates", "cold build", "CPU"]);
    let mut figures = Vec::new();
    for (name, dependency) in users {
        let user = Crate::with("user", &dependency)?;
        fs::write(user.source(), "fn main() {}\n")?;
        let crates = user.crates()?;
        let built = if quick {
            None
        } else {
            Some(user.build_cold()?)
        };
        let cell = |time: Option<std::time::Duration>| {
            time.map_or_else(String::new, |time| nanos(time.as_nanos() as f64))
        };
        table.row(vec![
            name.clone(),
            crates.to_string(),
            cell(built.map(|built| built.wall)),
            cell(built.map(|built| built.cpu)),
        ]);
        figures.push(json!({
            "name": name,
            "crates": crates,
            "rounds": built.as_ref().map(Built::json),
        }));
    }
    let note = "what a user builds who adds the library alone, debug build";
    report(results, "cold", note, &table, &figures);
    Ok(())
}

/// The repository.
fn repository() -> &'static Path {
    let benches = Path::new(env!("CARGO_MANIFEST_DIR"));
    benches.parent().expect("it is a folder of the repository")
}
