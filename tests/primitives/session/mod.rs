//! The scenarios of `session`.
