//! What the suites share: a Redis server of their own, waiting for a
//! condition, and what was logged.

mod log;
mod redis_server;
mod wait;

pub use log::{Log, Taking};
pub use redis_server::{Paused, RedisServer};
pub use wait::{eventually, wait_until};
