//! What a server does not tell of.
//!
//! Nothing is told to the followed connection of what its own commands change:
//! `NOLOOP`. Two such changes are nobody's wish. To make room a command may evict
//! keys, and it may have the server stop following a key of anybody's, because
//! there are more than its table holds: then it tells nothing of that key any more.
//! Its statistics show both.

use std::collections::HashMap;

use redis::{RedisResult, Value, cmd};

use super::fault::code;
use super::stream::Connection;

pub(super) struct Untold {
    /// For messages.
    server: String,
    /// Keys that the server had evicted when it was asked last.
    evicted: Option<u64>,
    /// So many keys it follows at most; `None`: without limit.
    room: Option<u64>,
    /// It tells its settings. Who may not know them asks once, since each question
    /// is in the server's log of what was refused.
    tells_room: bool,
    /// That its table is as good as full is said once.
    said: bool,
}

/// The setting, which may be changed while the server runs.
const SETTING: &str = "tracking-table-max-keys";

/// What it is where nobody has set it.
const ROOM: u64 = 1_000_000;

impl Untold {
    /// To be asked for before anything is read over the followed connection.
    pub(super) async fn begin(server: &str, connection: &Connection) -> Self {
        let (mut one, mut other) = (connection.clone(), connection.clone());
        let (stats, room) = tokio::join!(Stats::ask(&mut one), ask_room(&mut other));
        Self {
            server: server.to_owned(),
            evicted: stats.unwrap_or_default().evicted,
            tells_room: room.is_ok(),
            room: room.unwrap_or(Some(ROOM)),
            said: false,
        }
    }

    /// Whether it may have kept something to itself since it was asked last.
    pub(super) async fn is_any(&mut self, connection: &Connection) -> RedisResult<bool> {
        let (mut one, mut other) = (connection.clone(), connection.clone());
        let (stats, room) = tokio::join!(Stats::ask(&mut one), async {
            if self.tells_room {
                ask_room(&mut other).await
            } else {
                Ok(self.room)
            }
        });
        let Stats { evicted, followed } = stats?;
        let has_evicted = std::mem::replace(&mut self.evicted, evicted) != evicted;
        let has_shrunk = match room {
            Ok(room) => {
                let before = std::mem::replace(&mut self.room, room);
                room.is_some_and(|room| before.is_none_or(|before| room < before))
            }
            Err(error) if code(&error).is_some() => {
                self.tells_room = false;
                false
            }
            Err(error) => return Err(error),
        };
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
        Ok(has_evicted || has_shrunk || crowded)
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

async fn ask_room(connection: &mut Connection) -> RedisResult<Option<u64>> {
    let [name, words @ ..] = TRACKED_KEYS_LIMIT;
    let settings = cmd(name).arg(&words).query_async(connection).await?;
    Ok(tracked_keys_limit(settings))
}

/// How many keys a server follows at most, by what it says of its settings; `None`:
/// there is no limit. Many services keep theirs to themselves.
pub(crate) fn tracked_keys_limit(settings: Value) -> Option<u64> {
    let settings: Option<HashMap<String, u64>> = redis::from_redis_value(settings).ok();
    let set = settings.and_then(|settings| settings.get(SETTING).copied());
    Some(set.unwrap_or(ROOM)).filter(|room| *room > 0)
}

/// The question for it.
pub(crate) const TRACKED_KEYS_LIMIT: [&str; 3] = ["CONFIG", "GET", SETTING];
