//! What the suites share: a Redis server of their own, and waiting for a condition.

mod redis_server;
mod wait;

pub use redis_server::{Paused, RedisServer};
pub use wait::{eventually, wait_until};
