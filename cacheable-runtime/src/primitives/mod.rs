//! What services share beside values: sessions, rate limits, locks, messages.
//!
//! Each is a folder of one shape: `mod.rs` is the handle, `redis.rs` what it is
//! on a server with its `.lua` beside it, `memory.rs` what it is in a process
//! without one. They share the [`Ground`] and know nothing of one another, nor
//! of the cache.

mod ground;
pub(crate) mod limiter;
pub(crate) mod lock;
mod name;
pub(crate) mod pubsub;
mod secret;
pub(crate) mod session;

#[cfg(feature = "redis")]
pub(crate) use ground::Server;
pub(crate) use ground::{Ground, Patience};
