//! The scenarios of `pubsub`.
