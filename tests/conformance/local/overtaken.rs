//! Questions, their answers, and what comes between.

use cacheable_runtime::Runtime;
use cacheable_tests::{Of, Proxy, RedisServer, Seen, eventually};
use tokio::task::JoinHandle;

use super::Service;
use crate::stores::PATIENCE;

async fn on(url: String) -> Runtime {
    let builder = Runtime::builder().redis(url).budget(PATIENCE);
    let runtime = builder.require_connection().build().await;
    runtime.expect("the server is up")
}

/// The server answers, then tells that it is old; the network brings the
/// second before the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_comes_after_its_push_is_not_kept() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let writer = Service::new(on(server.url()).await);
    let reader = writer.over(on(proxy.url()).await);
    // So that the reader knows the tags.
    reader.read(9).await;
    let mut version = 1;
    let rounds = [false, true]
        .into_iter()
        .flat_map(|leases| ["key", "tag", "pattern"].map(|way| (way, leases)));
    for (first, (way, leases)) in (10..).step_by(10).zip(rounds) {
        // A text holds up what comes behind it, so there is one of them.
        let ids = first..first + if leases { 1 } else { 5 };
        let questions = |seen: &Seen| seen.keys_asked + seen.command("EVALSHA");
        let unanswered = |seen: &Seen| seen.total() - seen.replies;
        if leases {
            // It knows the tags and has removed the entry. Then it asks for a lease,
            // and finds that there is something.
            assert_eq!(reader.read(first).await, version);
            let cache = reader.runtime.cache();
            cache.remove(Service::read_key(first)).await.unwrap();
            proxy.hold_texts(Of::Tracked);
        } else {
            proxy.hold_replies(Of::Tracked);
        }
        for id in ids.clone() {
            assert_eq!(writer.read(id).await, version);
        }
        let before = proxy.seen();
        let asked = questions(&before) + ids.len() as u64;
        let reads: Vec<_> = ids.clone().map(|id| spawn_read(&reader, id)).collect();
        eventually("the server has answered", PATIENCE, async || {
            let seen = proxy.seen();
            questions(&seen) >= asked && unanswered(&seen) <= unanswered(&before)
        })
        .await;
        let leases_asked = proxy.seen().command("SET") - before.command("SET");
        assert_eq!(leases_asked, u64::from(leases));
        let told = proxy.seen().invalidations;
        version += 1;
        match way {
            "key" => {
                writer.write();
                for id in ids.clone() {
                    let entry = Service::read_key(id);
                    assert!(writer.runtime.cache().remove(entry).await.unwrap());
                }
            }
            "tag" => {
                writer.write();
                writer.runtime.cache().invalidate_tag("all").await.unwrap();
            }
            _ => writer.update_matching().await,
        }
        eventually("the server has told of it", PATIENCE, async || {
            proxy.seen().invalidations > told
        })
        .await;
        proxy.release();
        for (id, read) in ids.zip(reads) {
            // It began before, so it may have either.
            read.await.unwrap();
            assert_eq!(reader.read(id).await, version, "{way}, {leases}");
            assert_eq!(reader.read(id).await, version, "{way}, {leases}");
        }
    }
}

fn spawn_read(reader: &Service, id: u32) -> JoinHandle<u64> {
    let reader = reader.clone();
    tokio::spawn(async move { reader.read(id).await })
}

/// Nobody holds what is loaded for the first time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_loaded_is_not_told_of() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let here = Service::new(on(proxy.url()).await);
    let there = here.over(on(server.url()).await);
    here.remote(0).await;
    let told = proxy.seen().invalidations;
    for id in 1..=100 {
        here.remote(id).await;
        there.remote(100 + id).await;
        there.remote(id).await;
        here.remote(100 + id).await;
    }
    assert_eq!(here.loads(), 201);
    let entry = |id| Service::remote_key(id);
    there.runtime.cache().remove(entry(1)).await.unwrap();
    eventually("one is told of", PATIENCE, async || {
        proxy.seen().invalidations > told
    })
    .await;
    assert_eq!(proxy.seen().invalidations, told + 1);
}
