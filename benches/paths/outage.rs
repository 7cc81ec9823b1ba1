//! The server is killed under load, and comes back.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use benches::{Bench, Table, nanos, number, percentile};
use cacheable_runtime::{Runtime, cacheable};
use cacheable_tests::RedisServer;
use cached::{AsyncRedisCache, ConcurrentCachedAsync};
use redis::Client;
use redis::aio::ConnectionManager;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::rivals::{hitbox, stores};
use crate::source::{Missing, Project, SOURCE};

const NAME: &str = "outage";
/// Sixty calls every ten milliseconds.
const CALLS: u64 = 60;
const EVERY: Duration = Duration::from_millis(10);
const KEYS: u64 = 2_000;
/// How long the database takes.
const LOAD: Duration = Duration::from_millis(1);
/// For calls that are not answered when there are no more.
const PATIENCE: Duration = Duration::from_secs(10);

/// Measures the path, if it was asked for.
pub(crate) fn run(bench: &mut Bench) {
    if !bench.wants(NAME) {
        return;
    }
    let times = if bench.is_quick() {
        Times::of([200, 300, 300])
    } else {
        Times::of([1_000, 2_000, 3_000])
    };
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let mut table = Table::new(&[
        "",
        "answered/s, down",
        "errors",
        "unanswered",
        "p50, down",
        "longest",
        "stores again after",
    ]);
    let mut figures = Vec::new();
    for make in [by_hand, with_cached, with_hitbox, ours] {
        let (name, seen) = runtime.block_on(async {
            let server = Arc::new(RedisServer::start());
            let (name, call) = make(server.url()).await;
            (name, watch(&server, &call, times).await)
        });
        table.row(vec![
            name.to_owned(),
            number(seen.answered_per_second),
            seen.errors.to_string(),
            seen.unanswered.to_string(),
            nanos(seen.typical_ns),
            nanos(seen.longest.as_nanos() as f64),
            seen.recovery
                .map_or_else(|| "–".to_owned(), |it| nanos(it.as_nanos() as f64)),
        ]);
        figures.push(seen.json(name));
    }
    let note = format!(
        "{} calls/s of {KEYS} keys, loads of {LOAD:?}, the server is away for {:?}",
        CALLS * 1_000 / EVERY.as_millis() as u64,
        times.outage
    );
    bench.report(
        NAME,
        &note,
        &table,
        json!({ "note": note, "contenders": figures }),
    );
}

#[derive(Clone, Copy)]
struct Times {
    before: Duration,
    outage: Duration,
    after: Duration,
}

impl Times {
    fn of(millis: [u64; 3]) -> Self {
        let [before, outage, after] = millis.map(Duration::from_millis);
        Self {
            before,
            outage,
            after,
        }
    }
}

