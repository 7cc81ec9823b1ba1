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
    server: String,
    connections: [Name; 2],
}

/// A connection, as its server sees it. Another server gives the same numbers to
/// others, and so may whoever is in between: the address is looked at, too.
#[derive(Clone)]
pub(super) struct Name {
    number: u64,
    address: String,
}

impl Trace {
    /// `None`: the server does not tell.
    pub(super) fn new(server: Option<String>, connections: [Option<Name>; 2]) -> Option<Self> {
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
            self.connections.each_ref().map(|name| (by.clone(), name));
        let (one, other) = tokio::join!(first.close(&mut one), second.close(&mut other));
        one.and(other)
    }
}

impl Name {
    /// That of a connection. `None`: who is connected may not ask.
    pub(super) async fn of(connection: &mut Connection) -> RedisResult<Option<Self>> {
        let info: RedisResult<String> = cmd("CLIENT").arg("INFO").query_async(connection).await;
        Ok(permitted(info)?.as_deref().and_then(Self::read))
    }

    fn read(info: &str) -> Option<Self> {
        let field = |name| {
            let mut fields = info.split_whitespace();
            fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
        };
        Some(Self {
            number: field("id")?.parse().ok()?,
            address: field("addr")?.to_owned(),
        })
    }

    async fn close(&self, by: &mut Connection) -> RedisResult<()> {
        let mut kill = cmd("CLIENT");
        kill.arg("KILL").arg("ID").arg(self.number);
        kill.arg("ADDR").arg(&self.address);
        permitted(kill.exec_async(by).await).map(drop)
    }
}

/// What a server refuses, or does not know, is done without.
fn permitted<T>(answer: RedisResult<T>) -> RedisResult<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if code(&error).is_some() => {
            tracing::debug!(
                code = code(&error),
                "connections that are given up are not closed by the server"
            );
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_named_by_what_the_server_says_of_it() {
        let info = "id=17 addr=[::1]:40112 laddr=[::1]:6379 fd=8 name= user=default\n";
        let name = Name::read(info).unwrap();
        assert_eq!((name.number, &*name.address), (17, "[::1]:40112"));
        for other in [
            "",
            "id=17",
            "id=x addr=a:1",
            "uid=17 addr=a:1",
            "id 17 addr a",
        ] {
            assert!(Name::read(other).is_none(), "{other}");
        }
    }
}
