//! Whatever lies under a key of ours: a miss, never a wrong value or an error.

use std::sync::Arc;
use std::time::Duration;

use cacheable_runtime::Policy;
use cacheable_tests::{RedisServer, eventually};
use fastrand::Rng;
use redis::{Commands, Connection, CopyOptions};
use tokio::task::JoinSet;

use crate::service::{PATIENCE, Service, level_two};
use crate::wire::calls;

/// Puts `bytes` under the entry's key, and expects a load and then its value.
async fn is_a_miss(service: &Service, connection: &mut Connection, bytes: &[u8]) {
    let undecodable = service.counts().undecodable;
    let () = connection
        .pset_ex(Service::entry(1), bytes, 600_000)
        .unwrap();
    service.loaded(1).await;
    let loads = service.loads();
    assert_eq!(service.read(1).await.unwrap(), loads, "it was not replaced");
    assert_eq!(service.loads(), loads, "it was not replaced");
    assert_eq!(service.counts().undecodable, undecodable + 1);
}

async fn entry(service: &Service, connection: &mut Connection, id: u32) -> Vec<u8> {
    service.read(id).await.unwrap();
    connection.get(Service::entry(id)).unwrap()
}

#[tokio::test]
async fn arbitrary_bytes_are_a_miss() {
    let server = RedisServer::start();
    let service = Service::on(&server).await;
    let mut connection = server.connect();
    let good = entry(&service, &mut connection, 1).await;
    let mut random = Rng::with_seed(7);
    let mut cases: Vec<Vec<u8>> = ["", "\0", "text", "{\"json\":1}", "17", "\u{e9}"]
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect();
    for length in [1, 27, 28, 29, 63, 64, 72, 80, 1_000] {
        for _ in 0..20 {
            let mut bytes: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
            cases.push(bytes.clone());
            // What begins as ours is looked at more closely.
            for (ours, byte) in good.iter().zip(&mut bytes).take(random.usize(3..12)) {
                *byte = *ours;
            }
            cases.push(bytes);
        }
    }
    for bytes in &cases {
        is_a_miss(&service, &mut connection, bytes).await;
    }
}

#[tokio::test]
async fn an_entry_that_was_cut_or_extended_is_a_miss() {
    let server = RedisServer::start();
    let service = Service::on(&server).await;
    let mut connection = server.connect();
    let good = entry(&service, &mut connection, 1).await;
    for length in 0..good.len() {
        is_a_miss(&service, &mut connection, &good[..length]).await;
        is_a_miss(&service, &mut connection, &good[good.len() - length..]).await;
    }
    for more in [&b"\0"[..], &good, &[0xff; 100]] {
        is_a_miss(&service, &mut connection, &[&good, more].concat()).await;
    }
    // The control: the entry itself is none.
    let () = connection
        .pset_ex(Service::entry(1), &good, 600_000)
        .unwrap();
    let loads = service.loads();
    assert_eq!(service.read(1).await.unwrap(), 1);
    assert_eq!(service.loads(), loads);
}

#[tokio::test]
async fn an_entry_with_any_bit_flipped_is_a_miss() {
    let server = RedisServer::start();
    let service = Service::on(&server).await;
    let mut connection = server.connect();
    let good = entry(&service, &mut connection, 1).await;
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        is_a_miss(&service, &mut connection, &bytes).await;
    }
}

#[tokio::test]
async fn an_entry_of_another_key_is_a_miss() {
    let server = RedisServer::start();
    let service = Service::on(&server).await;
    let mut connection = server.connect();
    let other = entry(&service, &mut connection, 2).await;
    is_a_miss(&service, &mut connection, &other).await;
    // Also one of another type, under a key of one's own.
    let cache = service.runtime.cache();
    let life = Duration::from_secs(600);
    cache.set("text", "17", life).await.unwrap();
    let () = connection
        .copy("text", "number", CopyOptions::default())
        .unwrap();
    assert_eq!(cache.get::<u64>("text").await.unwrap(), None);
    assert_eq!(cache.get::<String>("number").await.unwrap(), None);
    assert_eq!(cache.get::<String>("text").await.unwrap().unwrap(), "17");
}

#[tokio::test]
async fn a_key_of_another_kind_hides_no_value() {
    let server = RedisServer::start();
    let service = Service::on(&server).await;
    let mut connection = server.connect();
    let _: u64 = connection.rpush(Service::entry(1), "item").unwrap();
    service.loaded(1).await;
    service.loaded(1).await;
    assert_eq!(service.counts().remote_errors, 2);
    let cache = service.runtime.cache();
    let error = cache.get::<u64>(Service::read_key(1)).await;
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with("WRONGTYPE"), "{error}");
    // It is not ours to remove, unless we are asked to.
    let items: u64 = connection.llen(Service::entry(1)).unwrap();
    assert_eq!(items, 1);
    service.write(1).await.unwrap();
    service.heals(1).await;
}

#[tokio::test]
async fn a_key_of_another_kind_is_a_miss_by_itself_among_many_that_are_asked_for_at_once() {
    const MANY: u32 = 32;
    let server = RedisServer::start();
    let service = Service::on(&server).await;
    let mut connection = server.connect();
    let _: u64 = connection.rpush(Service::entry(0), "item").unwrap();
    let mut values = Vec::new();
    for id in 1..=MANY {
        values.push(service.read(id).await.unwrap());
        // Or the method would be taken for one that finds nothing, and not ask.
        service.read(id).await.unwrap();
    }
    let before = calls(&server, "get");
    let service = Arc::new(service);
    let mut reads = JoinSet::new();
    for id in 0..=MANY {
        let service = Arc::clone(&service);
        reads.spawn(async move { (id, service.read(id).await.unwrap()) });
    }
    let mut read = reads.join_all().await;
    read.sort_unstable();
    let alone = calls(&server, "get") - before;
    assert!(alone < u64::from(MANY) / 2, "{alone} were asked for alone");
    assert_eq!(read.remove(0).1, u64::from(MANY) + 1, "its body ran");
    let expected = (1..=MANY).zip(values);
    assert!(read.into_iter().eq(expected), "the others are answered");
    assert_eq!(service.counts().remote_errors, 1);
    let items: u64 = connection.llen(Service::entry(0)).unwrap();
    assert_eq!(items, 1);
}

#[tokio::test]
async fn an_entry_that_the_server_keeps_too_long_is_a_miss() {
    let server = RedisServer::start();
    let builder = level_two().redis(server.url());
    let cache = builder.build().await.unwrap().cache();
    let mut connection = server.connect();
    let mut loads = 0;
    let policy = Policy::new(Duration::from_millis(200)).jitter(0.0);
    eventually("it is loaded again", PATIENCE, async || {
        let load = async || {
            loads += 1;
            Ok::<_, ()>(loads)
        };
        let value = cache
            .get_or_load("key", policy.clone(), load)
            .await
            .unwrap();
        let _: bool = connection.persist("key").unwrap();
        value == 3
    })
    .await;
}
