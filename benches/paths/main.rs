//! What a cached call costs on each of its ways, beside what one would use instead.
//!
//! `cargo bench -p benches -- [--quick | --record | --redraw] [FILTER]…`; how to read
//! what it prints is told in `docs/benchmarks.md`.

mod codec;
mod future;
mod hit;
mod key;
mod limit;
mod lock;
mod memory;
mod miss;
mod outage;
mod removal;
mod rivals;
mod service;
mod session;
mod source;
mod stale;
mod stampede;
mod threads;
mod wire;
mod zipf;

use std::path::Path;
use std::process::ExitCode;

use benches::{Args, Bench, Machine};

fn main() -> ExitCode {
    if memory::is_child() {
        return ExitCode::SUCCESS;
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let args = Args::parse()?;
    if args.redraw {
        return benches::redraw().map_err(|error| format!("nothing can be drawn: {error}"));
    }
    // Cargo's directory for what benchmarks write, one level up.
    let output = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("benchmarks.json");
    let server = wire::Server::start();
    let mut bench = Bench::new(args, Machine::here(server.version()), output);

    hit::embedded(&mut bench);
    hit::redis(&mut bench, &server);
    miss::embedded(&mut bench);
    miss::redis(&mut bench, &server);
    threads::run(&mut bench);
    zipf::run(&mut bench, &server);
    stampede::run(&mut bench, &server);
    stale::run(&mut bench, &server);
    outage::run(&mut bench);
    removal::whole(&mut bench);
    removal::pattern(&mut bench);
    memory::process(&mut bench);
    memory::server(&mut bench);
    lock::alone(&mut bench, &server);
    lock::handover(&mut bench, &server);
    limit::embedded(&mut bench);
    limit::redis(&mut bench, &server);
    session::get(&mut bench, &server);
    session::set(&mut bench, &server);
    key::run(&mut bench);
    codec::run(&mut bench);
    future::run(&mut bench);

    bench
        .finish()
        .map_err(|error| format!("the results cannot be written: {error}"))
}
