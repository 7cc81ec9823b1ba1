//! What other processes, and this one, make out of date.

use cacheable_runtime::{Policy, Runtime};
use cacheable_tests::{RedisServer, eventually};

use super::Service;
use crate::on_every_store;
use crate::stores::{LONG, PATIENCE, Store};

on_every_store![
    what_one_process_removes_is_gone_from_the_others,
    what_one_process_stores_is_read_by_the_others,
    what_a_process_has_loaded_after_its_own_removal_stays,
    what_nobody_holds_is_not_loaded_by_a_removal,
    a_removal_leaves_the_other_entries_alone,
];

/// The ways to write a new version and make the old one out of date.
const WRITES: [&str; 7] = ["key", "prefix", "pattern", "tag", "every tag", "put", "set"];

async fn write(s: &Service, way: &str) {
    let cache = s.runtime.cache();
    match way {
        "key" => s.update(7).await,
        "prefix" => s.update_all().await,
        "pattern" => s.update_matching().await,
        "tag" => s.update_group(7).await,
        "every tag" => {
            s.write();
            cache.invalidate_tag("all").await.unwrap();
        }
        "put" => drop(s.put(7).await),
        _ => {
            let version = s.write();
            cache
                .set(Service::read_key(7), &version, LONG)
                .await
                .unwrap();
        }
    }
}

/// Two processes that have the value at level 1.
async fn two(store: &Store) -> (Service, Service) {
    let runtime = store.runtime().await;
    let here = Service::new(runtime);
    let there = here.over(store.beside(&here.runtime).await);
    for service in [&here, &there] {
        eventually("it has the value", PATIENCE, async || {
            let before = service.counts("read").hits_local;
            service.read(7).await;
            service.counts("read").hits_local > before
        })
        .await;
    }
    assert_eq!(here.loads(), 1);
    (here, there)
}

async fn what_one_process_removes_is_gone_from_the_others(store: Store) {
    for way in WRITES {
        let (here, there) = two(&store.neighbour()).await;
        for version in 2..5 {
            write(&here, way).await;
            assert_eq!(here.read(7).await, version, "{way}: its own write");
            eventually(way, PATIENCE, async || there.read(7).await == version).await;
            // And never the old one again.
            for _ in 0..3 {
                assert_eq!(there.read(7).await, version, "{way}");
                assert_eq!(here.read(7).await, version, "{way}");
            }
        }
    }
}

async fn what_one_process_stores_is_read_by_the_others(store: Store) {
    for way in ["put", "set"] {
        let (here, there) = two(&store.neighbour()).await;
        write(&here, way).await;
        eventually(way, PATIENCE, async || there.read(7).await == 2).await;
        assert_eq!(here.read(7).await, 2);
        assert_eq!(here.loads(), 1, "{way}: nobody has loaded");
    }
}

/// The server tells this process of its own removal, too; what came after it
/// is not meant.
async fn what_a_process_has_loaded_after_its_own_removal_stays(store: Store) {
    for way in ["key", "prefix", "pattern", "tag"] {
        let (here, _) = two(&store.neighbour()).await;
        for turn in 0..10 {
            write(&here, way).await;
            if store.is_cluster() {
                // Another node than the entry's tells of tags, maybe later than the
                // entry is loaded, and that costs a look-up.
                is_told(&here, turn).await;
            }
            here.read(7).await;
            let before = here.counts("read");
            for _ in 0..10 {
                here.read(7).await;
            }
            let counts = here.counts("read");
            assert_eq!(
                counts.hits_local,
                before.hits_local + 10,
                "{way}: {before:?}, then {counts:?}"
            );
        }
        assert_eq!(here.loads(), 11, "{way}");
    }
}

/// It has been told of all that was done to tags: the marker of a new one is asked
/// for where all of them are, and the answer comes behind that.
async fn is_told(s: &Service, turn: u32) {
    let policy = Policy::new(LONG).tag(format!("new {turn}"));
    let load = async || Ok::<_, ()>(turn);
    let cache = s.runtime.cache();
    let loaded = cache.get_or_load(format!("new:{turn}"), policy, load).await;
    assert_eq!(loaded, Ok(turn));
}

async fn what_nobody_holds_is_not_loaded_by_a_removal(store: Store) {
    let (here, there) = two(&store).await;
    here.update(8).await;
    here.update_group(8).await;
    here.update_group(7).await;
    eventually("it has heard of the last", PATIENCE, async || {
        there.read(7).await == 4
    })
    .await;
    assert_eq!(here.loads(), 2);
    let entry = there.runtime.cache().inspect(Service::read_key(8)).await;
    assert!(entry.unwrap().is_none());
}

async fn a_removal_leaves_the_other_entries_alone(store: Store) {
    let (here, there) = two(&store).await;
    for service in [&here, &there] {
        for _ in 0..2 {
            service.read(8).await;
            service.brief(7).await;
        }
    }
    let loads = here.loads();
    here.update(7).await;
    eventually("it is gone", PATIENCE, async || there.read(7).await == 2).await;
    for service in [&here, &there] {
        let before = service.counts("read").hits_local;
        assert_eq!(service.read(8).await, 1);
        assert_eq!(service.counts("read").hits_local, before + 1);
    }
    assert_eq!(here.loads(), loads + 1);
}

#[tokio::test]
async fn a_server_that_is_flushed_empties_it() {
    let server = RedisServer::start();
    let on = || {
        let builder = Runtime::builder().redis(server.url()).budget(PATIENCE);
        builder.require_connection().build()
    };
    let s = Service::new(on().await.unwrap());
    assert_eq!(s.read(7).await, 1);
    assert_eq!(s.read(7).await, 1);
    s.write();
    server.command::<()>(&["FLUSHALL"]);
    eventually("it has heard of it", PATIENCE, async || {
        s.read(7).await == 2
    })
    .await;
    assert_eq!(s.loads(), 2);
    for _ in 0..3 {
        s.read(7).await;
    }
    assert_eq!(s.loads(), 2);
}
