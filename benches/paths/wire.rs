//! The server, and how one would talk to it by hand.

use benches::Served;
use cacheable_runtime::{IntoKey, Key, Runtime};
use cacheable_tests::RedisServer;
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{Client, FromRedisValue, IntoConnectionInfo};

/// A server of this run's own.
pub(crate) struct Server(RedisServer);

impl Server {
    pub(crate) fn start() -> Self {
        // Misses leave an entry each; the oldest make room.
        Self(RedisServer::start_with(&[
            "--maxmemory",
            "512mb",
            "--maxmemory-policy",
            "allkeys-lru",
        ]))
    }

    pub(crate) fn url(&self) -> String {
        self.0.url()
    }

    pub(crate) fn version(&self) -> String {
        let valkey = self.info::<String>("server", "valkey_version");
        let redis = self.info::<String>("server", "redis_version");
        let version = valkey.map(|version| format!("Valkey {version}"));
        version
            .or_else(|| redis.map(|version| format!("Redis {version}")))
            .unwrap_or_default()
    }

    /// A runtime on this server, without level 1, which would answer.
    pub(crate) async fn runtime(&self) -> Runtime {
        let builder = Runtime::builder().redis(self.0.url()).local_capacity(0);
        let runtime = builder.require_connection().build().await;
        runtime.expect("the server was just started")
    }

    /// A connection with the settings that serve small commands best.
    pub(crate) async fn connect(&self) -> MultiplexedConnection {
        let info = self
            .0
            .url()
            .into_connection_info()
            .expect("it is an address");
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let client = Client::open(info).expect("it is an address");
        let connection = client.get_multiplexed_async_connection().await;
        connection.expect("the server was just started")
    }

    fn info<T: std::str::FromStr>(&self, section: &str, field: &str) -> Option<T> {
        let info: String = self.0.command(&["INFO", section]);
        let value = info.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name == field).then_some(value)
        });
        value?.parse().ok()
    }
}

impl Served for Server {
    /// How often the server has read from a connection. With one task that
    /// waits for each answer this is the number of round trips.
    fn trips(&self) -> u64 {
        self.info("stats", "total_reads_processed")
            .unwrap_or_default()
    }

    fn clear(&self) {
        self.0.command::<()>(&["FLUSHALL", "SYNC"]);
    }
}

/// One command by hand.
pub(crate) async fn ask<T: FromRedisValue>(
    connection: &MultiplexedConnection,
    command: &redis::Cmd,
) -> T {
    let mut connection = connection.clone();
    let answer = command.query_async(&mut connection).await;
    answer.expect("the server answers")
}

/// `GET`
pub(crate) async fn get(connection: &MultiplexedConnection, key: &str) -> Option<Vec<u8>> {
    ask(connection, redis::cmd("GET").arg(key)).await
}

/// `SET` for an hour.
pub(crate) async fn set(connection: &MultiplexedConnection, key: &str, value: &[u8]) {
    let mut set = redis::cmd("SET");
    set.arg(key).arg(value).arg("PX").arg(3_600_000);
    ask::<()>(connection, &set).await;
}

/// The text of a key that a method's companion returns.
pub(crate) fn text(key: impl IntoKey) -> Key {
    key.into_key().expect("the argument can be part of a key")
}
