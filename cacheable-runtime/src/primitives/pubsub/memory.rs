//! In this process, for the embedded store.

/// What this process knows.
#[derive(Default)]
pub(crate) struct Memory {}
