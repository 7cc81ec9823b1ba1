//! A cold key, asked for by a thousand callers at once.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use benches::{Bench, Served, Table, in_turns, median, nanos};
use cacheable_runtime::Runtime;
use redis::aio::MultiplexedConnection;
use serde_json::json;
use tokio::task::JoinSet;

use crate::rivals::{self, CACHED_LOADS, HITBOX_LOADS, MokaCache, QuickCache, hitbox};
use crate::service::{LOAD, Service, plain_slow};
use crate::wire::{self, Server};

const NAME: &str = "stampede";
const CALLERS: u64 = 1_000;

/// One way of asking, and how often it has loaded so far.
struct Asker {
    name: &'static str,
    ask: Box<dyn Fn(u64) -> Asking>,
    /// Of all that it asks.
    loads: Vec<&'static AtomicU64>,
}

type Asking = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Measures the path, if it was asked for.
pub(crate) fn run(bench: &mut Bench, server: &Server) {
    if !bench.wants(NAME) {
        return;
    }
    server.clear();
    let rounds = if bench.is_quick() { 2 } else { 9 };
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let (askers, seen) = runtime.block_on(async {
        let askers = askers(server).await;
        let mut seen: Vec<Vec<Seen>> = askers.iter().map(|_| Vec::new()).collect();
        for round in 0..rounds {
            for index in in_turns(askers.len(), round) {
                // A key that nobody has asked for, also in the runs before.
                let key = COLD + round as u64;
                seen[index].push(askers[index].stampede(key).await);
            }
        }
        (askers, seen)
    });

    let mut table = Table::new(&["", "loads", "makespan", "over the body"]);
    let mut figures = Vec::new();
    for (asker, seen) in askers.iter().zip(seen) {
        let loads = median(seen.iter().map(|seen| seen.loads as f64));
        let makespan = median(seen.iter().map(|seen| seen.makespan.as_nanos() as f64));
        table.row(vec![
            asker.name.to_owned(),
            loads.to_string(),
            nanos(makespan),
            nanos(makespan - LOAD.as_nanos() as f64),
        ]);
        figures.push(json!({ "name": asker.name, "loads": loads, "makespan_ns": makespan }));
    }
    let note = format!("{CALLERS} callers of one key, a body of {LOAD:?}");
    bench.report(
        NAME,
        &note,
        &table,
        json!({ "note": note, "contenders": figures }),
    );
}

const COLD: u64 = 1 << 40;
/// Added to it: a key that the runtime before has not loaded.
const FLEET: u64 = 1 << 41;

struct Seen {
    loads: u64,
    makespan: Duration,
}

impl Asker {
    fn new<A, F>(name: &'static str, loads: &'static AtomicU64, ask: A) -> Self
    where
        A: Fn(u64) -> F + 'static,
        F: Future + Send + 'static,
    {
        let ask = move |key| {
            let asking = ask(key);
            Box::pin(async move {
                asking.await;
            }) as Asking
        };
        Self {
            name,
            ask: Box::new(ask),
            loads: vec![loads],
        }
    }

    /// An asker that counts the loads it starts with the function it is given.
    fn counting<A, F>(name: &'static str, ask: A) -> Self
    where
        A: Fn(u64, &'static AtomicU64) -> F + 'static,
        F: Future + Send + 'static,
    {
        let loads: &AtomicU64 = Box::leak(Box::default());
        Self::new(name, loads, move |key| ask(key, loads))
    }

    async fn stampede(&self, key: u64) -> Seen {
        let before = self.loads();
        let start = Instant::now();
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            callers.spawn((self.ask)(key));
        }
        callers.join_all().await;
        Seen {
            loads: self.loads() - before,
            makespan: start.elapsed(),
        }
    }

    fn loads(&self) -> u64 {
        let loads = self.loads.iter();
        loads.map(|loads| loads.load(Ordering::Relaxed)).sum()
    }
}

async fn askers(server: &Server) -> Vec<Asker> {
    let embedded = Service::on(Runtime::embedded());
    let redis = Service::on(server.runtime().await);
    let quick: &QuickCache<u64> = rivals::quick_cache();
    let moka: &MokaCache<u64> = rivals::moka();
    let in_turns = hitbox::in_turns();
    // Connections and flights of their own each, as four processes have.
    let mut fleet = Vec::new();
    for _ in 0..4 {
        fleet.push(Service::on(server.runtime().await));
    }
    let fleet: &[&Service] = Vec::leak(fleet);
    let next: &AtomicUsize = Box::leak(Box::default());
    let connection: &MultiplexedConnection = Box::leak(Box::new(server.connect().await));
    vec![
        Asker::counting(
            "quick_cache get_or_insert_async",
            move |key, loads| async move { quick.get_or_insert_async(&key, counted(key, loads)).await },
        ),
        Asker::counting("moka try_get_with", move |key, loads| {
            moka.try_get_with(key, counted(key, loads))
        }),
        Asker::new("cached", &CACHED_LOADS, rivals::cached_slow),
        Asker::new(
            "hitbox, concurrency 1",
            &HITBOX_LOADS,
            move |key| async move { hitbox::slow(key).cache(in_turns).await },
        ),
        Asker::new("#[cacheable], embedded", &embedded.loads, move |key| {
            embedded.slow(key)
        }),
        Asker::counting("redis GET, SET", move |key, loads| async move {
            let name = format!("stampede:{key}");
            if wire::get(connection, &name).await.is_none() {
                drop(counted(key, loads).await);
                wire::set(connection, &name, b"loaded").await;
            }
        }),
        Asker::new("#[cacheable], redis", &redis.loads, move |key| {
            redis.slow(key)
        }),
        Asker {
            name: "#[cacheable], redis, 4 runtimes",
            loads: fleet.iter().map(|service| &service.loads).collect(),
            ..Asker::new("", &redis.loads, move |key| {
                fleet[next.fetch_add(1, Ordering::Relaxed) % fleet.len()].slow(key + FLEET)
            })
        },
    ]
}

async fn counted(
    key: u64,
    loads: &AtomicU64,
) -> Result<Arc<crate::source::Project>, crate::source::Missing> {
    loads.fetch_add(1, Ordering::Relaxed);
    plain_slow(key).await
}
