//! Counts calls, and says when there are too many.

mod memory;
#[cfg(feature = "redis")]
mod redis;

use std::fmt;
use std::sync::Arc;

use super::Ground;
pub(super) use memory::Memory;

/// Counts calls, and says when there are too many. Cheap to clone.
#[derive(Clone)]
pub struct RateLimiter {
    ground: Arc<Ground>,
}

impl RateLimiter {
    pub(crate) fn new(ground: Arc<Ground>) -> Self {
        Self { ground }
    }
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimiter").finish_non_exhaustive()
    }
}
