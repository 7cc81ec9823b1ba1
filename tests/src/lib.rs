//! What the suites share: a Redis server of their own, a network that fails as
//! it is told, waiting for a condition, and what was logged.

mod log;
mod proxy;
mod redis_server;
mod wait;

pub use log::{Log, Taking};
pub use proxy::{Of, Proxy, Seen};
pub use redis_server::{Paused, RedisServer};
pub use wait::{eventually, wait_until};
