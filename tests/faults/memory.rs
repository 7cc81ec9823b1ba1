//! The server forgets, or has no room.

use std::time::{Duration, Instant};

use cacheable_tests::store::PATIENCE;
use cacheable_tests::{Proxy, RedisServer};
use redis::Connection;
use tokio::task::block_in_place;

use crate::drill::{Drill, again_and_again, lasting, short};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_forgotten() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let drill = Drill::through(&proxy, "SCRIPT FLUSH, repeated").await;
    let fault = again_and_again(short(), Duration::from_millis(5), || {
        server.command::<()>(&["SCRIPT", "FLUSH"]);
    });
    drill.during(fault).await.recovers().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_forgotten() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let drill = Drill::through(&proxy, "FLUSHALL, repeated").await;
    let fault = again_and_again(short(), Duration::from_millis(20), || {
        server.command::<()>(&["FLUSHALL"]);
    });
    drill.during(fault).await.recovers().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "noeviction"]);
    let proxy = Proxy::to(&server);
    let drill = Drill::through(&proxy, "out of memory, noeviction").await;
    let mut filler = Filler::new(&server);
    let fault = async {
        block_in_place(|| {
            limit(&server, 1 << 20);
            while filler.fills() {}
        });
        // What invalidations free is taken at once.
        again_and_again(
            lasting(),
            Duration::from_millis(2),
            || while filler.fills() {},
        )
        .await;
        block_in_place(|| filler.clear());
    };
    drill.during(fault).await.recovers().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evicting() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru"]);
    let proxy = Proxy::to(&server);
    let drill = Drill::through(&proxy, "eviction, allkeys-lru").await;
    let mut filler = Filler::new(&server);
    let evicted = || -> u64 { figure(&server, "stats", "evicted_keys") };
    let fault = async {
        block_in_place(|| limit(&server, 1 << 20));
        // On a busy machine it takes longer until there is pressure.
        let began = Instant::now();
        while evicted() <= 100 {
            assert!(began.elapsed() < PATIENCE, "there was no pressure");
            again_and_again(short(), Duration::from_millis(2), || {
                for _ in 0..10 {
                    assert!(filler.fills(), "nothing is evicted");
                }
            })
            .await;
        }
        block_in_place(|| server.command::<()>(&["CONFIG", "SET", "maxmemory", "0"]));
    };
    drill.during(fault).await.recovers().await;
}

/// A snapshot failed, so the server takes no writes: `MISCONF`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disk_failed() {
    let server = RedisServer::start();
    // Redis 6.2 takes no two numbers in one argument of its command line.
    server.command::<()>(&["CONFIG", "SET", "save", "3600 1"]);
    let proxy = Proxy::to(&server);
    let drill = Drill::through(&proxy, "no snapshot, MISCONF").await;
    let fault = async {
        block_in_place(|| server.lose_directory());
        again_and_again(lasting(), Duration::from_millis(100), || {
            // It may be at it already.
            let mut admin = server.connect();
            let _: redis::RedisResult<()> = redis::cmd("BGSAVE").query(&mut admin);
        })
        .await;
        let refused = block_in_place(|| refusal(&server));
        assert_eq!(refused.as_deref(), Some("MISCONF"));
        block_in_place(|| {
            let setting = "stop-writes-on-bgsave-error";
            server.command::<()>(&["CONFIG", "SET", setting, "no"]);
        });
    };
    drill.during(fault).await.recovers().await;
}

/// Too few replicas listen, so the server takes no writes: `NOREPLICAS`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_missing() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let drill = Drill::through(&proxy, "too few replicas, NOREPLICAS").await;
    let wanted = |replicas: &str| {
        let setting = "min-replicas-to-write";
        server.command::<()>(&["CONFIG", "SET", setting, replicas]);
    };
    let fault = async {
        block_in_place(|| wanted("1"));
        assert_eq!(
            block_in_place(|| refusal(&server)).as_deref(),
            Some("NOREPLICAS")
        );
        tokio::time::sleep(lasting()).await;
        block_in_place(|| wanted("0"));
    };
    drill.during(fault).await.recovers().await;
}

/// What a write is refused with.
fn refusal(server: &RedisServer) -> Option<String> {
    let mut connection = server.connect();
    let set: redis::RedisResult<()> = redis::cmd("SET")
        .arg(&["refused", "1"])
        .query(&mut connection);
    set.err().and_then(|error| error.code().map(str::to_owned))
}

/// Lets the server have so much more than it uses now.
fn limit(server: &RedisServer, more: u64) {
    let limit = figure(server, "memory", "used_memory") + more;
    server.command::<()>(&["CONFIG", "SET", "maxmemory", &limit.to_string()]);
}

fn figure(server: &RedisServer, section: &str, name: &str) -> u64 {
    let info: String = server.command(&["INFO", section]);
    let start = format!("{name}:");
    let line = info.lines().find_map(|line| line.strip_prefix(&start));
    line.unwrap().parse().unwrap()
}

/// Another client of the server, which takes its room.
struct Filler {
    connection: Connection,
    entries: u64,
}

impl Filler {
    fn new(server: &RedisServer) -> Self {
        Self {
            connection: server.connect(),
            entries: 0,
        }
    }

    /// Stores one more entry; whether there was room for it.
    fn fills(&mut self) -> bool {
        let mut set = redis::cmd("SET");
        set.arg(format!("filler:{}", self.entries));
        let outcome = set.arg("x".repeat(2_000)).exec(&mut self.connection);
        self.entries += u64::from(outcome.is_ok());
        if let Err(error) = &outcome {
            assert_eq!(error.code(), Some("OOM"), "{error}");
        }
        outcome.is_ok()
    }

    fn clear(&mut self) {
        for entry in 0..self.entries {
            let mut del = redis::cmd("DEL");
            del.arg(format!("filler:{entry}"));
            del.exec(&mut self.connection).unwrap();
        }
    }
}
