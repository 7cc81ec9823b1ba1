//! Several real processes on one server.

mod race;
mod stampede;

use cacheable_tests::{RedisServer, Worker};

/// So many processes in one namespace.
fn fleet(server: &RedisServer, processes: usize) -> Vec<Worker> {
    let program = env!("CARGO_BIN_EXE_worker");
    (0..processes)
        .map(|_| Worker::spawn(program, server, "fleet"))
        .collect()
}
