//! A node is away, or all are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cacheable_runtime::Runtime;
use cacheable_tests::store::LONG;
use cacheable_tests::{RedisCluster, eventually, hung_load};

use crate::service::{MANY, PATIENCE, Service, Source, builder, pair};

#[tokio::test]
async fn a_node_that_is_killed_takes_only_its_keys_along() {
    let cluster = RedisCluster::start_with(3, 0, 1_500);
    let (source, here, there, namespace) = pair(&cluster).await;
    here.settles().await;
    there.settles().await;
    // Not the one with the tags, which all entries here need.
    let counter = format!("{namespace}:tag:{{{namespace}:tag}}:counter");
    let dead = (cluster.owner(&counter) + 1) % 3;
    let is_dead = |id| cluster.owner(&Service::entry(&namespace, id)) == dead;
    let alive: Vec<u32> = (0..MANY).filter(|id| !is_dead(*id)).collect();
    cluster.nodes()[dead].kill();
    for _ in 0..3 {
        source.changes();
        let Ok(()) = here.write_by_tag().await;
        here.reads_all().await;
        there.sees_all().await;
    }
    // Longer than what is kept here while something is away.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let (loads, hits) = (source.loads(), here.counts().hits_remote);
    for id in &alive {
        let Ok(_) = here.read(*id).await;
    }
    assert_eq!(source.loads(), loads, "the others are cached");
    assert_eq!(here.counts().hits_remote - hits, alive.len() as u64);
    let health = here.runtime.health().unwrap_err().to_string();
    let port = cluster.nodes()[dead].port().to_string();
    assert!(health.contains(&port), "{health}");
    // By keys: those of the node that is away are removed when it is back.
    source.changes();
    for id in 0..MANY {
        let Ok(()) = here.write(id).await;
    }
    here.reads_all().await;
    cluster.nodes()[dead].restart();
    cluster.agree();
    here.settles().await;
    there.settles().await;
    here.sees_all().await;
    there.sees_all().await;
}

/// The one with the tags.
#[tokio::test]
async fn a_primary_that_dies_is_replaced_by_its_replica() {
    let cluster = RedisCluster::start_with(3, 3, 1_500);
    let (source, here, there, namespace) = pair(&cluster).await;
    here.settles().await;
    there.settles().await;
    let counter = format!("{namespace}:tag:{{{namespace}:tag}}:counter");
    cluster.nodes()[cluster.owner(&counter)].kill();
    for _ in 0..5 {
        source.changes();
        let Ok(()) = here.write_by_tag().await;
        here.reads_all().await;
    }
    here.settles().await;
    there.settles().await;
    here.sees_all().await;
    there.sees_all().await;
    source.changes();
    let Ok(()) = there.write_by_tag().await;
    there.reads_all().await;
    here.sees_all().await;
}

#[tokio::test]
async fn a_node_that_is_stuck_costs_others_nothing() {
    let cluster = RedisCluster::start_with(3, 0, 60_000);
    let namespace = cluster.namespace();
    let source = Arc::new(Source::default());
    let budget = Duration::from_millis(200);
    let here = Service::on(builder(&cluster, &namespace).budget(budget), &source).await;
    here.settles().await;
    let counter = format!("{namespace}:tag:{{{namespace}:tag}}:counter");
    let stuck = (cluster.owner(&counter) + 1) % 3;
    // Asked before, since the one that says it may be the one that is stuck.
    let owners: Vec<usize> = (0..MANY)
        .map(|id| cluster.owner(&Service::entry(&namespace, id)))
        .collect();
    let is_stuck = |id: &u32| owners[*id as usize] == stuck;
    let paused = cluster.nodes()[stuck].pause();
    tokio::time::sleep(Duration::from_secs(3)).await;
    // Three of them find out.
    let began = Instant::now();
    let ids: Vec<u32> = (0..MANY).cycle().filter(is_stuck).take(40).collect();
    for id in ids {
        let Ok(_) = here.read(id).await;
    }
    let took = began.elapsed();
    assert!(took < budget * 20, "{took:?}: it is asked again and again");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let (loads, alive) = (source.loads(), (0..MANY).filter(|id| !is_stuck(id)));
    for id in alive {
        let Ok(_) = here.read(id).await;
    }
    assert!(source.loads() - loads <= 2, "the others are cached");
    drop(paused);
    here.settles().await;
}

#[tokio::test]
async fn a_cluster_that_is_absent_at_the_start_is_used_when_it_comes() {
    let cluster = RedisCluster::start_with(3, 0, 1_500);
    for node in cluster.nodes() {
        node.kill();
    }
    let source = Arc::new(Source::default());
    let lenient = Runtime::builder()
        .redis(cluster.url())
        .namespace(cluster.namespace());
    let began = Instant::now();
    let here = Service::on(lenient, &source).await;
    assert!(began.elapsed() < Duration::from_secs(5));
    here.reads_all().await;
    assert!(here.runtime.health().is_err());
    for node in cluster.nodes() {
        node.restart();
    }
    cluster.agree();
    here.settles().await;
    here.runtime.shutdown(PATIENCE).await;
    let Ok(_) = here.read(1).await;
}

/// Level 1 of one process is cleared by a connection that is lost to any node.
#[tokio::test]
async fn a_lost_connection_clears_level_one() {
    let cluster = RedisCluster::start(3);
    let (_, here, _, _) = pair(&cluster).await;
    here.settles().await;
    for node in cluster.nodes() {
        let before = here.counts();
        node.command::<()>(&["CLIENT", "KILL", "TYPE", "normal"]);
        eventually("all is asked for again", PATIENCE, async || {
            here.reads_all().await;
            let now = here.counts();
            now.hits_remote + now.loads - before.hits_remote - before.loads >= u64::from(MANY)
        })
        .await;
        here.settles().await;
    }
}

/// A lease that was given up while its node was away is removed once that is back,
/// though another one stays away whose lease was given up before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_of_a_node_that_is_back_do_not_wait_for_another_one() {
    // Longer than this takes: nobody takes a node for lost.
    let cluster = RedisCluster::start_with(3, 0, 120_000);
    let namespace = cluster.namespace();
    let runtime = builder(&cluster, &namespace).lease(LONG).build();
    let runtime = runtime.await.unwrap();
    let of_node = |node, most| -> Vec<String> {
        let names = (0..).map(|number| format!("name {number}"));
        let its = names.filter(|name| cluster.owner(&format!("{namespace}:{name}")) == node);
        its.take(most).collect()
    };
    // The third one has the markers.
    let counter = format!("{namespace}:tag:{{{namespace}:tag}}:counter");
    let third = cluster.owner(&counter);
    let [dead, paused] = [1, 2].map(|step| (third + step) % 3);
    // More than are removed at once are in its way.
    let names = [of_node(dead, 40), of_node(paused, 1)].concat();
    let (cache, mut calls) = (runtime.cache(), Vec::new());
    for name in &names {
        calls.push((name, hung_load(&cache, name).await));
    }
    let key = format!("{namespace}:{}", names[40]);
    let has_lease = || cluster.nodes()[paused].command::<u8>(&["EXISTS", &key]) == 1;
    assert!(has_lease());
    cluster.nodes()[dead].kill();
    let stopped = cluster.nodes()[paused].pause();
    for (name, call) in calls {
        eventually("it is left alone", PATIENCE, async || {
            // Nothing is sent to it from then on.
            let found = cache.inspect(name).await;
            found.is_err_and(|error| !error.to_string().contains("did not answer"))
        })
        .await;
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
    }
    drop(stopped);
    eventually("it is removed", PATIENCE, async || !has_lease()).await;
}
