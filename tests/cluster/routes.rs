//! Every operation goes to the node that serves its keys.

use std::collections::HashSet;
use std::time::Duration;

use cacheable_runtime::{Policy, Runtime};
use cacheable_tests::{RedisCluster, RedisServer};

use crate::service::{MANY, PATIENCE, Service, builder, pair};

const LONG: Duration = Duration::from_secs(600);

fn errors(service: &Service) -> (u64, u64) {
    let total = service.runtime.observe().total();
    (total.remote_errors, total.invalidation_errors)
}

#[tokio::test]
async fn entries_on_every_node_are_loaded_once() {
    let cluster = RedisCluster::shared();
    let (source, here, there, namespace) = pair(cluster).await;
    let owners: HashSet<_> = (0..MANY)
        .map(|id| cluster.owner(&Service::entry(&namespace, id)))
        .collect();
    assert_eq!(owners.len(), 3);
    here.reads_all().await;
    there.reads_all().await;
    assert_eq!(source.loads(), u64::from(MANY));
    assert_eq!(there.counts().hits_remote, u64::from(MANY));
    for service in [&here, &there] {
        let before = service.counts().hits_local;
        service.reads_all().await;
        assert_eq!(service.counts().hits_local - before, u64::from(MANY));
        assert_eq!(errors(service), (0, 0));
    }
    let stored = |id| -> u64 {
        let entry = Service::entry(&namespace, id);
        cluster.nodes()[cluster.owner(&entry)].command(&["EXISTS", &entry])
    };
    assert_eq!((0..MANY).map(stored).sum::<u64>(), u64::from(MANY));
}

#[tokio::test]
async fn whatever_removes_is_seen_by_both() {
    let (source, here, there, _) = pair(RedisCluster::shared()).await;
    for turn in 0..6 {
        here.reads_all().await;
        there.reads_all().await;
        source.changes();
        let Ok(()) = match turn {
            0 => {
                for id in 0..MANY {
                    let Ok(()) = here.write(id).await;
                }
                Ok(())
            }
            1 => {
                for id in (0..MANY).step_by(3) {
                    let Ok(()) = here.write_three(id, id + 1, id + 2).await;
                }
                Ok(())
            }
            2 => here.write_by_pattern().await,
            3 => here.write_by_prefix().await,
            4 => here.write_by_tag().await,
            _ => {
                for id in 0..MANY {
                    let Ok(_) = here.replace(id, source.version()).await;
                }
                Ok(())
            }
        };
        here.reads_all().await;
        there.sees_all().await;
        let loads = source.loads();
        here.reads_all().await;
        there.reads_all().await;
        assert_eq!(source.loads(), loads, "turn {turn}: nothing was kept");
    }
    assert_eq!((errors(&here), errors(&there)), ((0, 0), (0, 0)));
}

#[tokio::test]
async fn several_keys_at_once_are_split() {
    let cluster = RedisCluster::shared();
    let runtime = builder(cluster, &cluster.namespace()).build().await;
    let cache = runtime.unwrap().cache();
    let mut keys: Vec<String> = (0..100).map(|number| format!("many:{number}")).collect();
    // Keys of one slot, and keys whose braces are no tag.
    keys.extend((0..50).map(|number| format!("many:{{same}}:{number}")));
    keys.extend(["many:{", "many:}", "many:{}{a}", "many:}{"].map(str::to_owned));
    let entries: Vec<_> = keys.iter().enumerate().collect();
    let entries = entries.iter().map(|(value, key)| (key.as_str(), value));
    cache.set_many(entries, LONG).await.unwrap();
    let found = cache.get_many::<usize, _>(keys.iter().map(String::as_str));
    let expected: Vec<_> = (0..keys.len()).map(Some).collect();
    assert_eq!(found.await.unwrap(), expected);
    assert_eq!(cache.clear("many:{same}:*").await.unwrap(), 50);
    assert_eq!(cache.clear("many:*9").await.unwrap(), 10);
    assert_eq!(cache.clear("many:*").await.unwrap(), 94);
    assert_eq!(cache.clear("many:*").await.unwrap(), 0);
}

#[tokio::test]
async fn values_of_any_size_are_kept_under_keys_of_any_form() {
    let cluster = RedisCluster::shared();
    let runtime = builder(cluster, &cluster.namespace()).build().await;
    let runtime = runtime.unwrap();
    let cache = runtime.cache();
    let policy = || Policy::new(LONG).tag("all");
    for key in ["plain", "a:{tag}:b", "a{b", "a}b", "a{}b{c}", "}{", "{{a}}"] {
        for size in [10, 100_000] {
            let key = format!("form:{size}:{key}");
            let load = |byte: u8| {
                let key = key.clone();
                let cache = &cache;
                async move {
                    let load = move || async move { Ok::<_, String>(vec![byte; size]) };
                    cache.get_or_load(key, policy(), load).await.unwrap()
                }
            };
            assert_eq!(load(1).await[0], 1);
            assert_eq!(load(2).await[0], 1, "{key} was not kept");
            assert!(cache.inspect(&*key).await.unwrap().is_some());
            assert!(cache.remove(&*key).await.unwrap());
            assert_eq!(load(3).await[0], 3);
        }
    }
    assert_eq!(runtime.observe().total().remote_errors, 0);
}

#[tokio::test]
async fn nodes_that_forgot_the_scripts_are_given_them_again() {
    let cluster = RedisCluster::start(3);
    let (source, here, there, _) = pair(&cluster).await;
    let forget = || {
        for node in cluster.nodes() {
            node.command::<()>(&["SCRIPT", "FLUSH"]);
        }
    };
    for turn in 0..3 {
        forget();
        here.reads_all().await;
        source.changes();
        forget();
        let Ok(()) = match turn {
            0 => here.write_by_prefix().await,
            1 => here.write_by_tag().await,
            _ => here.write_by_pattern().await,
        };
        forget();
        there.sees_all().await;
    }
    assert_eq!((errors(&here), errors(&there)), ((0, 0), (0, 0)));
}

/// Keys that a script reads and did not declare would be an error of the only
/// node that has all slots just as well.
#[tokio::test]
async fn a_cluster_may_have_one_node() {
    let cluster = RedisCluster::start(1);
    let (source, here, there, _) = pair(&cluster).await;
    here.reads_all().await;
    source.changes();
    let Ok(()) = here.write_by_prefix().await;
    there.sees_all().await;
    source.changes();
    let Ok(()) = here.write_by_pattern().await;
    there.sees_all().await;
    assert_eq!((errors(&here), errors(&there)), ((0, 0), (0, 0)));
}

#[tokio::test]
async fn a_wrong_kind_of_address_says_what_to_write() {
    let (cluster, server) = (RedisCluster::start(1), RedisServer::shared());
    let error = async |url: String| {
        let runtime = Runtime::builder().redis(url).connect_timeout(PATIENCE);
        let runtime = runtime.require_connection().build().await;
        runtime.unwrap_err().to_string()
    };
    let single = error(format!("redis+cluster://127.0.0.1:{}", server.port())).await;
    assert!(single.contains("write its address as redis://"), "{single}");
    // A node that has the slot of the counter does not say that it is one.
    let slots: Vec<String> = (0..16_384).map(|slot| slot.to_string()).collect();
    let node = &cluster.nodes()[0];
    let mut words = vec!["CLUSTER", "DELSLOTS"];
    words.extend(slots.iter().map(String::as_str));
    node.command::<()>(&words);
    let url = format!("redis+cluster://127.0.0.1:{}", node.port());
    let unserved = error(url).await;
    assert!(unserved.contains("CLUSTER INFO"), "{unserved}");
}
