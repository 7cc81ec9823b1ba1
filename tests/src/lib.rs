//! What the suites share: a Redis server of their own, a network that fails as
//! it is told, processes that share a server, waiting for a condition, and what
//! was logged.

mod ages;
mod faketime;
mod hung;
mod ledger;
mod log;
mod proxy;
mod redis_cluster;
mod redis_sentinel;
mod redis_server;
pub mod store;
mod wait;
mod workers;

pub use ages::Ages;
pub use faketime::FakeTime;
pub use hung::hung_load;
pub use ledger::{Ledger, monotonic};
pub use log::{Log, Taking, say};
pub use proxy::{Of, Proxy, Seen};
pub use redis_cluster::RedisCluster;
pub use redis_sentinel::RedisSentinels;
pub use redis_server::{Paused, RedisServer, free_port};
pub use store::Store;
pub use wait::{eventually, wait_until};
pub use workers::{Answer, Worker};
