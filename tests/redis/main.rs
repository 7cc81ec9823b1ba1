//! Suites against a real server.

mod harness;
mod scan_match;
