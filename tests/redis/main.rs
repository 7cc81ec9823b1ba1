//! Suites against a real server.

mod bytes;
mod controls;
mod harness;
mod outage;
mod scan_match;
mod secrets;
mod service;
mod shutdown;
mod wire;
