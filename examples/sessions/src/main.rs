//! A service that people sign in to: cookies, sessions, and ending them.
//!
//! `cookie.rs` and `service.rs` are what you would write. This program checks
//! what they do and ends, or serves:
//!
//! ```sh
//! cargo run -p sessions
//! cargo run -p sessions -- serve 127.0.0.1:3000
//! REDIS_URL=redis://127.0.0.1:6379 cargo run -p sessions
//! ```
#![allow(
    unreachable_pub,
    reason = "`service.rs` reads as it would in a library"
)]

mod check;
mod cookie;
mod service;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use cacheable_runtime::Builder;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sessions: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    // The server of `REDIS_URL`, or a store in this process.
    let runtime = Builder::from_env()?.namespace("sessions").build().await?;
    let service = service::router(&runtime.sessions());
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => check::all(&service).await?,
        ["serve", address] => {
            let listener = tokio::net::TcpListener::bind(address).await?;
            println!("listening on http://{}", listener.local_addr()?);
            axum::serve(listener, service).await?;
        }
        _ => return Err("usage: sessions [serve <address>]".into()),
    }
    runtime.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
