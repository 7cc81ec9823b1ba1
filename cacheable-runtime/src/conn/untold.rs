//! What a server does not tell of.
//!
//! Nothing is told to the followed connection of what its own commands change:
//! `NOLOOP`. Two such changes are nobody's wish. To make room a command may evict
//! keys, and it may have the server stop following a key of anybody's, because
//! there are more than its table holds: then it tells nothing of that key any more.
//! Its statistics show both.

use std::collections::HashMap;

use redis::{RedisResult, cmd};

use super::fault::code;
use super::stream::Connection;

pub(super) struct Untold {
    /// For messages.
    server: String,
    /// Keys that the server had evicted when it was asked last.
    evicted: Option<u64>,
    /// So many keys it follows at most; `None`: without limit.
    room: Option<u64>,
    /// That its table is as good as full is said once.
    said: bool,
}

/// `tracking-table-max-keys` where nobody has set it.
const ROOM: u64 = 1_000_000;

impl Untold {
    /// To be asked for before anything is read over the followed connection.
    pub(super) async fn begin(server: &str, connection: &Connection) -> Self {
        let (mut one, mut other) = (connection.clone(), connection.clone());
        let (stats, room) = tokio::join!(Stats::ask(&mut one), room(&mut other));
        Self {
            server: server.to_owned(),
            evicted: stats.unwrap_or_default().evicted,
            room,
            said: false,
        }
    }

    /// How many keys the server tells of at most; `None`: there is no limit.
    pub(super) fn room(&self) -> Option<u64> {
        self.room
    }

    /// Whether it may have kept something to itself since it was asked last.
    pub(super) async fn is_any(&mut self, connection: &mut Connection) -> RedisResult<bool> {
        let Stats { evicted, followed } = Stats::ask(connection).await?;
        let has_evicted = std::mem::replace(&mut self.evicted, evicted) != evicted;
        // A little before: by the next time it may be full.
        let is_crowded = |(room, followed)| followed >= room - room / 10;
        let crowded = self.room.zip(followed).is_some_and(is_crowded);
        if crowded && !std::mem::replace(&mut self.said, true) {
            tracing::warn!(
                server = self.server,
                followed,
                room = self.room,
                "the server follows nearly as many keys as it may, and stops telling of some: \
                 until there are fewer, what this process keeps is read anew every second. \
                 Raise the server's `tracking-table-max-keys`, or write `local = false` on \
                 methods with many keys and few hits"
            );
        }
        Ok(has_evicted || crowded)
    }
}

#[derive(Default)]
struct Stats {
    evicted: Option<u64>,
    followed: Option<u64>,
}

impl Stats {
    /// Nothing is known where it is not permitted to ask.
    async fn ask(connection: &mut Connection) -> RedisResult<Self> {
        let stats: RedisResult<String> = cmd("INFO").arg("stats").query_async(connection).await;
        let stats = match stats {
            Err(error) if code(&error) == Some("NOPERM") => return Ok(Self::default()),
            stats => stats?,
        };
        let figure = |name| {
            let mut lines = stats.lines();
            let figure = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            figure.and_then(|figure| figure.trim().parse().ok())
        };
        Ok(Self {
            evicted: figure("evicted_keys"),
            followed: figure("tracking_total_keys"),
        })
    }
}

async fn room(connection: &mut Connection) -> Option<u64> {
    const NAME: &str = "tracking-table-max-keys";
    let set: RedisResult<HashMap<String, u64>> = cmd("CONFIG")
        .arg("GET")
        .arg(NAME)
        .query_async(connection)
        .await;
    // Many services keep their settings to themselves.
    let room = set.ok().and_then(|set| set.get(NAME).copied());
    Some(room.unwrap_or(ROOM)).filter(|room| *room > 0)
}
