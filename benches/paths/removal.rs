//! Removal of many entries, by how many keys there are beside them.

use std::time::{Duration, Instant};

use benches::{Bench, Plot, Table, Unit, in_turns, median, nanos, number, percentile, ratio};
use cacheable_runtime::{Cache, Policy, Runtime};
use cacheable_tests::RedisServer;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, cmd};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::wire::{self, ask};

const FLAT: &str = "removal/whole";
const SWEEP: &str = "removal/pattern";

/// Entries that are removed.
const MEMBERS: usize = 1_000;
const PREFIX: &str = "cache:removed:*";
/// What a marker cannot answer: a pattern within a prefix.
const PATTERN: &str = "cache:removed:entry:*";
const TAG: &str = "removed";

/// What a walk by hand looks at at once.
const COUNT: usize = 1_000;

/// Ways to remove whole prefixes and tags, in keyspaces of several sizes.
pub(crate) fn whole(bench: &mut Bench) {
    if !bench.wants(FLAT) {
        return;
    }
    let sizes: &[u64] = if bench.is_quick() {
        &[2_000, 20_000]
    } else {
        &[10_000, 100_000, 1_000_000, 5_000_000]
    };
    let server = RedisServer::start_with_debug_commands();
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let quick = bench.is_quick();
    let mut times = vec![Vec::new(); Way::ALL.len()];
    for &size in sizes {
        populate(&server, size);
        let seen = runtime.block_on(async {
            let place = Place::on(&server).await;
            let mut seen = vec![Vec::new(); Way::ALL.len()];
            for (way, seen) in Way::ALL.into_iter().zip(&mut seen) {
                let rounds = way.rounds(size, quick);
                for _ in 0..rounds {
                    seen.push(place.time(way).await);
                }
            }
            seen
        });
        for (times, seen) in times.iter_mut().zip(seen) {
            let nanos = |time: &Duration| time.as_nanos() as f64;
            times.push(median(seen.iter().map(nanos)));
        }
    }

    let heads: Vec<_> = sizes.iter().map(|&size| number(size as f64)).collect();
    let columns = [""].into_iter().chain(heads.iter().map(String::as_str));
    let mut table = Table::new(&columns.collect::<Vec<_>>());
    let mut plot = Plot::lines(
        "Removal of 1 000 entries",
        "keys in the keyspace",
        "until they are gone for everybody",
        Unit::Nanos,
    );
    let mut figures = Vec::new();
    for (way, times) in Way::ALL.iter().zip(times) {
        let cells = times.iter().map(|&time| nanos(time));
        table.row([way.name().to_owned()].into_iter().chain(cells).collect());
        let points = sizes
            .iter()
            .map(|&size| size as f64)
            .zip(times.iter().copied());
        plot = plot.series(way.name(), points);
        figures.push(json!({ "name": way.name(), "wall_ns": times }));
    }
    let note = format!("until {MEMBERS} entries are gone for everybody, by keys in the keyspace");
    let json = json!({ "note": note, "sizes": sizes, "contenders": figures, "plot": plot });
    bench.report(FLAT, &note, &table, json);
}

