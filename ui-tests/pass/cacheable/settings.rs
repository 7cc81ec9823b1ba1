//! The arguments that only change how a value is kept.

#![deny(warnings)]

use cacheable_runtime::{CodecId, Runtime, cacheable};

#[cacheable(
    ttl = 60,
    key_prefix = "set.all/of-it_1",
    jitter = 0.0,
    local = true,
    local_ttl = 10,
    codec = "msgpack",
    schema = 2,
    name = "everything",
)]
pub async fn everything(id: u64) -> Vec<u64> {
    vec![id]
}

#[cacheable(ttl = 60, key_prefix = "set", jitter = 0, local = false, codec = "bincode")]
async fn bincode(id: u64) -> Vec<u64> {
    vec![id]
}

#[cacheable(ttl = 60, key_prefix = "set", codec = "auto",)]
async fn auto(id: u64) -> Vec<u64> {
    vec![id]
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let runtime = Runtime::embedded();
    runtime.install().unwrap();
    for _ in 0..2 {
        assert_eq!(everything(1).await, [1]);
        assert_eq!(bincode(1).await, [1]);
        assert_eq!(auto(1).await, [1]);
    }
    let cache = Runtime::global().unwrap().cache();
    let codec = async |key: &str| cache.inspect(key).await.unwrap().unwrap().codec;
    assert_eq!(codec("cache:set.all/of-it_1:everything:1").await, Some(CodecId::MsgPack));
    assert_eq!(codec("cache:set:bincode:1").await, Some(CodecId::Bincode));
    assert_eq!(codec("cache:set:auto:1").await, Some(CodecId::Bincode));
}
