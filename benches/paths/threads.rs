//! The same hits on more threads: what they share shows.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use benches::{Bench, Contender, Field, Path, Table, number, ratio};
use cacheable_runtime::Runtime;
use serde_json::json;

use crate::rivals::{self, MokaCache, QuickCache};
use crate::service::{Service, fill};
use crate::source::{ENTRIES, SOURCE, entry};

const NAME: &str = "threads";
const THERE: &str = "what was stored is still there";
const OURS: &str = "#[cacheable], Arc";
const CONTENDERS: [&str; 4] = ["quick_cache get", "moka get", "cached", OURS];

/// Measures hits with a task and a thread for each of 1, 2, 4… cores, and tells how
/// they compare with one.
pub(crate) fn run(bench: &mut Bench) {
    let cores = thread::available_parallelism().map_or(1, NonZero::get) as u64;
    let mut threads: Vec<u64> = (0..64)
        .map(|power| 1 << power)
        .take_while(|it| *it < cores)
        .collect();
    threads.push(cores);
    bench.path(&Path::new(NAME).tasks(&threads), field);
    scaling(bench, &threads);
}

async fn field() -> Field {
    let service = Service::on(Runtime::embedded());
    fill(move |id| service.shared(id)).await;
    let quick: &QuickCache<u64> = rivals::quick_cache();
    let moka: &MokaCache<u64> = rivals::moka();
    for id in 0..ENTRIES {
        quick.insert(id, Arc::clone(SOURCE.project(id)));
        moka.insert(id, Arc::clone(SOURCE.project(id))).await;
        rivals::cached_by_id(id).await.expect(THERE);
    }
    let [quick_name, moka_name, cached_name, ours] = CONTENDERS;
    Field {
        note: format!("{ENTRIES} projects of 20 fields, argument `u64`, a task for each thread"),
        contenders: vec![
            Contender::sync(quick_name, move |n| quick.get(&entry(n)).expect(THERE)),
            Contender::new(moka_name, move |n| async move {
                moka.get(&entry(n)).await.expect(THERE)
            })
            .against(quick_name),
            Contender::new(cached_name, move |n| rivals::cached_by_id(entry(n)))
                .against(quick_name),
            Contender::new(ours, move |n| service.shared(entry(n))).against(quick_name),
        ],
    }
}

fn scaling(bench: &mut Bench, threads: &[u64]) {
    let (Some(first), Some(last)) = (threads.first(), threads.last()) else {
        return;
    };
    if first == last || !bench.wants(&format!("{NAME}/scaling")) {
        return;
    }
    let most = format!("{last} threads");
    let mut table = Table::new(&["", "1 thread", &most, "of one"]);
    let mut figures = Vec::new();
    for name in CONTENDERS {
        let figure = |threads| bench.figure(&format!("{NAME}/{threads}"), name, "ops_per_second");
        // A filter may have left out one of them.
        let (Some(one), Some(many)) = (figure(first), figure(last)) else {
            return;
        };
        table.row(vec![
            name.to_owned(),
            number(one),
            number(many),
            ratio(many / one),
        ]);
        figures.push(json!({ "name": name, "threads": last, "of_one": many / one }));
    }
    let note = "hits per second";
    bench.report(
        &format!("{NAME}/scaling"),
        note,
        &table,
        json!({ "contenders": figures }),
    );
}
