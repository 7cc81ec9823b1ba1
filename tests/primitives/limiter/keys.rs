//! What the server holds, and what is sent to it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use cacheable_runtime::{Algorithm, RatePolicy, Runtime};
use cacheable_tests::store::PATIENCE;
use cacheable_tests::{Proxy, RedisCluster, RedisServer, eventually};
use tokio::task::JoinSet;

use super::{ALGORITHMS, MINUTE, asking, on, policy};

/// The keys of limits.
fn keys(server: &RedisServer) -> Vec<String> {
    server.command(&["KEYS", "*limit:*"])
}

fn usage(server: &RedisServer, key: &str) -> u64 {
    server.command(&["MEMORY", "USAGE", key, "SAMPLES", "0"])
}

/// The number behind `name` in a section of `INFO`.
fn info(server: &RedisServer, section: &str, name: &str) -> u64 {
    let text: String = server.command(&["INFO", section]);
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.unwrap_or_else(|| panic!("{name} is not in {text}"));
    number.trim_start_matches(':').trim().parse().unwrap()
}

/// One hit each for so many ids.
async fn hit(policy: &RatePolicy, ids: usize) {
    const TASKS: usize = 32;
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let policy = policy.clone();
        tasks.spawn(async move {
            for id in (task..ids).step_by(TASKS) {
                assert!(policy.check(format!("user {id}")).await.unwrap().allowed);
            }
        });
    }
    tasks.join_all().await;
}

/// R11
#[tokio::test(flavor = "multi_thread")]
async fn every_key_ends_by_itself() {
    let server = RedisServer::start();
    let runtime = on(&server).await;
    for window in [Duration::from_millis(1), Duration::from_millis(800), MINUTE] {
        for algorithm in ALGORITHMS {
            let policy = asking(&runtime, "api", 10, window).algorithm(algorithm);
            let policy = policy.build().unwrap();
            for cost in [1, 9, 10, 3, 0] {
                let _ = policy.check_n("id", cost).await.unwrap();
            }
            policy.refund("id", 2).await.unwrap();
            let most = i64::try_from(2 * window.as_millis()).unwrap() + 1000;
            for key in keys(&server) {
                // -2: it has ended meanwhile.
                let life: i64 = server.command(&["PTTL", &key]);
                assert!(life == -2 || (0..=most).contains(&life), "{key} {life}");
            }
            policy.reset("id").await.unwrap();
        }
    }
    for algorithm in ALGORITHMS {
        let policy = asking(&runtime, "brief", 10, Duration::from_millis(400));
        let policy = policy.algorithm(algorithm).build().unwrap();
        assert!(policy.check("id").await.unwrap().allowed);
    }
    eventually("nothing is left", PATIENCE, async || {
        keys(&server).is_empty()
    })
    .await;
}

/// R12
#[tokio::test(flavor = "multi_thread")]
async fn many_ids_take_little_each_and_all_of_them_end() {
    const IDS: usize = 10_000;
    let server = RedisServer::start();
    let runtime = on(&server).await;
    for algorithm in ALGORITHMS {
        let before = info(&server, "memory", "used_memory");
        let name = format!("{algorithm:?}");
        // An even rate forgets a call after a tenth of that.
        let long = asking(&runtime, &name, 10, MINUTE * 10).algorithm(algorithm);
        hit(&long.build().unwrap(), IDS).await;
        let held = keys(&server);
        assert_eq!(held.len(), IDS);
        for key in &held[..20] {
            let bytes = usage(&server, key);
            assert!(bytes < 250, "{key}: {bytes} bytes");
        }
        let each = (info(&server, "memory", "used_memory") - before) / IDS as u64;
        eprintln!("{algorithm:?}: {each} bytes for each id, tables included");
        assert!(each < 400, "{algorithm:?}: {each} bytes");
        server.command::<()>(&["FLUSHALL"]);
        let brief = asking(&runtime, "brief", 100, Duration::from_millis(300));
        hit(&brief.algorithm(algorithm).build().unwrap(), IDS / 4).await;
        eventually("all have ended", PATIENCE, async || {
            keys(&server).is_empty()
        })
        .await;
    }
}

/// R13
#[tokio::test(flavor = "multi_thread")]
async fn a_large_limit_that_is_reached_stays_small_and_quick() {
    const LIMIT: u64 = 100_000;
    let server = RedisServer::start();
    let runtime = on(&server).await;
    for (algorithm, most) in [
        (Algorithm::Automatic, 2_000),
        (Algorithm::Gcra, 200),
        // 12 bytes for each call.
        (Algorithm::Exact, 12 * LIMIT),
    ] {
        let window = Duration::from_secs(20);
        let policy = asking(&runtime, "hot", LIMIT, window).algorithm(algorithm);
        let policy = policy.build().unwrap();
        for step in 0..20 {
            assert!(policy.check_n("id", LIMIT / 20).await.unwrap().allowed);
            if algorithm == Algorithm::Automatic {
                // In segments of a second each.
                tokio::time::sleep(Duration::from_millis(100 * u64::from(step % 4 == 0))).await;
            }
        }
        let key = keys(&server).pop().unwrap();
        let bytes = usage(&server, &key);
        eprintln!("{algorithm:?}: {bytes} bytes at a limit of {LIMIT}");
        assert!(bytes <= most, "{algorithm:?}: {bytes} bytes");
        server.command::<()>(&["CONFIG", "RESETSTAT"]);
        let mut denied = 0;
        for _ in 0..200 {
            denied += u32::from(!policy.check("id").await.unwrap().allowed);
        }
        assert!(denied > 0 || algorithm == Algorithm::Gcra);
        let stats: String = server.command(&["INFO", "commandstats"]);
        let line = stats.lines().find(|line| line.contains("cmdstat_evalsha:"));
        let each = line.unwrap().split("usec_per_call=").nth(1).unwrap();
        let each: f64 = each.split(',').next().unwrap().parse().unwrap();
        eprintln!("{algorithm:?}: {each} µs for a check on the server");
        assert!(each < 1_000.0, "{algorithm:?}: {each} µs");
        policy.reset("id").await.unwrap();
    }
}

