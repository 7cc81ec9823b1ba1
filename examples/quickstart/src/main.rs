//! What `cacheable-runtime` does to a service, shown on real queries.
//!
//! `service.rs` is what you would write; this file calls it and prints what
//! each call answered, how many queries it really ran, and how long it took.
//!
//! ```sh
//! cargo run -p quickstart
//! REDIS_URL=redis://127.0.0.1:6379 cargo run -p quickstart
//! ```

mod data;
mod service;
mod table;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use cacheable_runtime::Runtime;
use tokio::sync::{Barrier, oneshot};
use tokio::task::JoinSet;

use service::{Package, PackageService};
use table::{Answer as _, Table};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("quickstart: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprint!(": {error}");
                cause = error.source();
            }
            eprintln!();
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    // A service does this once, when it starts.
    let runtime = runtime().await?;
    runtime.install()?;

    let directory = tempfile::tempdir()?;
    let (pool, packages) = data::fill(directory.path()).await?;
    println!("database: SQLite, filled with the {packages} packages of Cargo.lock");
    let service = Arc::new(PackageService::new(pool.clone()));

    // What an earlier run kept is about an earlier database.
    if let Err(error) = runtime.cache().clear("cache:*").await {
        println!("          IT DOES NOT ANSWER ({error}): every call runs uncached");
    }

    let mut table = Table::new(&runtime, &service);
    answers_are_kept(&mut table, &service).await?;
    a_thousand_callers_share_a_load(&mut table, &service, &runtime).await?;
    nothing_is_an_answer(&mut table, &service).await?;
    a_write_ends_old_answers(&mut table, &service).await?;
    an_overtaken_load_is_not_kept(&mut table, &service, &runtime).await?;
    table.counters();

    runtime.shutdown(Duration::from_secs(1)).await;
    pool.close().await;
    directory.close()?;
    Ok(table.verdict()?)
}

async fn answers_are_kept(
    table: &mut Table,
    service: &PackageService,
) -> Result<(), Box<dyn Error>> {
    table.heading("An answer is kept");
    let first = table
        .row("package(\"serde\")", 1, service.package("serde"))
        .await?;
    let again = table
        .row("the same call again", 0, service.package("serde"))
        .await?;
    table.fact(first.is_some(), "there is a package serde");
    table.fact(again == first, "a hit answers what the load answered");

    let first = table
        .row("search(\"tokio\", 5)", 1, service.search("tokio", 5))
        .await?;
    let again = table
        .row("the same call again", 0, service.search("tokio", 5))
        .await?;
    table.fact(again == first, "a hit answers what the load answered");
    let fewer = table
        .row("search(\"tokio\", 1)", 1, service.search("tokio", 1))
        .await?;
    table.fact(fewer.len() == 1, "other arguments are another entry");
    Ok(())
}

async fn a_thousand_callers_share_a_load(
    table: &mut Table,
    service: &Arc<PackageService>,
    runtime: &Runtime,
) -> Result<(), Box<dyn Error>> {
    table.heading("1 000 callers at once share one load");
    let alone = at_once(service, async |service| {
        service.find_dependents("serde").await.map(Arc::new)
    });
    let alone = table
        .row("the bare query, 1 000 callers", CALLERS as u64, alone)
        .await?;
    let shared = at_once(service, async |service| service.dependents("serde").await);
    let shared = table
        .row("dependents(\"serde\"), 1 000 callers", 1, shared)
        .await?;
    table.fact(shared == alone, "all callers get what the query answers");
    let loads = runtime.observe().method("package.dependents").loads;
    table.fact(loads == 1, &format!("1 000 callers cost 1 load, not {loads}"));
    Ok(())
}
