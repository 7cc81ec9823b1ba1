//! By what a server knows a pair of connections, so that it can be told to close it.
//!
//! What was sent over a connection may arrive long after it was given up: it waits in
//! a kernel until the network is back, or with a server that stands still. Carried out
//! beside the connections that have taken its place, it would put an old value over a
//! newer one, or place a lease that nobody holds. So the server closes the ones before,
//! with all that it has not read of them, before those after them are used.

use redis::{RedisResult, cmd};

use super::fault::code;
use super::stream::Connection;

#[derive(Clone)]
pub(super) struct Trace {
    /// Another one gives the same numbers to others.
    server: String,
    connections: [u64; 2],
}

impl Trace {
    /// `None`: the server does not tell.
    pub(super) fn new(server: Option<String>, connections: [Option<u64>; 2]) -> Option<Self> {
        let [Some(one), Some(other)] = connections else {
            return None;
        };
        Some(Self {
            server: server?,
            connections: [one, other],
        })
    }

    pub(super) fn is_of(&self, server: &str) -> bool {
        self.server == server
    }

    /// Has the server close what this is of.
    pub(super) async fn close(&self, by: &Connection) -> RedisResult<()> {
        let [(mut one, first), (mut other, second)] =
            self.connections.map(|number| (by.clone(), number));
        let (one, other) = tokio::join!(kill(&mut one, first), kill(&mut other, second));
        one.and(other)
    }
}

/// The number of a connection. `None`: who is connected may not ask.
pub(super) async fn number(connection: &mut Connection) -> RedisResult<Option<u64>> {
    permitted(cmd("CLIENT").arg("ID").query_async(connection).await)
}

async fn kill(connection: &mut Connection, number: u64) -> RedisResult<()> {
    let mut kill = cmd("CLIENT");
    kill.arg("KILL").arg("ID").arg(number);
    permitted(kill.exec_async(connection).await).map(drop)
}

/// What a server refuses, or does not know, is done without.
fn permitted<T>(answer: RedisResult<T>) -> RedisResult<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if code(&error).is_some() => Ok(None),
        Err(error) => Err(error),
    }
}
