//! What `cacheable-runtime` does to a service, shown on real queries.
//!
//! `service.rs` is what you would write; this file calls it and prints what
//! each call answered, how many queries it really ran, and how long it took.
//!
//! ```sh
//! cargo run -p quickstart
//! REDIS_URL=redis://127.0.0.1:6379 cargo run -p quickstart
//! ```
#![allow(
    unreachable_pub,
    reason = "`service.rs` reads as it would in a library"
)]

mod data;
mod service;
mod table;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use cacheable_runtime::Builder;
use tokio::sync::{Barrier, oneshot};
use tokio::task::JoinSet;

use service::{Package, PackageService};
use table::{Answer as _, Table, chapter, say};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {}", with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    // A service does this once, when it starts: the server of `REDIS_URL`, or a
    // store in this process. Its keys begin with a name of their own, so that
    // nothing else on that server is ever touched.
    let runtime = Builder::from_env()?.namespace("quickstart").build().await?;
    runtime.install()?;
    match std::env::var("REDIS_URL") {
        Ok(url) if !url.trim().is_empty() => say!("cache     the server of REDIS_URL"),
        _ => say!("cache     a store in this process; set REDIS_URL to see it on Redis"),
    }

    // What an earlier run left in Redis is about another database.
    let cleared = runtime.cache().clear("cache:*").await;
    if let Err(error) = &cleared {
        say!("          It does not answer: {}.", with_causes(error));
        say!("          Every call works all the same, and runs its query.");
    }

    let directory = tempfile::tempdir()?;
    let (pool, packages) = data::fill(directory.path()).await?;
    let service = Arc::new(PackageService::new(pool.clone()));
    say!("database  SQLite, with the {packages} packages of Cargo.lock");
    if cfg!(debug_assertions) {
        say!("times     of a debug build; `cargo run --release -p quickstart` for better ones");
    }

    let mut table = Table::new(&runtime, &service, cleared.is_ok());
    answers_are_kept(&mut table, &service).await?;
    a_thousand_callers_share_one_load(&mut table, &service).await?;
    nothing_is_an_answer(&mut table, &service).await?;
    a_write_ends_old_answers(&mut table, &service).await?;
    an_overtaken_load_is_not_kept(&mut table, &service).await?;
    table.counters();

    runtime.shutdown(Duration::from_secs(1)).await;
    pool.close().await;
    directory.close()?;
    table.verdict()
}

async fn answers_are_kept(table: &mut Table, service: &PackageService) -> Outcome {
    chapter("An answer is kept: the same call again runs no query");
    let step = service.package("serde");
    let first = table.row("package(serde)", 1, step).await?;
    let step = service.package("serde");
    let again = table.row("package(serde)", 0, step).await?;
    table.fact(first.is_some(), "Cargo.lock has a package serde");
    table.fact(again == first, "a hit answers what the load answered");

    let step = service.search("tokio", 3);
    let first = table.row("search(tokio, 3)", 1, step).await?;
    let step = service.search("tokio", 3);
    let again = table.row("search(tokio, 3)", 0, step).await?;
    let step = service.search("tokio", 1);
    let fewer = table.row("search(tokio, 1)", 1, step).await?;
    table.fact(again == first, "a hit answers what the load answered");
    table.fact(fewer == first[..1], "other arguments have another entry");
    Ok(())
}

async fn a_thousand_callers_share_one_load(
    table: &mut Table,
    service: &Arc<PackageService>,
) -> Outcome {
    chapter("1 000 callers at once share one load");
    let step = at_once(service, |service| async move {
        service.find_dependents("serde").await.map(Arc::new)
    });
    let queried = table
        .row("the bare query, 1 000 times", 1_000, step)
        .await?;
    let step = at_once(service, |service| async move {
        service.dependents("serde").await
    });
    let shared = table.row("dependents(serde), 1 000 times", 1, step).await?;
    table.fact(shared == queried, "all callers get what the query answers");
    let loads = table.counted("package.dependents").loads;
    table.fact_with_cache(loads == 1, "1 000 callers cost one load");
    Ok(())
}

