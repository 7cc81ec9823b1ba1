#![doc = include_str!("docs/guide.md")]
#![cfg_attr(
    not(feature = "redis"),
    allow(clippy::unused_async, reason = "a server has to be waited for")
)]

#[doc(hidden)]
pub mod __private;
#[cfg(any(feature = "redis", cacheable_shuttle))]
mod bus;
mod cache;
mod codec;
mod config;
#[cfg(feature = "redis")]
mod conn;
mod error;
mod key;
// Without a server nobody tells of changes.
#[cfg_attr(
    not(feature = "redis"),
    allow(dead_code, reason = "for a store elsewhere")
)]
mod local;
// Without a server there is none to tell of itself.
#[cfg_attr(
    not(feature = "redis"),
    allow(dead_code, reason = "for a store elsewhere")
)]
mod monitor;
mod observe;
mod pattern;
mod policy;
mod primitives;
#[cfg_attr(
    not(feature = "redis"),
    allow(dead_code, reason = "for a store elsewhere")
)]
mod remote;
mod runtime;
mod sync;
// Without a server there is no other clock to follow.
#[cfg_attr(
    not(feature = "redis"),
    allow(dead_code, reason = "for a store elsewhere")
)]
mod time;

#[cfg(feature = "macros")]
pub use cacheable_macros::{cache_invalidate, cache_put, cacheable};

pub use cache::handle::{Cache, Clear, Inspection};
pub use cache::site::MethodKey;
#[cfg(fuzzing)]
#[doc(hidden)]
pub use codec::fuzzing as __fuzz;
pub use codec::{CodecChoice, CodecId};
pub use error::{Error, ErrorKind};
pub use key::{IntoKey, Key};
pub use monitor::{
    BigKey, BigKeys, BigKeysReport, CacheStats, ClientStats, CommandStats, Finding, MemoryLimit,
    MemoryStats, Monitor, NodeStats, PersistenceStats, ReplicationStats, Reset, ServerChanges,
    ServerCounters, ServerStats, SlowCommand, SlowLog, Stats, Tally, Thresholds, Unavailable,
};
pub use observe::{
    LockCounts, MessageCounts, MethodCounts, Observation, OperationCounts, Outcome, RateCounts,
    SessionCounts, with_outcome,
};
pub use pattern::{IntoPattern, Pattern};
pub use policy::Policy;
#[cfg(feature = "tower")]
pub use primitives::limiter::tower::{
    DenyWith, EmptyBody, Problem, RateLimitFuture, RateLimitLayer, RateLimitService, Respond,
};
pub use primitives::limiter::{
    Algorithm, Decision, Decisions, OnFailure, RateLimiter, RatePolicy, RatePolicyBuilder, Source,
};
pub use primitives::lock::{HeldLock, LockGuard, LockRequest, Locks, OnLost, Release};
pub use primitives::pubsub::durable::{
    Durable, DurableEvent, DurableSubscription, MessageId, StartAt,
};
pub use primitives::pubsub::{Event, Listener, Overflow, PubSub, Subscriber, Subscription};
#[cfg(feature = "tower-sessions")]
pub use primitives::session::TowerSessions;
pub use primitives::session::{Session, SessionData, SessionInfo, SessionToken, Sessions};
pub use runtime::{Builder, MIB, Probe, ProbeReport, Runtime};
pub use time::ManualClock;

/// The example of the README, as a test.
#[cfg(all(doctest, feature = "macros"))]
#[doc = include_str!("../../README.md")]
struct Readme;
