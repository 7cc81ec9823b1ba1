//! Slots that move from one node to another.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cacheable_tests::{RedisCluster, RedisServer, eventually};

use crate::service::{MANY, PATIENCE, Service, pair};

/// Moves a slot with its keys, as `redis-cli --cluster reshard` does.
fn migrate(cluster: &RedisCluster, slot: usize, from: usize, to: usize) {
    begin(cluster, slot, from, to);
    finish(cluster, slot, from, to);
}

fn begin(cluster: &RedisCluster, slot: usize, from: usize, to: usize) {
    let (nodes, slot) = (cluster.nodes(), slot.to_string());
    let set = |node: &RedisServer, words: &[&str]| {
        let mut all = vec!["CLUSTER", "SETSLOT", &slot];
        all.extend(words);
        node.command::<()>(&all);
    };
    set(&nodes[to], &["IMPORTING", &cluster.id(from)]);
    set(&nodes[from], &["MIGRATING", &cluster.id(to)]);
}

fn finish(cluster: &RedisCluster, slot: usize, from: usize, to: usize) {
    let (nodes, slot) = (cluster.nodes(), slot.to_string());
    let port = nodes[to].port().to_string();
    loop {
        let some: Vec<String> = nodes[from].command(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]);
        if some.is_empty() {
            break;
        }
        let mut words = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
        words.extend(some.iter().map(String::as_str));
        nodes[from].command::<()>(&words);
    }
    let id = cluster.id(to);
    let others = (0..nodes.len()).filter(|node| *node != to && *node != from);
    for node in [to, from].into_iter().chain(others) {
        nodes[node].command::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", &id]);
    }
    // What nodes tell one another of the move before could undo the next one.
    std::thread::sleep(std::time::Duration::from_millis(50));
}

/// The slots of all entries, and who serves them.
fn slots(cluster: &RedisCluster, namespace: &str) -> HashSet<(usize, usize)> {
    let place = |id| {
        let entry = Service::entry(namespace, id);
        (cluster.slot(&entry), cluster.owner(&entry))
    };
    (0..MANY).map(place).collect()
}

#[tokio::test]
async fn a_slot_that_moves_takes_its_entries_along_and_level_one_begins_anew() {
    let cluster = RedisCluster::start(3);
    let (source, here, there, namespace) = pair(&cluster).await;
    here.settles().await;
    there.settles().await;
    let loads = source.loads();
    for (slot, owner) in slots(&cluster, &namespace) {
        migrate(&cluster, slot, owner, (owner + 1) % 3);
    }
    here.settles().await;
    there.settles().await;
    // Some calls met a node that had the slot no more.
    assert!(source.loads() - loads <= 4 * u64::from(MANY));
    source.changes();
    let Ok(()) = here.write_by_pattern().await;
    here.reads_all().await;
    there.sees_all().await;
    source.changes();
    for id in 0..MANY {
        let Ok(()) = there.write(id).await;
    }
    there.reads_all().await;
    here.sees_all().await;
}

/// Also the counter and the markers move.
#[tokio::test]
async fn the_slot_of_the_tags_moves() {
    let cluster = RedisCluster::start(3);
    let (source, here, there, namespace) = pair(&cluster).await;
    here.settles().await;
    let counter = format!("{namespace}:tag:{{{namespace}:tag}}:counter");
    let (slot, owner) = (cluster.slot(&counter), cluster.owner(&counter));
    migrate(&cluster, slot, owner, (owner + 1) % 3);
    here.settles().await;
    there.settles().await;
    for _ in 0..2 {
        source.changes();
        let Ok(()) = here.write_by_tag().await;
        here.reads_all().await;
        there.sees_all().await;
        source.changes();
        let Ok(()) = there.write_by_prefix().await;
        there.reads_all().await;
        here.sees_all().await;
    }
}

#[tokio::test]
async fn nothing_escapes_a_pattern_while_slots_move() {
    let cluster = Arc::new(RedisCluster::start(3));
    let (source, here, there, namespace) = pair(&cluster).await;
    here.settles().await;
    let over = Arc::new(AtomicBool::new(false));
    let mover = {
        let (cluster, over) = (Arc::clone(&cluster), Arc::clone(&over));
        let slots = slots(&cluster, &namespace);
        tokio::task::spawn_blocking(move || {
            for turn in 0.. {
                for (slot, owner) in &slots {
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    migrate(&cluster, *slot, (owner + turn) % 3, (owner + turn + 1) % 3);
                }
            }
        })
    };
    for _ in 0..10 {
        source.changes();
        let Ok(()) = here.write_by_pattern().await;
        here.reads_all().await;
    }
    over.store(true, Ordering::SeqCst);
    mover.await.unwrap();
    here.settles().await;
    there.settles().await;
    here.sees_all().await;
    there.sees_all().await;
}

/// A slot half of whose keys are on one node and half on another.
#[tokio::test]
async fn a_pattern_reaches_what_is_on_its_way() {
    let cluster = RedisCluster::start(2);
    let (_, here, _, namespace) = pair(&cluster).await;
    let cache = here.runtime.cache();
    let keys: Vec<String> = (0..10).map(|n| format!("half:{{x}}:{n}")).collect();
    let entries = keys.iter().map(|key| (key.as_str(), &1));
    let long = std::time::Duration::from_secs(600);
    cache.set_many(entries, long).await.unwrap();
    let full = format!("{namespace}:{}", keys[0]);
    let (slot, owner) = (cluster.slot(&full), cluster.owner(&full));
    let to = 1 - owner;
    begin(&cluster, slot, owner, to);
    let port = cluster.nodes()[to].port().to_string();
    for key in &keys[..5] {
        let key = format!("{namespace}:{key}");
        let words = ["MIGRATE", "127.0.0.1", &port, &key, "0", "5000"];
        cluster.nodes()[owner].command::<()>(&words);
    }
    assert_eq!(cache.clear("half:{x}:*").await.unwrap(), 10);
    finish(&cluster, slot, owner, to);
    for node in cluster.nodes() {
        let left: Vec<String> = node.command(&["KEYS", &format!("{namespace}:half:*")]);
        assert!(left.is_empty(), "{left:?}");
    }
}

#[tokio::test]
async fn a_failover_goes_on_with_nothing_old() {
    let cluster = RedisCluster::start_with(3, 3, 5_000);
    let (source, here, there, _) = pair(&cluster).await;
    here.settles().await;
    there.settles().await;
    for replica in 3..6 {
        let node = &cluster.nodes()[replica];
        node.command::<()>(&["CLUSTER", "FAILOVER"]);
        eventually("it is a primary", PATIENCE, async || {
            let role: String = node.command(&["INFO", "replication"]);
            role.contains("role:master")
        })
        .await;
        source.changes();
        let Ok(()) = here.write_by_tag().await;
        here.reads_all().await;
        there.sees_all().await;
        here.settles().await;
        source.changes();
        for id in 0..MANY {
            let Ok(()) = there.write(id).await;
        }
        there.reads_all().await;
        here.sees_all().await;
        there.settles().await;
    }
}
