//! Suites against a cluster of three primaries.

mod moves;
mod outage;
mod routes;
mod service;