/// Whether the caller got its value.
type Calling = Pin<Box<dyn Future<Output = bool> + Send>>;
type Call = Box<dyn Fn(u64) -> Calling + Send + Sync>;
type Made = Pin<Box<dyn Future<Output = (&'static str, Call)>>>;

struct Answer {
    began: Instant,
    ended: Instant,
    fine: bool,
}

struct Seen {
    /// While the server was away.
    answered_per_second: f64,
    typical_ns: f64,
    errors: usize,
    unanswered: usize,
    longest: Duration,
    /// From when the server answers until something is stored in it.
    recovery: Option<Duration>,
}

async fn watch(server: &Arc<RedisServer>, call: &Call, times: Times) -> Seen {
    let start = Instant::now();
    let mut ticks = tokio::time::interval(EVERY);
    let mut running = JoinSet::new();
    let mut answers = Vec::new();
    let mut number = 0;
    let (mut down, mut up) = (None, None);
    let signs = Arc::new(Signs::default());
    // From when it answers again: to start may take it some time.
    let mut ends = None;
    while ends.is_none_or(|ends| Instant::now() < ends) {
        ticks.tick().await;
        if ends.is_none() && signs.up.load(Ordering::Relaxed) {
            ends = Some(Instant::now() + times.after);
        }
        if down.is_none() && start.elapsed() >= times.before {
            let server = Arc::clone(server);
            down = Some(Instant::now());
            tokio::task::spawn_blocking(move || server.kill());
        }
        if up.is_none() && start.elapsed() >= times.before + times.outage {
            let (server, signs) = (Arc::clone(server), Arc::clone(&signs));
            up = Some(tokio::task::spawn_blocking(move || {
                comes_back(&server, &signs)
            }));
        }
        for _ in 0..CALLS {
            number += 1;
            let calling = call(number * 7_919 % KEYS);
            running.spawn(async move {
                let began = Instant::now();
                let fine = calling.await;
                let ended = Instant::now();
                Answer { began, ended, fine }
            });
        }
        while let Some(answer) = running.try_join_next() {
            answers.push(answer.expect("no call panics"));
        }
    }
    signs.over.store(true, Ordering::Relaxed);
    let rest = async {
        while let Some(answer) = running.join_next().await {
            answers.push(answer.expect("no call panics"));
        }
    };
    let timed_out = tokio::time::timeout(PATIENCE, rest).await.is_err();
    let unanswered = running.len();
    running.abort_all();
    let down = down.expect("the outage is over");
    let (up, recovery) = up
        .expect("the outage is over")
        .await
        .expect("the server starts again");
    let mut seen = Seen::of(&answers, down, up);
    seen.recovery = recovery;
    seen.unanswered = unanswered;
    if timed_out {
        seen.longest = seen.longest.max(PATIENCE);
    }
    seen
}

/// What those who make calls and who starts the server tell each other.
#[derive(Default)]
struct Signs {
    /// The server answers again.
    up: AtomicBool,
    /// No more calls are made.
    over: AtomicBool,
}

/// When the server answers again, and how long it takes from then until it has an
/// entry; none if that is not before the calls end. It starts empty.
fn comes_back(server: &RedisServer, signs: &Signs) -> (Instant, Option<Duration>) {
    server.restart();
    let up = Instant::now();
    signs.up.store(true, Ordering::Relaxed);
    while !signs.over.load(Ordering::Relaxed) {
        if server.command::<u64>(&["DBSIZE"]) > 0 {
            return (up, Some(up.elapsed()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    (up, None)
}

impl Seen {
    fn of(answers: &[Answer], down: Instant, up: Instant) -> Self {
        let fine = || answers.iter().filter(|answer| answer.fine);
        let then = |answer: &&Answer| answer.ended > down && answer.ended < up;
        let took = |answer: &Answer| answer.ended - answer.began;
        let mut during: Vec<_> = fine()
            .filter(then)
            .map(|answer| u32::try_from(took(answer).as_nanos()).unwrap_or(u32::MAX))
            .collect();
        during.sort_unstable();
        Self {
            answered_per_second: during.len() as f64 / (up - down).as_secs_f64(),
            typical_ns: f64::from(percentile(&during, 0.5)),
            errors: answers.len() - fine().count(),
            unanswered: 0,
            longest: answers.iter().map(took).max().unwrap_or_default(),
            recovery: None,
        }
    }

    fn json(&self, name: &str) -> Value {
        json!({
            "name": name,
            "answered_per_second": self.answered_per_second,
            "p50_down_ns": self.typical_ns,
            "errors": self.errors + self.unanswered,
            "unanswered": self.unanswered,
            "longest_ns": self.longest.as_nanos() as u64,
            "recovery_ns": self.recovery.map(|it| it.as_nanos() as u64),
        })
    }
}

async fn load(id: u64) -> Project {
    tokio::time::sleep(LOAD).await;
    Project::clone(SOURCE.project(id))
}

/// As one would write it with care: the connection comes back by itself, and where the
/// cache fails the database is asked.
fn by_hand(url: String) -> Made {
    Box::pin(async move {
        let client = Client::open(url).expect("it is an address");
        let connection = ConnectionManager::new(client).await;
        let connection = connection.expect("the server was just started");
        let call = move |id| -> Calling {
            let connection = connection.clone();
            Box::pin(async move {
                project_by_hand(connection, id).await;
                true
            })
        };
        let call: Call = Box::new(call);
        ("redis by hand, else the database", call)
    })
}

async fn project_by_hand(mut connection: ConnectionManager, id: u64) -> Project {
    let key = format!("outage:{id}");
    let standard = bincode::config::standard();
    let stored = redis::cmd("GET")
        .arg(&key)
        .query_async(&mut connection)
        .await;
    let stored: Option<Vec<u8>> = stored.unwrap_or_default();
    let decoded = stored.and_then(|bytes| {
        let decoded = bincode::serde::decode_from_slice(&bytes, standard);
        decoded.ok().map(|(project, _)| project)
    });
    if let Some(project) = decoded {
        return project;
    }
    let project = load(id).await;
    let bytes = bincode::serde::encode_to_vec(&project, standard).expect("it can be written");
    let mut set = redis::cmd("SET");
    set.arg(&key).arg(bytes).arg("PX").arg(3_600_000);
    // What cannot be stored is loaded again the next time.
    let _: Result<(), _> = set.query_async(&mut connection).await;
    project
}

/// As its attribute does: an error of the store is the caller's.
fn with_cached(url: String) -> Made {
    Box::pin(async move {
        let store: &AsyncRedisCache<u64, Project> = stores::cached(&url, "outage").await;
        let call = move |id| -> Calling {
            Box::pin(async move {
                match store.async_cache_get(&id).await {
                    Ok(Some(_)) => true,
                    Ok(None) => store.async_cache_set(id, load(id).await).await.is_ok(),
                    Err(_) => false,
                }
            })
        };
        let call: Call = Box::new(call);
        ("cached", call)
    })
}

fn with_hitbox(url: String) -> Made {
    Box::pin(async move {
        let cache = hitbox::on_server(&url);
        let call = move |id| -> Calling {
            Box::pin(async move { hitbox::project(id).cache(cache).await.is_ok() })
        };
        let call: Call = Box::new(call);
        ("hitbox", call)
    })
}

struct Service(Runtime);

impl Service {
    #[cacheable(ttl = 3600, key_prefix = "outage", runtime = self.0)]
    async fn project(&self, id: u64) -> Result<Project, Missing> {
        Ok(load(id).await)
    }
}

fn ours(url: String) -> Made {
    Box::pin(async move {
        let builder = Runtime::builder().redis(url).require_connection();
        let runtime = builder.build().await.expect("the server was just started");
        let service: &Service = Box::leak(Box::new(Service(runtime)));
        let call =
            move |id| -> Calling { Box::pin(async move { service.project(id).await.is_ok() }) };
        let call: Call = Box::new(call);
        ("#[cacheable]", call)
    })
}
