//! Messages between processes.

mod memory;
#[cfg(feature = "redis")]
mod redis;

use std::fmt;
use std::sync::Arc;

use super::Ground;
pub(super) use memory::Memory;

/// Messages between processes. Cheap to clone.
#[derive(Clone)]
pub struct PubSub {
    ground: Arc<Ground>,
}

impl PubSub {
    pub(crate) fn new(ground: Arc<Ground>) -> Self {
        Self { ground }
    }
}

impl fmt::Debug for PubSub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PubSub").finish_non_exhaustive()
    }
}
