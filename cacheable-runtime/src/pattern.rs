//! Patterns: which keys an invalidation covers.
