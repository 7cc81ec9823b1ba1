//! What entries take beside their values: in this process, each contender in
//! a process of its own, and in the server.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use benches::{Bench, Table, number, ratio};
use cacheable_runtime::__private::{codec, step};
use cacheable_runtime::{Runtime, cacheable};
use cacheable_tests::RedisServer;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::source::Missing;

const PROCESS: &str = "memory/process";
const SERVER: &str = "memory/server";

/// Makes a process of this program one that fills a contender and says what
/// that took.
const CHILD: &str = "CACHEABLE_BENCHES_MEMORY";

/// Tasks that fill at once.
const TASKS: u64 = 64;

/// A small value, of two allocations: what is beside it is what counts.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Text {
    text: String,
}

impl Text {
    fn new(id: u64) -> Self {
        Self {
            text: format!("text {id:023}"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
enum Kind {
    /// The values alone, in a vector.
    Values,
    QuickCache,
    Moka,
    /// Level 1; the store is a server.
    Redis,
    /// Level 1, and the store in this process.
    Embedded,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Values,
        Self::QuickCache,
        Self::Moka,
        Self::Redis,
        Self::Embedded,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Values => "Vec of values",
            Self::QuickCache => "quick_cache",
            Self::Moka => "moka",
            Self::Redis => "#[cacheable], level 1 over redis",
            Self::Embedded => "#[cacheable], embedded",
        }
    }
}

/// What a child is told.
#[derive(Debug, Deserialize, Serialize)]
struct Order {
    kind: Kind,
    entries: u64,
    url: String,
}

/// What it says, in bytes.
#[derive(Debug, Deserialize, Serialize)]
struct Said {
    grown: u64,
    peak: u64,
    /// What level 1 takes its entries to weigh.
    weighed: Option<u64>,
}

/// In a process that was started to be filled: fills it. `false` in every other.
pub(crate) fn is_child() -> bool {
    let Ok(order) = std::env::var(CHILD) else {
        return false;
    };
    let order: Order = serde_json::from_str(&order).expect("the parent's order");
    let threads = tokio::runtime::Runtime::new().expect("threads can be started");
    let said = threads.block_on(fill(&order));
    println!("{}", serde_json::to_string(&said).expect("plain figures"));
    true
}

async fn fill(order: &Order) -> Said {
    let entries = order.entries;
    let room = entries + entries / 10;
    let before = resident("VmRSS:");
    let grown = || resident("VmRSS:").saturating_sub(before);
    let mut weighed = None;
    let grown = match order.kind {
        Kind::Values => {
            let values: Vec<_> = (0..entries).map(|id| Arc::new(Text::new(id))).collect();
            let grown = grown();
            drop(values);
            grown
        }
        Kind::QuickCache => {
            let cache = quick_cache::sync::Cache::new(usize::try_from(room).expect("it fits"));
            for id in 0..entries {
                cache.insert(id, Arc::new(Text::new(id)));
            }
            assert!(cache.len() as u64 >= entries - entries / 100);
            grown()
        }
        Kind::Moka => {
            let cache = moka::future::Cache::new(room);
            for id in 0..entries {
                cache.insert(id, Arc::new(Text::new(id))).await;
            }
            cache.run_pending_tasks().await;
            assert!(cache.entry_count() >= entries - entries / 100);
            grown()
        }
        Kind::Redis | Kind::Embedded => {
            // More than they weigh, so that none is left out.
            let builder = Runtime::builder().local_capacity(room * 640);
            let builder = match order.kind {
                Kind::Redis => builder.redis(&*order.url).require_connection(),
                _ => builder.embedded_capacity(room * 640),
            };
            let runtime = builder.build().await.expect("the server answers");
            let texts = Arc::new(Texts { runtime });
            texts.fill(entries).await;
            let mut monitor = texts.runtime.monitor(Duration::from_hours(1));
            let stats = monitor.next().await.expect("the first comes at once");
            let here = stats.cache.local_entries as u64;
            assert!(
                here >= entries - entries / 100,
                "{here} of {entries} are at level 1"
            );
            weighed = Some(stats.cache.local_bytes);
            grown()
        }
    };
    Said {
        grown,
        peak: resident("VmHWM:"),
        weighed,
    }
}

struct Texts {
    runtime: Runtime,
}

impl Texts {
    #[cacheable(ttl = 3600, key_prefix = "memory", runtime = self.runtime)]
    #[allow(clippy::unused_async, reason = "as a method that asks a database")]
    async fn text(&self, id: u64) -> Result<Arc<Text>, Missing> {
        Ok(Arc::new(Text::new(id)))
    }

    async fn fill(self: &Arc<Self>, entries: u64) {
        let mut filling = JoinSet::new();
        for task in 0..TASKS {
            let texts = Arc::clone(self);
            filling.spawn(async move {
                for id in (task..entries).step_by(TASKS as usize) {
                    texts.text(id).await.expect("it is made at once");
                }
            });
        }
        filling.join_all().await;
    }
}

/// A figure of this process, in bytes.
fn resident(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("this is Linux");
    let figure = status.lines().find_map(|line| line.strip_prefix(name));
    let figure = figure.and_then(|figure| figure.trim().strip_suffix(" kB"));
    figure
        .and_then(|figure| figure.parse::<u64>().ok())
        .expect("a figure in kB")
        << 10
}

/// Bytes of an entry in a process.
pub(crate) fn process(bench: &mut Bench) {
    if !bench.wants(PROCESS) || !cfg!(target_os = "linux") {
        return;
    }
    let entries = if bench.is_quick() { 20_000 } else { 1_000_000 };
    let mut table = Table::new(&[
        "",
        "an entry",
        "beside the value",
        "weighed",
        "of real",
        "peak",
    ]);
    let mut figures = Vec::new();
    let mut floor = None;
    for kind in Kind::ALL {
        // Its own, so that it is empty.
        let server = (kind == Kind::Redis).then(RedisServer::start);
        let url = server.as_ref().map(RedisServer::url).unwrap_or_default();
        let said = child(&Order { kind, entries, url });
        let each = |bytes: u64| bytes as f64 / entries as f64;
        let entry = each(said.grown);
        let beside = floor.map(|floor: f64| entry - floor);
        floor = floor.or(Some(entry));
        let weighed = said.weighed.map(each);
        table.row(vec![
            kind.name().to_owned(),
            format!("{entry:.0} B"),
            beside.map_or_else(String::new, |beside| format!("{beside:.0} B")),
            weighed.map_or_else(String::new, |weighed| format!("{weighed:.0} B")),
            weighed.map_or_else(String::new, |weighed| ratio(weighed / entry)),
            format!("{}B", number(said.peak as f64)),
        ]);
        figures.push(json!({
            "name": kind.name(),
            "entry_bytes": entry,
            "beside_the_value_bytes": beside,
            "weighed_bytes": weighed,
            "peak_bytes": said.peak,
        }));
    }
    let note = format!(
        "resident memory of a process with {} small values, by entry",
        number(entries as f64)
    );
    bench.report(
        PROCESS,
        &note,
        &table,
        json!({ "note": note, "contenders": figures }),
    );
}

fn child(order: &Order) -> Said {
    let program = std::env::current_exe().expect("this program has a path");
    let order = serde_json::to_string(order).expect("plain figures");
    let output = Command::new(program).env(CHILD, order).output();
    let output = output.expect("this program can be started again");
    let said = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(said.trim()).unwrap_or_else(|error| {
        let errors = String::from_utf8_lossy(&output.stderr);
        panic!("{error}: `{said}`, {errors}")
    })
}

/// Bytes of an entry in the server.
pub(crate) fn server(bench: &mut Bench) {
    if !bench.wants(SERVER) {
        return;
    }
    let server = RedisServer::start();
    let threads = tokio::runtime::Runtime::new().expect("threads can be started");
    let key = threads.block_on(async {
        let builder = Runtime::builder().redis(server.url()).require_connection();
        let runtime = builder.build().await.expect("the server was just started");
        let texts = Texts { runtime };
        texts.text(7).await.expect("it is made at once");
        "cache:memory:text:7"
    });
    let text = Text::new(7);
    let (_, payload) = step::encode(codec::AUTO, &text).expect("it is text");
    let json = serde_json::to_vec(&text).expect("it is text");
    let bare = |name: &str, payload: &[u8]| {
        let key = format!("{key}:{name}");
        // All of them are text.
        let payload = String::from_utf8_lossy(payload);
        server.command::<()>(&["SET", &key, &payload, "PX", "3600000"]);
        key
    };
    let rows = [
        ("#[cacheable]", key.to_owned(), payload.len()),
        (
            "redis SET PX, bincode",
            bare("bincode", &payload),
            payload.len(),
        ),
        ("redis SET PX, JSON", bare("json", &json), json.len()),
    ];
    let mut table = Table::new(&["", "payload", "stored", "in memory", "beside the payload"]);
    let mut figures = Vec::<Value>::new();
    for (name, key, payload) in rows {
        let stored: usize = server.command(&["STRLEN", &key]);
        let memory: usize = server.command(&["MEMORY", "USAGE", &key]);
        table.row(vec![
            name.to_owned(),
            format!("{payload} B"),
            format!("{stored} B"),
            format!("{memory} B"),
            format!("{} B", memory - payload),
        ]);
        figures.push(json!({
            "name": name,
            "key_bytes": key.len(),
            "payload_bytes": payload,
            "stored_bytes": stored,
            "memory_bytes": memory,
        }));
    }
    let note = format!("one entry, `{key}`, as `MEMORY USAGE` says");
    bench.report(
        SERVER,
        &note,
        &table,
        json!({ "note": note, "contenders": figures }),
    );
}