/// A pattern that has to be walked for, and what others notice of it.
pub(crate) fn pattern(bench: &mut Bench) {
    if !bench.wants(SWEEP) {
        return;
    }
    let (size, rounds) = if bench.is_quick() {
        (20_000, 2)
    } else {
        (1_000_000, 9)
    };
    let server = RedisServer::start_with_debug_commands();
    populate(&server, size);
    let ways = [Way::ScanUnlink, Way::KeysDel, Way::Pattern];
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let seen = runtime.block_on(async {
        let place = Place::on(&server).await;
        let mut seen: Vec<Vec<Noticed>> = ways.iter().map(|_| Vec::new()).collect();
        for round in 0..rounds {
            for index in in_turns(ways.len(), round) {
                seen[index].push(place.watch(ways[index], &server).await);
            }
        }
        seen
    });

    let mut table = Table::new(&["", "time", "of SCAN", "GETs", "p50", "p99", "of SCAN"]);
    let mut figures = Vec::new();
    let by_hand = &seen[0];
    for (index, (way, noticed)) in ways.iter().zip(&seen).enumerate() {
        let took = |noticed: &Noticed| noticed.took.as_nanos() as f64;
        let share = |p| move |noticed: &Noticed| f64::from(percentile(&noticed.gets, p));
        let of = |figure: &dyn Fn(&Noticed) -> f64| median(noticed.iter().map(figure));
        let against = |figure: &dyn Fn(&Noticed) -> f64| {
            let pairs = noticed.iter().zip(by_hand);
            median(pairs.map(|(here, floor)| figure(here) / figure(floor)))
        };
        let floor = |figure: &dyn Fn(&Noticed) -> f64| match index {
            0 => String::new(),
            _ => ratio(against(figure)),
        };
        let gets = of(&|noticed| noticed.gets.len() as f64);
        table.row(vec![
            way.name().to_owned(),
            nanos(of(&took)),
            floor(&took),
            number(gets),
            nanos(of(&share(0.5))),
            nanos(of(&share(0.99))),
            floor(&share(0.99)),
        ]);
        figures.push(json!({
            "name": way.name(),
            "wall_ns": of(&took),
            "wall_of_floor": against(&took),
            "get_p50_ns": of(&share(0.5)),
            "get_p99_ns": of(&share(0.99)),
            "get_p99_of_floor": against(&share(0.99)),
            "rounds": noticed.iter().map(Noticed::json).collect::<Vec<_>>(),
        }));
    }
    let note = format!(
        "`{PATTERN}`: {MEMBERS} of {} keys, and what a GET beside it takes",
        number(size as f64)
    );
    bench.report(
        SWEEP,
        &note,
        &table,
        json!({ "note": note, "contenders": figures }),
    );
}

/// One way to remove the members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Not one: what a round trip takes.
    Ping,
    Entry,
    Tag,
    Prefix,
    Pattern,
    KeysDel,
    ScanUnlink,
}

impl Way {
    const ALL: [Self; 7] = [
        Self::Ping,
        Self::Entry,
        Self::Tag,
        Self::Prefix,
        Self::Pattern,
        Self::KeysDel,
        Self::ScanUnlink,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Ping => "redis PING",
            Self::Entry => "remove, one entry",
            Self::Tag => "invalidate_tag",
            Self::Prefix => "clear, a whole prefix",
            Self::Pattern => "clear, another pattern",
            Self::KeysDel => "redis KEYS, DEL",
            Self::ScanUnlink => "redis SCAN 1000, UNLINK",
        }
    }

    fn rounds(self, size: u64, quick: bool) -> usize {
        match self {
            _ if quick => 2,
            Self::Ping | Self::Entry | Self::Tag => 31,
            _ if size > 1_000_000 => 3,
            _ => 5,
        }
    }
}

/// A server with entries to remove, and who removes them.
struct Place {
    cache: Cache,
    /// As another process sees them, without a level 1 that could answer.
    elsewhere: Cache,
    wire: MultiplexedConnection,
}

/// What there is to notice of one removal.
struct Noticed {
    took: Duration,
    /// What each `GET` beside it took, in nanoseconds, sorted.
    gets: Vec<u32>,
}

impl Noticed {
    fn json(&self) -> Value {
        json!({
            "wall_ns": self.took.as_nanos() as u64,
            "gets": self.gets.len(),
            "get_p99_ns": percentile(&self.gets, 0.99),
        })
    }
}

impl Place {
    async fn on(server: &RedisServer) -> Self {
        let runtime = async |capacity| {
            let builder = Runtime::builder()
                .redis(server.url())
                .local_capacity(capacity);
            // `KEYS` in a large keyspace holds up everybody, and a server that
            // is given up would be one that removes nothing.
            let patience = Duration::from_secs(30);
            let builder = builder.command_timeout(patience).budget(patience);
            let runtime = builder.require_connection().build().await;
            runtime.expect("the server was just started")
        };
        Self {
            cache: runtime(16 << 20).await.cache(),
            elsewhere: runtime(0).await.cache(),
            wire: connect(server).await,
        }
    }

