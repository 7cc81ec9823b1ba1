//! The attributes of `cacheable-runtime`. Use that crate; it re-exports these.