/// Calls from 1 000 tasks in the same moment; they must agree on the answer.
async fn at_once<T, F>(
    service: &Arc<PackageService>,
    call: impl Fn(Arc<PackageService>) -> F,
) -> Result<T, Box<dyn Error>>
where
    T: PartialEq + Send + 'static,
    F: Future<Output = Result<T, sqlx::Error>> + Send + 'static,
{
    let start = Arc::new(Barrier::new(1_000));
    let mut callers = JoinSet::new();
    for _ in 0..1_000 {
        let (start, call) = (Arc::clone(&start), call(Arc::clone(service)));
        callers.spawn(async move {
            start.wait().await;
            call.await
        });
    }
    let mut answers = callers.join_all().await.into_iter();
    let first = answers.next().expect("there are 1 000")?;
    for answer in answers {
        if answer? != first {
            return Err("of 1 000 callers two were told different things".into());
        }
    }
    Ok(first)
}

async fn nothing_is_an_answer(table: &mut Table, service: &PackageService) -> Outcome {
    chapter("`None` is an answer too, until a write makes it old");
    let step = service.package("left-pad");
    let first = table.row("package(left-pad)", 1, step).await?;
    let step = service.package("left-pad");
    let again = table.row("package(left-pad)", 0, step).await?;
    table.fact(first.is_none() && again.is_none(), "there is no left-pad");
    let step = service.add("left-pad", "1.3.0");
    table.row("add(left-pad, 1.3.0)", 1, step).await?;
    let step = service.package("left-pad");
    let added = table.row("package(left-pad)", 1, step).await?;
    table.fact(added.is_some(), "the kept `None` ends with the write");
    Ok(())
}

async fn a_write_ends_old_answers(table: &mut Table, service: &PackageService) -> Outcome {
    chapter("A write ends the answers that it makes old, and no others");
    let is_yanked = |package: Option<Package>| package.is_some_and(|package| package.yanked);

    let step = service.search("serde", 3);
    table.row("search(serde, 3)", 1, step).await?;
    let step = service.yank("serde");
    table.row("yank(serde): this one entry", 1, step).await?;
    let step = service.package("serde");
    let serde = table.row("package(serde)", 1, step).await?;
    table.fact(is_yanked(serde), "a call after the write sees it");
    let step = service.dependents("serde");
    table.row("dependents(serde)", 0, step).await?;

    let step = service.restore_all();
    table.row("restore_all(): cache:package:*", 1, step).await?;
    let step = service.package("serde");
    let serde = table.row("package(serde)", 1, step).await?;
    table.fact(!is_yanked(serde), "a call after the write sees it");
    let step = service.dependents("serde");
    table.row("dependents(serde)", 1, step).await?;
    let step = service.search("serde", 3);
    table.row("search(serde, 3)", 0, step).await?;
    Ok(())
}

async fn an_overtaken_load_is_not_kept(table: &mut Table, service: &PackageService) -> Outcome {
    chapter("A load that a write overtakes is returned to its caller and not kept");
    // The load has read the record, and is held up before it returns.
    let (has_read, was_read) = oneshot::channel();
    let (go_on, told_to) = oneshot::channel::<()>();
    let held_up = service.page("syn", async |syn| {
        let _ = has_read.send(());
        let _ = told_to.await;
        syn.answer()
    });
    let overtaking = async {
        // An error says that the page was not loaded: the row will show it.
        let _ = was_read.await;
        let written = service.yank("syn").await;
        let _ = go_on.send(());
        written
    };
    let step = async {
        let (page, written) = tokio::join!(held_up, overtaking);
        written.and(page)
    };
    let old = table.row("page(syn), yank(syn) meanwhile", 2, step).await?;

    let step = service.page("syn", async |syn| syn.answer());
    let new = table.row("page(syn)", 1, step).await?;
    let step = service.page("syn", async |syn| syn.answer());
    let kept = table.row("page(syn)", 0, step).await?;
    table.fact(
        !old.contains("YANKED"),
        "the overtaken load read the old record",
    );
    table.fact(new.contains("YANKED"), "no later call is answered with it");
    table.fact(kept == new, "the page that is kept is the new one");
    let rejected = table.counted("page.page").fills_rejected;
    table.fact_with_cache(rejected == 1, "the cache refused the overtaken page");
    Ok(())
}

type Outcome = Result<(), Box<dyn Error>>;

/// What happened, and why.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
