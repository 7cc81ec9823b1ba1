//! The scenarios of `monitor`.
