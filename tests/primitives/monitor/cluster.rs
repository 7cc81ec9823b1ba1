//! Figures of a cluster: of each node, and together.

use cacheable_runtime::{Finding, Runtime};
use cacheable_tests::store::PATIENCE;
use cacheable_tests::{RedisCluster, eventually};

use super::{OFTEN, next, read};

async fn on(cluster: &RedisCluster) -> Runtime {
    let builder = Runtime::builder()
        .redis(cluster.url())
        .namespace(cluster.namespace())
        .budget(PATIENCE);
    let runtime = builder.require_connection().build().await;
    runtime.expect("the cluster is up")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_node_tells_and_sums_are_theirs() {
    let cluster = RedisCluster::shared();
    let runtime = on(cluster).await;
    let mut monitor = runtime.monitor(OFTEN);
    next(&mut monitor).await;
    for key in 0..30 {
        read(&runtime, &key.to_string()).await;
    }
    let stats = next(&mut monitor).await;
    assert_eq!(stats.nodes.len(), 3);
    let mut used = 0;
    for node in &stats.nodes {
        let server = node.server.as_ref().unwrap();
        used += server.memory.used.unwrap();
        assert!(node.slow_log.is_ok());
        assert!(node.changes.as_ref().unwrap().counters.commands > Some(0));
    }
    let server = stats.server().unwrap();
    assert_eq!((server.memory.used, server.memory.peak), (Some(used), None));
    assert!(server.keys >= Some(30));
    assert!(server.run_id.is_none() && server.version.is_some());
    let changes = stats.changes().unwrap();
    // A method that finds nothing stops looking before that.
    assert!(changes.counters.misses >= Some(10), "{changes:?}");
    assert!(changes.per_second(changes.counters.commands) > Some(0.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_walk_goes_over_all_nodes() {
    let cluster = RedisCluster::start(3);
    let runtime = on(&cluster).await;
    for key in 0..30 {
        read(&runtime, &key.to_string()).await;
    }
    let report = runtime.big_keys().top(100).run().await.unwrap();
    let entries = report.keys.iter().filter(|key| !key.key.contains("tag"));
    let nodes: std::collections::BTreeSet<&str> =
        report.keys.iter().map(|key| key.node.as_str()).collect();
    assert_eq!((entries.count(), nodes.len()), (30, 3), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_away_is_marked_and_the_others_tell() {
    let cluster = RedisCluster::start(3);
    let runtime = on(&cluster).await;
    let mut monitor = runtime.monitor(OFTEN);
    assert!(next(&mut monitor).await.is_available());
    cluster.nodes()[1].kill();
    let port = cluster.nodes()[1].port().to_string();
    eventually("the loss is told", PATIENCE, async || {
        let stats = next(&mut monitor).await;
        let away: Vec<_> = stats
            .nodes
            .iter()
            .filter(|node| !node.is_available())
            .collect();
        away.len() == 1
            && away[0].address.contains(&port)
            && stats.nodes.len() == 3
            && stats.server().is_some()
            && matches!(&stats.findings()[..], [Finding::Away { .. }])
    })
    .await;
    // Something is known, so a sample by itself is no error.
    assert!(!runtime.stats().await.unwrap().is_available());
}
