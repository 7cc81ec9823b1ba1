//! A cluster whose nodes and slots move.

use cacheable_runtime::{Event, Runtime, StartAt};
use cacheable_tests::store::PATIENCE;
use cacheable_tests::{RedisCluster, RedisServer, eventually};

use super::{kept, message, next, on, version};

/// Moves a slot with its keys, as `redis-cli --cluster reshard` does.
fn migrate(cluster: &RedisCluster, slot: usize, from: usize, to: usize) {
    let (nodes, slot) = (cluster.nodes(), slot.to_string());
    let set = |node: &RedisServer, words: &[&str]| {
        node.command::<()>(&[&["CLUSTER", "SETSLOT", &slot], words].concat());
    };
    set(&nodes[to], &["IMPORTING", &cluster.id(from)]);
    set(&nodes[from], &["MIGRATING", &cluster.id(to)]);
    let port = nodes[to].port().to_string();
    loop {
        let keys: Vec<String> = nodes[from].command(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]);
        if keys.is_empty() {
            break;
        }
        let mut words = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
        words.extend(keys.iter().map(String::as_str));
        nodes[from].command::<()>(&words);
    }
    let id = cluster.id(to);
    let others = (0..nodes.len()).filter(|node| *node != to && *node != from);
    for node in [to, from].into_iter().chain(others) {
        set(&nodes[node], &["NODE", &id]);
    }
    // What nodes tell one another of the move before could undo the next one.
    std::thread::sleep(std::time::Duration::from_millis(50));
}

/// Published until it is heard: nodes learn of a move one after the other.
async fn arrives(runtime: &Runtime, channel: &str, number: u32) {
    eventually("somebody hears it", PATIENCE, async || {
        let heard = runtime.pubsub().publish_sharded(channel, &number).await;
        heard.is_ok_and(|heard| heard > 0)
    })
    .await;
}

/// P17
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p17_a_sharded_subscription_follows_its_slot() {
    let cluster = RedisCluster::start(3);
    if version(&cluster.nodes()[0]) < 7 {
        return;
    }
    let (here, there) = (on(&cluster.url()).await, on(&cluster.url()).await);
    let mut sharded = here
        .pubsub()
        .subscribe_sharded::<u32>("moves")
        .await
        .unwrap();
    // Over the same connection.
    let mut plain = here.pubsub().subscribe::<u32>("moves").await.unwrap();
    let (slot, owner) = (cluster.slot("moves"), cluster.owner("moves"));
    for turn in 0..3 {
        let (from, to) = ((owner + turn) % 3, (owner + turn + 1) % 3);
        arrives(&there, "moves", 1).await;
        while message(&mut sharded).await != 1 {}
        migrate(&cluster, slot, from, to);
        loop {
            match next(&mut sharded).await {
                Event::Gap { .. } => break,
                Event::Message { message, .. } => assert_eq!(message, 1),
                other => panic!("{other:?}"),
            }
        }
        let heard: Vec<(String, u64)> =
            cluster.nodes()[to].command(&["PUBSUB", "SHARDNUMSUB", "moves"]);
        assert_eq!(heard[0].1, 1);
        arrives(&there, "moves", 1).await;
        while message(&mut sharded).await != 1 {}
    }
    // The other subscription had nothing to do with it.
    there.pubsub().publish("moves", &9).await.unwrap();
    assert_eq!(message(&mut plain).await, 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_durable_stream_is_read_on_while_its_slot_moves() {
    let cluster = RedisCluster::start(3);
    let (here, there) = (on(&cluster.url()).await, on(&cluster.url()).await);
    let mut reader = here
        .pubsub()
        .durable("moves")
        .subscribe::<u32>(StartAt::Now)
        .await
        .unwrap();
    let stream = there.pubsub().durable("moves");
    let key = "stream:{moves}";
    let (slot, owner) = (cluster.slot(key), cluster.owner(key));
    for turn in 0..3 {
        let first = u32::try_from(turn).unwrap() * 100;
        for number in first..first + 100 {
            if number == first + 50 {
                migrate(&cluster, slot, (owner + turn) % 3, (owner + turn + 1) % 3);
            }
            stream.publish(&number).await.unwrap();
        }
        for number in first..first + 100 {
            assert_eq!(kept(&mut reader).await, number);
        }
    }
}

/// Channels that are not sharded are heard over any node.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_gone_hands_its_subscriptions_to_another() {
    let cluster = RedisCluster::start(3);
    let (here, there) = (on(&cluster.url()).await, on(&cluster.url()).await);
    let mut plain = here.pubsub().subscribe::<u32>("goes").await.unwrap();
    let mut pattern = here
        .pubsub()
        .subscribe_pattern::<u32>("goe*")
        .await
        .unwrap();
    let gone = cluster.owner("goes");
    let of_pattern = cluster.owner("goe*");
    cluster.nodes()[gone].kill();
    assert!(matches!(next(&mut plain).await, Event::Gap { .. }));
    if of_pattern == gone {
        assert!(matches!(next(&mut pattern).await, Event::Gap { .. }));
    }
    // Also the slot of its name is served by nobody.
    eventually("others pass it on", PATIENCE, async || {
        there.pubsub().publish("goes", &1).await.is_ok()
    })
    .await;
    assert_eq!(message(&mut plain).await, 1);
    assert_eq!(message(&mut pattern).await, 1);
}
