//! What goes to the server.

use std::time::Duration;

use cacheable_runtime::{Runtime, SessionToken};
use cacheable_tests::{Proxy, RedisCluster, RedisServer, eventually};
use redis::Value;

use super::{Cart, IDLE, cart, keys, on, on_with, records};

/// Everything that can be done, and the tokens that were made.
async fn everything(runtime: &Runtime) -> Vec<SessionToken> {
    let sessions = runtime.sessions();
    let mut session = sessions.create("user-1", &cart("a"), IDLE).await.unwrap();
    sessions.save(&mut session).await.unwrap();
    let kept = sessions.create("user-1", &cart("a"), IDLE).await.unwrap();
    let token = session.token.clone();
    sessions.set(&token, &cart("b"), IDLE).await.unwrap();
    let change = |cart: &mut Cart| cart.count += 1;
    sessions.update(&token, change).await.unwrap();
    sessions.extend(&token, IDLE * 2).await.unwrap();
    let rotated = sessions.rotate::<Cart>(&token).await.unwrap().token;
    // By the old token, to where it went.
    sessions.get::<Cart>(&token).await.unwrap().unwrap();
    sessions.update(&token, change).await.unwrap();
    let other = sessions
        .rotate_as::<Cart>(&rotated, "user-2", IDLE)
        .await
        .unwrap();
    let before = sessions.create_anonymous(&cart("a"), IDLE).await.unwrap();
    let after = sessions
        .rotate_as::<Cart>(&before.token, "user-1", IDLE)
        .await
        .unwrap();
    assert_eq!(sessions.list("user-1").await.unwrap().len(), 2);
    assert!(sessions.revoke("user-1", after.id()).await.unwrap());
    sessions
        .revoke_all_but("user-1", &kept.token)
        .await
        .unwrap();
    assert!(sessions.get::<Cart>(&kept.token).await.unwrap().is_some());
    sessions.revoke_all("user-1").await.unwrap();
    assert!(sessions.get::<Cart>(&kept.token).await.unwrap().is_none());
    assert!(sessions.delete(&other.token).await.unwrap());
    vec![
        token,
        rotated,
        kept.token,
        before.token,
        after.token,
        other.token,
    ]
}

/// The arguments of all commands that a server has carried out, as far as its
/// log shows them; among them are those that scripts have called.
fn carried_out(server: &RedisServer) -> Vec<Vec<String>> {
    let Value::Array(entries) = server.command(&["SLOWLOG", "GET", "100000"]) else {
        panic!("the log is a list");
    };
    let arguments = |entry: Value| {
        let Value::Array(mut fields) = entry else {
            panic!("an entry is a list");
        };
        let arguments: Vec<Vec<u8>> = redis::from_redis_value(fields.swap_remove(3)).unwrap();
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        arguments.iter().map(text).collect()
    };
    entries.into_iter().map(arguments).collect()
}

/// S18, S21: no token goes to the server, and no time of this machine's.
#[tokio::test]
async fn no_token_and_no_time_is_sent() {
    let server = RedisServer::start_with(&[
        "--slowlog-log-slower-than",
        "0",
        "--slowlog-max-len",
        "100000",
    ]);
    let proxy = Proxy::to(&server);
    let runtime = on_with(&proxy.url()).await;
    let before = proxy.seen().commands;
    let tokens = everything(&runtime).await;
    let sent: Vec<String> = proxy
        .seen()
        .commands
        .into_iter()
        .filter(|(name, count)| before.get(name).copied().unwrap_or(0) < *count)
        .map(|(name, _)| name)
        .collect();
    server.command::<()>(&["CONFIG", "SET", "slowlog-log-slower-than", "-1"]);
    let mut numbers = 0;
    for command in carried_out(&server) {
        let by_client = sent.contains(&command[0].to_uppercase());
        for text in command {
            for token in &tokens {
                assert!(!text.contains(token.expose()));
                assert!(!text.contains(&token.expose()[..12]));
            }
            // Lengths of time are sent. A time would be far larger.
            if let Ok(number) = text.parse::<u64>()
                && by_client
            {
                assert!(number < 100_000_000_000, "{number}");
                numbers += 1;
            }
        }
    }
    assert!(numbers > 10, "{numbers} numbers");
    // Scripts, and what is sent beside them, of which the loop has seen all.
    let expected = ["EVAL", "EVALSHA", "PING", "TIME", "ZRANDMEMBER", "ZRANGE"];
    assert!(sent.contains(&"EVALSHA".to_owned()), "{sent:?}");
    assert!(
        sent.iter().all(|name| expected.contains(&&**name)),
        "{sent:?}"
    );
}

