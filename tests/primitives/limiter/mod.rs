//! The scenarios of `limiter`.
