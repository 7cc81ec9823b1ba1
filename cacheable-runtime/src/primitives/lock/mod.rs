//! Locks that one holder in the fleet has at a time.

mod memory;
#[cfg(feature = "redis")]
mod redis;

use std::fmt;
use std::sync::Arc;

use super::Ground;
pub(super) use memory::Memory;

/// Locks that one holder in the fleet has at a time. Cheap to clone.
#[derive(Clone)]
pub struct Locks {
    ground: Arc<Ground>,
}

impl Locks {
    pub(crate) fn new(ground: Arc<Ground>) -> Self {
        Self { ground }
    }
}

impl fmt::Debug for Locks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locks").finish_non_exhaustive()
    }
}