/// R21, X1: where every slot is served, a script that touches a key that it has
/// not declared is refused by the server.
#[tokio::test(flavor = "multi_thread")]
async fn on_a_cluster_each_check_touches_the_keys_that_it_names() {
    let cluster = RedisCluster::start(1);
    let builder = Runtime::builder().redis(cluster.url()).budget(PATIENCE);
    let runtime = builder.require_connection().build().await.unwrap();
    let limiter = runtime.rate_limiter();
    let policies = ALGORITHMS.map(|algorithm| {
        let policy = asking(&runtime, "api", 2, MINUTE).algorithm(algorithm);
        policy.build().unwrap()
    });
    let all = [&policies[0], &policies[1], &policies[2]];
    for id in ["a", "a}{b", "{x}", ""] {
        for policy in &policies {
            for cost in [1, 1, 1, 0] {
                let _ = policy.check_n(id, cost).await.unwrap();
            }
            assert!(policy.refund(id, 1).await.unwrap() > 0);
            assert!(policy.reset(id).await.unwrap());
        }
        for _ in 0..3 {
            let _ = limiter.check_all(&all, id).await.unwrap();
        }
        assert_eq!(
            limiter
                .check_all(&all, id)
                .await
                .unwrap()
                .tightest()
                .remaining,
            0
        );
    }
}

/// X1
#[test]
fn every_script_says_what_it_is() {
    let folder = "../cacheable-runtime/src/primitives/limiter/lua";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut read = 0;
    for script in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(script.unwrap().path()).unwrap();
        let mut lines = text.lines();
        assert!(lines.next().unwrap().starts_with("#!lua"));
        assert!(lines.next().unwrap().starts_with("-- "));
        assert_eq!(text.matches("'TIME'").count(), 1);
        read += 1;
    }
    assert_eq!(read, 5);
}

/// R22: what an id looks like chooses neither its slot nor its key.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_chooses_no_slot() {
    let server = RedisServer::start();
    let runtime = on(&server).await;
    let policy = policy(&runtime, "{api}", 10, MINUTE);
    for number in 0..64 {
        assert!(
            policy
                .check(format!("{{same}}:{number}"))
                .await
                .unwrap()
                .allowed
        );
    }
    let keys = keys(&server);
    let tags: BTreeSet<&str> = keys
        .iter()
        .map(|key| {
            let (before, rest) = key.split_once('{').unwrap();
            assert_eq!(before, "limit:");
            let (tag, _) = rest.split_once('}').unwrap();
            assert!(tag.len() == 32 && tag.chars().all(|c| c.is_ascii_hexdigit()));
            assert!(!key.contains("same"));
            tag
        })
        .collect();
    assert_eq!(tags.len(), 64);
}

/// R28
#[tokio::test(flavor = "multi_thread")]
async fn a_check_is_one_command() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let builder = Runtime::builder().redis(proxy.url()).budget(PATIENCE);
    let runtime = builder.require_connection().build().await.unwrap();
    let limiter = runtime.rate_limiter();
    for algorithm in ALGORITHMS {
        let policy = asking(&runtime, "api", 10, MINUTE).algorithm(algorithm);
        let policy = policy.build().unwrap();
        assert!(policy.check("warm up").await.unwrap().allowed);
        let before = proxy.seen();
        for _ in 0..40 {
            let _ = policy.check("id").await.unwrap();
        }
        for _ in 0..10 {
            let _ = policy.peek("id").await.unwrap();
            let _ = limiter.check_all(&[&policy], "id").await.unwrap();
        }
        let after = proxy.seen();
        assert_eq!(after.command("EVALSHA") - before.command("EVALSHA"), 60);
        for other in ["EVAL", "SCRIPT LOAD", "GET", "TIME", "PEXPIRE"] {
            let sent = after.command(other) - before.command(other);
            // The connection asks for the time now and then for its own sake.
            assert!(sent == 0 || other == "TIME" && sent < 10, "{other}: {sent}");
        }
    }
}

/// X6
#[tokio::test(flavor = "multi_thread")]
async fn the_scripts_of_the_server_stay_as_many_as_they_are() {
    let server = RedisServer::start();
    let runtime = on(&server).await;
    for algorithm in ALGORITHMS {
        let warm = asking(&runtime, "warm", 1, MINUTE).algorithm(algorithm);
        let warm = warm.build().unwrap();
        assert!(warm.check("id").await.unwrap().allowed);
        warm.refund("id", 1).await.unwrap();
    }
    let before = info(&server, "memory", "number_of_cached_scripts");
    for number in 1..1_000_u64 {
        let window = Duration::from_millis(1_000 + number);
        for algorithm in ALGORITHMS {
            let policy = asking(&runtime, &format!("p{number}"), number, window);
            let policy = policy.algorithm(algorithm).build().unwrap();
            let _ = policy.check_n(number.to_be_bytes(), number).await.unwrap();
            policy.refund(number.to_be_bytes(), 1).await.unwrap();
        }
    }
    let after = info(&server, "memory", "number_of_cached_scripts");
    assert_eq!(after, before);
}
