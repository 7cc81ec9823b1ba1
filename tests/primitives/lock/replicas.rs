//! A primary with a replica: what is acknowledged, and what a failover loses.

use std::time::Instant;

use cacheable_runtime::{ErrorKind, Release};
use cacheable_tests::store::{LONG, PATIENCE};
use cacheable_tests::{RedisServer, eventually};

use super::{SECOND, is_held, key, millis, on, with};

async fn pair() -> (RedisServer, RedisServer) {
    // A replica has its copy at once.
    let arguments = ["--repl-diskless-sync-delay", "0"];
    let primary = RedisServer::start_with(&arguments);
    let replica = RedisServer::start_with(&arguments);
    replica.command::<()>(&["REPLICAOF", "127.0.0.1", &primary.port().to_string()]);
    eventually("the replica has its copy", PATIENCE, async || {
        let info: String = replica.command(&["INFO", "replication"]);
        info.contains("master_link_status:up")
    })
    .await;
    (primary, replica)
}

/// L13
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_loses_the_lock_and_not_the_order_of_fences() {
    let (primary, replica) = pair().await;
    let key = key("failover", "name");
    let a = on(&primary.url(), "failover").await.locks();
    let earlier = a.try_acquire("name", LONG).await.unwrap().unwrap();
    assert_eq!(earlier.release().await.unwrap(), Release::Released);
    let paused = replica.pause();
    // What is written from here on is on its way to nobody.
    primary.command::<u8>(&["CLIENT", "KILL", "TYPE", "replica"]);
    let first = a
        .lock("name")
        .ttl(SECOND)
        .renew(true)
        .acquire()
        .await
        .unwrap();
    primary.kill();
    drop(paused);
    replica.command::<()>(&["REPLICAOF", "NO", "ONE"]);
    // The loss of the fence that the replica did not have is as if all of them
    // had been lost.
    assert!(!is_held(&replica, &key));
    replica.command::<u8>(&["DEL", &key]);
    let b = on(&replica.url(), "failover").await.locks();
    let second = b.try_acquire("name", LONG).await.unwrap();
    let second = second.expect("the lock was lost with its primary");
    assert!(second.fence() > first.fence());
    assert!(first.fence() > earlier.fence());
    // The first holder is told, by its own clock alone.
    let lost = tokio::time::timeout(PATIENCE, first.lost()).await;
    assert!(lost.unwrap().is_lock_lost());
    assert!(second.is_held());
}

/// L14
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_no_replica_acknowledges_is_not_given_out() {
    let (primary, replica) = pair().await;
    let key = key("acknowledged", "name");
    let locks = on(&primary.url(), "acknowledged").await.locks();
    let request = |replicas, patience| {
        let request = locks.lock("name").ttl(LONG).wait(PATIENCE);
        request.wait_replicas(replicas, patience)
    };
    let guard = request(1, PATIENCE).acquire().await.unwrap();
    assert!(is_held(&primary, &key) && is_held(&replica, &key));
    assert!(guard.remaining() > LONG / 2);
    assert!(request(1, PATIENCE).try_acquire().await.unwrap().is_none());
    assert_eq!(guard.release().await.unwrap(), Release::Released);

    let paused = replica.pause();
    let began = Instant::now();
    for wants in [1, 2] {
        let error = request(wants, millis(300)).acquire().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Replicas, "{error}");
        assert!(
            error
                .to_string()
                .starts_with(&format!("0 of {wants} replicas"))
        );
        assert!(!is_held(&primary, &key));
    }
    assert!(began.elapsed() < 10 * SECOND);
    // The control: who does not ask for it is given it.
    let guard = request(0, millis(300)).acquire().await.unwrap();
    assert_eq!(guard.release().await.unwrap(), Release::Released);
    drop(paused);
    let error = request(2, millis(300)).try_acquire().await.unwrap_err();
    assert!(error.to_string().starts_with("1 of 2 replicas"), "{error}");
    // The connections that were opened for it are closed.
    eventually("there is none left", PATIENCE, async || {
        let clients: String = primary.command(&["CLIENT", "LIST", "TYPE", "normal"]);
        clients
            .lines()
            .filter(|client| client.contains("cmd=wait"))
            .count()
            == 0
    })
    .await;
}

/// L30
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_is_an_error_and_never_a_held_lock() {
    let (primary, replica) = pair().await;
    let locks = with(&replica.url(), "replica", |builder| builder)
        .await
        .locks();
    let error = locks.try_acquire("name", SECOND).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Topology, "{error}");
    let error = locks
        .acquire("name", SECOND, millis(300))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Topology, "{error}");
    // A primary that becomes a replica while it is used.
    let locks = on(&primary.url(), "replica").await.locks();
    let guard = locks.try_acquire("name", LONG).await.unwrap().unwrap();
    primary.command::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    let error = locks.try_acquire("other", SECOND).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Topology, "{error}");
    let error = guard.extend(LONG).await.unwrap_err();
    assert!(error.is_unavailable() && guard.is_held(), "{error}");
    // It is one again while somebody waits.
    let waits = tokio::spawn(async move { locks.acquire("other", SECOND, PATIENCE).await });
    primary.command::<()>(&["REPLICAOF", "NO", "ONE"]);
    drop(waits.await.unwrap().unwrap());
}
