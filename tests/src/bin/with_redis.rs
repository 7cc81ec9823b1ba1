//! Runs a command with `REDIS_URL` set to a server that ends with it.

use std::env;
use std::process::{Command, ExitCode};

use cacheable_tests::RedisServer;

fn main() -> ExitCode {
    let mut words = env::args_os().skip(1);
    let Some(program) = words.next() else {
        eprintln!("usage: with-redis <command> [argument…]");
        return ExitCode::from(2);
    };
    let server = RedisServer::start();
    let status = Command::new(&program)
        .args(words)
        .env("REDIS_URL", server.url())
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => {
            eprintln!("{}: {status}", program.display());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{}: {error}", program.display());
            ExitCode::FAILURE
        }
    }
}