/// S18: nor is any kept there.
#[tokio::test]
async fn no_token_is_kept() {
    let server = RedisServer::start();
    let sessions = on(&server).await.sessions();
    let first = sessions.create("u", &cart("a"), IDLE).await.unwrap().token;
    let second = sessions.rotate::<Cart>(&first).await.unwrap().token;
    let mut kept = String::new();
    for key in keys(&server) {
        let dump: Vec<u8> = server.command(&["DUMP", &key]);
        kept += &key;
        kept += &String::from_utf8_lossy(&dump);
    }
    assert_eq!(records(&server).len(), 2);
    for token in [&first, &second] {
        for part in [0..12, 30..42, 52..64] {
            assert!(!kept.contains(&token.expose()[part]));
        }
    }
}

/// S24
#[tokio::test]
async fn a_get_is_one_round_trip_and_seldom_a_write() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let sessions = on_with(&proxy.url()).await.sessions();
    let idle = Duration::from_secs(30);
    let token = sessions.create("u", &1_u8, idle).await.unwrap().token;
    // Loads the script.
    sessions.get::<u8>(&token).await.unwrap();
    let written = || -> u64 {
        let info: String = server.command(&["INFO", "persistence"]);
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("rdb_changes_since_last_save:"));
        line.unwrap().parse().unwrap()
    };
    let key = records(&server).remove(0);
    // A tenth of the time has not passed while this is above it.
    let fresh = || server.command::<i64>(&["PTTL", &key]) > 27_500;
    let (scripts, writes) = (proxy.seen().command("EVALSHA"), written());
    let mut gets = 0;
    while gets < 50 && fresh() {
        sessions.get::<u8>(&token).await.unwrap().unwrap();
        gets += 1;
    }
    assert!(fresh() && gets == 50, "the machine is too slow to tell");
    assert_eq!(proxy.seen().command("EVALSHA") - scripts, 50);
    assert_eq!(written(), writes);
    // Once a tenth has passed, it is noted, by one more.
    server.command::<()>(&["PEXPIRE", &key, "20000"]);
    let scripts = proxy.seen().command("EVALSHA");
    let got = sessions.get::<u8>(&token).await.unwrap().unwrap();
    assert_eq!(proxy.seen().command("EVALSHA") - scripts, 2);
    assert!(written() > writes);
    let left: i64 = server.command(&["PTTL", &key]);
    assert!(left > 20_000, "{left}");
    assert!(got.expires_at > got.created_at + idle - Duration::from_secs(1));
}

/// S22, X1: on one node that is a cluster, which refuses keys of two slots.
#[tokio::test]
async fn on_a_cluster_of_one_node_no_step_crosses_slots() {
    let cluster = RedisCluster::start(1);
    let runtime = on_with(&cluster.url()).await;
    everything(&runtime).await;
}

/// X6
#[tokio::test]
async fn scripts_do_not_pile_up() {
    let server = RedisServer::start();
    let runtime = on(&server).await;
    everything(&runtime).await;
    let scripts = || -> String {
        let info: String = server.command(&["INFO", "memory"]);
        let mut lines = info.lines();
        let line = lines.find(|line| line.starts_with("number_of_cached_scripts"));
        line.unwrap().to_owned()
    };
    let before = scripts();
    for _ in 0..20 {
        everything(&runtime).await;
    }
    assert_eq!(scripts(), before);
}

#[tokio::test]
async fn a_server_that_has_forgotten_the_scripts_is_told_them_again() {
    let server = RedisServer::start();
    let sessions = on(&server).await.sessions();
    let token = sessions.create("u", &1_u8, IDLE).await.unwrap().token;
    for _ in 0..3 {
        server.command::<()>(&["SCRIPT", "FLUSH"]);
        sessions.update(&token, |n: &mut u8| *n += 1).await.unwrap();
    }
    let got = sessions.get::<u8>(&token).await.unwrap().unwrap();
    assert_eq!(got.data, 4);
}

/// X8: a handle keeps nothing running, and says that the runtime has ended.
#[tokio::test]
async fn after_the_end_of_the_runtime_nothing_is_connected() {
    let server = RedisServer::start();
    let runtime = on(&server).await;
    let sessions = runtime.sessions();
    let token = sessions.create("u", &1_u8, IDLE).await.unwrap().token;
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let before = tasks();
    for _ in 0..100 {
        sessions.get::<u8>(&token).await.unwrap();
        drop(runtime.sessions().prefix("a").unwrap());
    }
    assert!(tasks() <= before);
    runtime.shutdown(Duration::from_secs(5)).await;
    let error = sessions.get::<u8>(&token).await.unwrap_err();
    assert_eq!(error.kind(), cacheable_runtime::ErrorKind::ShutDown);
    eventually("nobody is connected", Duration::from_secs(30), async || {
        let clients: String = server.command(&["CLIENT", "LIST"]);
        clients.lines().count() == 1
    })
    .await;
}
