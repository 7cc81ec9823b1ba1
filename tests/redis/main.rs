//! Suites against a real server.

mod barren;
mod bytes;
mod controls;
mod executor;
mod followed;
mod given_up;
mod harness;
mod leases;
mod outage;
mod parked;
mod peers;
mod probe;
mod refusals;
mod repair;
mod rights;
mod scan_match;
mod secrets;
mod sentinel;
mod service;
mod shutdown;
mod shutdown_leases;
mod tls;
mod undelivered;
mod wire;
