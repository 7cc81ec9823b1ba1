//! Sessions of users.

mod memory;
#[cfg(feature = "redis")]
mod redis;

use std::fmt;
use std::sync::Arc;

use super::Ground;
pub(super) use memory::Memory;

/// Sessions of users. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    ground: Arc<Ground>,
}

impl Sessions {
    pub(crate) fn new(ground: Arc<Ground>) -> Self {
        Self { ground }
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}
