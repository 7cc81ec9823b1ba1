//! What needs nothing but a compiler.

mod auto_traits;
mod axum_handlers;
pub mod lints;
mod tidy;
mod tonic_services;
