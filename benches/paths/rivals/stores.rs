//! What one would use instead over a server.

use std::fmt::Display;

use cached::AsyncRedisCache;
use fred::clients::Client;
use fred::interfaces::{ClientLike, KeysInterface};
use fred::types::config::Config;
use fred::types::{Builder, Expiration};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::LIFE;

/// The store behind the attribute of `cached`, without the attribute, which would read
/// the address from the environment.
pub(crate) async fn cached<K, V>(url: &str, prefix: &str) -> &'static AsyncRedisCache<K, V>
where
    K: Display + Clone + Send + Sync + 'static,
    V: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let store = AsyncRedisCache::builder(prefix)
        .connection_string(url)
        .ttl(LIFE);
    let store = store.build().await.expect("the server was just started");
    Box::leak(Box::new(store))
}

/// The other client, with the setting that serves small commands best.
pub(crate) async fn fred(url: &str) -> &'static Client {
    let config = Config::from_url(url).expect("it is an address");
    let mut builder = Builder::from_config(config);
    builder.with_connection_config(|connection| connection.tcp.nodelay = Some(true));
    let client = builder.build().expect("the settings are of one kind");
    client.init().await.expect("the server was just started");
    Box::leak(Box::new(client))
}

/// `GET`
pub(crate) async fn fred_get(client: &Client, key: &str) -> Option<Vec<u8>> {
    client.get(key).await.expect("the server answers")
}

/// `SET` for an hour.
pub(crate) async fn fred_set(client: &Client, key: &str, value: &[u8]) {
    let life = Expiration::PX(3_600_000);
    let set = client.set::<(), _, _>(key, value, Some(life), None, false);
    set.await.expect("the server answers");
}