    /// Makes the first `members` of them anew, all at once.
    async fn fill(&self, members: usize) {
        let mut loading = JoinSet::new();
        for id in 0..members {
            let cache = self.cache.clone();
            loading.spawn(async move {
                let policy = Policy::new(Duration::from_hours(1)).tag(TAG);
                let load = || async { Ok::<_, ()>(id) };
                assert_eq!(cache.get_or_load(name(id), policy, load).await, Ok(id));
            });
        }
        loading.join_all().await;
    }

    async fn time(&self, way: Way) -> Duration {
        match way {
            Way::Ping => {}
            Way::Entry => self.fill(1).await,
            _ => self.fill(MEMBERS).await,
        }
        let start = Instant::now();
        self.remove(way).await;
        let took = start.elapsed();
        if way != Way::Ping {
            let left = self.elsewhere.get::<usize>(name(0)).await;
            assert_eq!(left.expect("the server answers"), None, "{way:?}");
        }
        if way == Way::Prefix {
            // What is freed behind it is not to be in the way of the next.
            self.remove(Way::Pattern).await;
        }
        took
    }

    /// Removes the members while somebody else reads something else.
    async fn watch(&self, way: Way, server: &RedisServer) -> Noticed {
        self.fill(MEMBERS).await;
        let reader = connect(server).await;
        let (stop, mut stopped) = oneshot::channel::<()>();
        let reading = tokio::spawn(async move {
            let mut gets = Vec::new();
            while stopped.try_recv().is_err() {
                let start = Instant::now();
                wire::get(&reader, "ballast:7").await;
                gets.push(u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX));
            }
            gets
        });
        let start = Instant::now();
        self.remove(way).await;
        let took = start.elapsed();
        stop.send(()).expect("the reader waits for it");
        let mut gets = reading.await.expect("the reader does not panic");
        gets.sort_unstable();
        Noticed { took, gets }
    }

    async fn remove(&self, way: Way) {
        const ANSWERS: &str = "the server answers";
        match way {
            Way::Ping => ask(&self.wire, &cmd("PING")).await,
            Way::Entry => assert!(self.cache.remove(name(0)).await.expect(ANSWERS)),
            Way::Tag => self.cache.invalidate_tag(TAG).await.expect(ANSWERS),
            Way::Prefix => {
                let cleared = self.cache.clear(PREFIX).without_waiting().await;
                cleared.expect(ANSWERS);
            }
            Way::Pattern => drop(self.cache.clear(PATTERN).await.expect(ANSWERS)),
            Way::KeysDel => {
                let keys: Vec<Vec<u8>> = ask(&self.wire, cmd("KEYS").arg(PATTERN)).await;
                ask::<()>(&self.wire, cmd("DEL").arg(keys)).await;
            }
            Way::ScanUnlink => self.scan_unlink().await,
        }
    }

    async fn scan_unlink(&self) {
        let mut cursor = 0_u64;
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(cursor)
                .arg("MATCH")
                .arg(PATTERN)
                .arg("COUNT")
                .arg(COUNT);
            let (next, keys): (u64, Vec<Vec<u8>>) = ask(&self.wire, &scan).await;
            if !keys.is_empty() {
                ask::<()>(&self.wire, cmd("UNLINK").arg(keys)).await;
            }
            cursor = next;
            if cursor == 0 {
                return;
            }
        }
    }
}

fn name(id: usize) -> String {
    format!("cache:removed:entry:{id}")
}

/// Keys that nobody asks for, up to `size` of them.
fn populate(server: &RedisServer, size: u64) {
    let size = size.to_string();
    server.command::<()>(&["DEBUG", "POPULATE", &size, "ballast", "16"]);
}

/// A connection that waits for as long as it takes.
async fn connect(server: &RedisServer) -> MultiplexedConnection {
    let client = Client::open(server.url()).expect("it is an address");
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await;
    connection.expect("the server was just started")
}
