//! What callers notice when a server or a network fails. Every fault prints one
//! line of a table; `CACHEABLE_FAULTS=long` makes the faults longer.

mod drill;
mod far;
mod memory;
mod network;
mod proxy;
mod servers;
mod service;
mod silence;
mod standstill;
