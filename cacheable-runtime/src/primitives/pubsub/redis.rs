//! On a server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use once_cell::sync::Lazy;
use redis::cmd;

pub(super) use super::super::ground::Server;
use super::durable::{Entry, MessageId};
use super::{FOREIGN, Kind, Receiver, Topic, wake};
pub(super) use crate::conn::subscribe::Subscribed;
use crate::conn::subscribe::{self, Sink};
use crate::conn::{Lane, Leg, Lua};
use crate::error::{Error, ErrorKind};
use crate::primitives::Patience;

static APPEND: Lazy<Lua> = Lazy::new(|| Lua::new(include_str!("append.lua")));

/// When to ask again for what was found to be elsewhere.
const RETRY: Duration = Duration::from_millis(50);

pub(super) async fn publish(
    server: &Server,
    patience: Patience,
    topic: &Topic,
    payload: &[u8],
) -> Result<u64, Error> {
    let mut publish = match topic.kind {
        Kind::Sharded => cmd("SPUBLISH"),
        _ => cmd("PUBLISH"),
    };
    publish.arg(&topic.name).arg(payload);
    let publish = &publish;
    let send = move || async move {
        let leg = if topic.kind == Kind::Sharded {
            server.routes.of(&topic.name)?
        } else {
            // Every node passes it on to the others.
            server.routes.any(&topic.name)?
        };
        leg.query(Lane::Removals, publish).await
    };
    let answer = followed(server, patience, send).await;
    answer.map_err(|error| match topic.kind {
        // A command that it knows is refused with another code.
        Kind::Sharded if error.to_string() == "the server answered with ERR" => Error::new(
            ErrorKind::Server,
            "the server knows no sharded channels: use Redis 7 or later, or `publish`",
        ),
        _ => error,
    })
}

pub(super) async fn listen(
    server: &Server,
    topic: &Topic,
    receiver: Arc<dyn Receiver>,
) -> Result<Subscribed, Error> {
    let topic = subscribe::Topic {
        kind: match topic.kind {
            Kind::Exact => subscribe::Kind::Exact,
            Kind::Pattern => subscribe::Kind::Pattern,
            Kind::Sharded => subscribe::Kind::Sharded,
        },
        name: topic.name.as_bytes().into(),
    };
    let sink = Arc::new(Ear(receiver));
    server.subscriptions.subscribe(topic, sink).await
}

struct Ear(Arc<dyn Receiver>);

impl Sink for Ear {
    fn message(&self, channel: &[u8], payload: &[u8]) {
        wake(self.0.message(channel, payload));
    }

    fn gap(&self, since: Instant) {
        self.0.gap(since);
    }

    fn ended(&self, why: &Error) {
        self.0.ended(why);
    }
}

/// Keeps a message, and rings for it.
pub(super) async fn append(
    server: &Server,
    patience: Patience,
    key: &str,
    payload: &[u8],
    most: u64,
    life: u64,
) -> Result<MessageId, Error> {
    let (most, life) = (most.to_string(), life.to_string());
    let arguments = &[payload, most.as_bytes(), life.as_bytes()];
    let send = move || async move {
        let leg = server.routes.of(key)?;
        leg.script::<String, _>(Lane::Removals, &APPEND, &[key], arguments)
            .await
    };
    followed(server, patience, send).await?.parse()
}

/// What is kept after `after`; from the beginning without it.
pub(super) async fn read(
    server: &Server,
    patience: Patience,
    key: &str,
    after: Option<MessageId>,
    count: usize,
) -> Result<Vec<Entry>, Error> {
    if after == Some(MessageId::LAST) {
        // A server takes no range that begins behind it.
        return Ok(Vec::new());
    }
    let start = after.map_or_else(|| "-".to_owned(), |after| format!("({after}"));
    let mut range = cmd("XRANGE");
    range.arg(key).arg(start).arg("+");
    range.arg("COUNT").arg(count);
    entries(server, patience, key, &range).await
}

/// The last one that is kept.
pub(super) async fn last(
    server: &Server,
    patience: Patience,
    key: &str,
) -> Result<Option<Entry>, Error> {
    let mut range = cmd("XREVRANGE");
    range.arg(key).arg("+").arg("-").arg("COUNT").arg(1);
    Ok(entries(server, patience, key, &range).await?.pop())
}

async fn entries(
    server: &Server,
    patience: Patience,
    key: &str,
    range: &redis::Cmd,
) -> Result<Vec<Entry>, Error> {
    let ask = move || async move {
        let leg: Leg = server.routes.of(key)?;
        leg.query::<Vec<(String, Vec<Vec<u8>>)>>(Lane::Removals, range)
            .await
    };
    let answer = followed(server, patience, ask).await?;
    let asked = answer.len();
    // What stands before another program's entry can still be read.
    let entries: Vec<Entry> = answer.into_iter().map_while(entry).collect();
    if entries.is_empty() && asked > 0 {
        return Err(Error::new(ErrorKind::Server, FOREIGN));
    }
    Ok(entries)
}

/// `None`: it is none of this crate.
fn entry((id, mut fields): (String, Vec<Vec<u8>>)) -> Option<Entry> {
    let [_, first, _, payload] = &mut fields[..] else {
        return None;
    };
    Some(Entry {
        id: id.parse().ok()?,
        first: std::str::from_utf8(first).ok()?.parse().ok()?,
        payload: std::mem::take(payload),
    })
}

/// Asks again for as long as a slot of a cluster is on its way. Nothing has
/// been carried out then.
async fn followed<T, Fut: Future<Output = Result<T, Error>>>(
    server: &Server,
    patience: Patience,
    ask: impl Fn() -> Fut,
) -> Result<T, Error> {
    let began = Instant::now();
    loop {
        let answer = ask().await;
        let moves = server.routes.is_cluster()
            && answer.as_ref().is_err_and(is_moved)
            && began.elapsed() < patience.command;
        if !moves {
            return answer;
        }
        tokio::time::sleep(RETRY).await;
    }
}

fn is_moved(error: &Error) -> bool {
    let text = error.to_string();
    ["MOVED:", "ASK:", "TRYAGAIN:"]
        .iter()
        .any(|code| text.starts_with(code))
}
