//! The scenarios of `lock`.
