//! The store in a Redis or Valkey server.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use once_cell::sync::Lazy;
use redis::{Cmd, cmd, pipe};
use tokio::runtime::Handle;

use super::{
    Claimed, Expect, LEASE, Numbers, Origin, RemoteStore, SERIAL, STAMP, TAG_LIFE, marker_ends,
};
use crate::conn::{Lane, Link, Lua};
use crate::error::{Error, ErrorKind};
use crate::pattern::Pattern;
use crate::sync::{BoxFuture, lock, random, start};

pub(crate) struct RedisStore {
    link: Arc<Link>,
    namespace: String,
    counter: String,
    /// What all markers, and the counter, begin with.
    markers: String,
    orphans: Arc<Orphans>,
    /// Where the link lives.
    runtime: Handle,
}

struct Scripts {
    acquire: Lua,
    fill: Lua,
    renew: Lua,
    abandon: Lua,
    claim: Lua,
    counter: Lua,
    markers: Lua,
    remove_tags: Lua,
    unlink_older: Lua,
}

static SCRIPTS: Lazy<Scripts> = Lazy::new(|| Scripts {
    acquire: Lua::new(include_str!("lua/acquire.lua")),
    fill: Lua::new(include_str!("lua/fill.lua")),
    renew: Lua::new(include_str!("lua/renew.lua")),
    abandon: Lua::new(include_str!("lua/abandon.lua")),
    claim: Lua::new(include_str!("lua/claim.lua")),
    counter: Lua::new(include_str!("lua/counter.lua")),
    markers: Lua::new(include_str!("lua/markers.lua")),
    remove_tags: Lua::new(include_str!("lua/remove_tags.lua")),
    unlink_older: Lua::new(include_str!("lua/unlink_older.lua")),
});

/// What a new connection makes known to the server.
pub(crate) static PRELOADED: Lazy<[&'static Lua; 8]> = Lazy::new(|| {
    let scripts = &*SCRIPTS;
    [
        &scripts.acquire,
        &scripts.fill,
        &scripts.renew,
        &scripts.abandon,
        &scripts.claim,
        &scripts.markers,
        &scripts.remove_tags,
        &scripts.unlink_older,
    ]
});

/// The script that a new connection begins with.
pub(crate) fn counter_script() -> &'static Lua {
    &SCRIPTS.counter
}

/// Where the counter of a namespace is, in one slot with its markers.
pub(crate) fn counter_key(namespace: &str) -> String {
    format!("{namespace}tag:{{{namespace}tag}}:counter")
}

/// Keys looked at by one `SCAN`: enough that round trips do not count, few
/// enough that other clients wait for less than a millisecond.
const SCAN_COUNT: usize = 1_000;

/// Keys that one run of a script looks at, for the same reason.
const SCRIPT_KEYS: usize = 100;

/// A larger value does not go through a script, which would copy and hash it.
const PARKED: usize = 2 * 1024;

impl RedisStore {
    pub(crate) fn new(link: Arc<Link>, namespace: &str) -> Self {
        let store = Self {
            link,
            namespace: namespace.to_owned(),
            counter: counter_key(namespace),
            markers: format!("{namespace}tag:{{{namespace}tag}}:"),
            orphans: Arc::default(),
            runtime: Handle::current(),
        };
        tokio::spawn(Arc::clone(&store.orphans).clear_up(Arc::downgrade(&store.link)));
        store
    }

    /// A key beside an entry's, in the same slot of a cluster.
    fn beside(&self, what: &str, key: &str) -> String {
        let namespace = &self.namespace;
        if key.contains('{') {
            format!("{namespace}{what}:{key}")
        } else {
            format!("{namespace}{what}:{{{key}}}")
        }
    }

    fn mark(&self, key: &str) -> String {
        self.beside("refresh", key)
    }

    /// Removes keys, or those of them that hold values with a lesser stamp.
    async fn unlink(&self, keys: &[Vec<u8>], older_than: Option<u64>) -> Result<u64, Error> {
        let Some(stamp) = older_than else {
            if keys.is_empty() {
                return Ok(0);
            }
            return self
                .link
                .query(Lane::Removals, cmd("UNLINK").arg(keys))
                .await;
        };
        let (from, to) = (STAMP.start.to_string(), (STAMP.end - 1).to_string());
        let stamp = stamp.to_string();
        let arguments = [from.as_bytes(), to.as_bytes(), stamp.as_bytes()];
        let mut removed = 0;
        for some in keys.chunks(SCRIPT_KEYS) {
            let script = &SCRIPTS.unlink_older;
            removed += self
                .link
                .script::<u64, _>(Lane::Removals, script, some, &arguments)
                .await?;
        }
        Ok(removed)
    }

    /// Starts what must not wait, and takes note of a lease that it did not
    /// remove.
    fn abandon_later(&self, key: String, lease: &[u8], lane: Lane) {
        let (link, orphans, lease) = (
            Arc::clone(&self.link),
            Arc::clone(&self.orphans),
            lease.to_vec(),
        );
        start(Some(&self.runtime), async move {
            let script = &SCRIPTS.abandon;
            let abandoned: Result<i64, _> = link.script(lane, script, &[&key], &[&lease]).await;
            if let Err(error) = abandoned {
                tracing::debug!(%error, "a lease was not removed yet");
                orphans.add(key, lease);
            }
        });
    }
}

/// Leases of this process that nobody will fill, and that could not be removed.
/// They go as soon as the server is there again, so that nobody waits for them.
#[derive(Default)]
struct Orphans {
    leases: Mutex<VecDeque<(String, Vec<u8>)>>,
    added: tokio::sync::Notify,
}

impl Orphans {
    /// Beyond so many, the oldest ends by itself.
    const ROOM: usize = 10_000;

    fn add(&self, key: String, lease: Vec<u8>) {
        let mut leases = lock(&self.leases);
        if leases.len() >= Self::ROOM {
            leases.pop_front();
        }
        leases.push_back((key, lease));
        drop(leases);
        self.added.notify_one();
    }

    async fn clear_up(self: Arc<Self>, link: std::sync::Weak<Link>) {
        loop {
            let first = lock(&self.leases).front().cloned();
            let Some((key, lease)) = first else {
                self.added.notified().await;
                continue;
            };
            let Some(link) = link.upgrade() else { return };
            if !link.usable().await {
                return;
            }
            let script = &SCRIPTS.abandon;
            let gone: Result<i64, _> = link.script(Lane::Reads, script, &[&key], &[&lease]).await;
            if gone.is_ok() {
                lock(&self.leases).retain(|orphan| orphan.1 != lease);
            } else {
                // Whatever the reason, it does not go away by asking faster.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// A life as `PX` takes it: whole milliseconds, at least one.
fn millis(life: Duration) -> u64 {
    u64::try_from(life.as_millis()).unwrap_or(u64::MAX).max(1)
}

fn lane(from: Origin) -> Lane {
    match from {
        Origin::Load => Lane::Reads,
        Origin::Put => Lane::Removals,
    }
}

/// Which bytes to look at, as `GETRANGE` counts, and what they have to be.
struct Range {
    from: String,
    to: String,
    bytes: Vec<u8>,
}

impl From<Expect<'_>> for Range {
    fn from(expected: Expect<'_>) -> Self {
        let (from, to, bytes) = match expected {
            Expect::Lease(lease) => (0, LEASE, lease.to_vec()),
            Expect::Serial(serial) => (SERIAL.start, SERIAL.end, serial.to_le_bytes().to_vec()),
            Expect::Bytes(bytes) => (0, bytes.len().max(1), bytes.to_vec()),
        };
        Self {
            from: from.to_string(),
            to: (to - 1).to_string(),
            bytes,
        }
    }
}

/// The lives of markers, as the scripts take them.
fn marker_lives(markers: &[&str]) -> Vec<String> {
    let life = |marker: &&str| match marker_ends(marker) {
        true => millis(TAG_LIFE).to_string(),
        false => "0".to_owned(),
    };
    markers.iter().map(life).collect()
}

fn number(text: &str) -> Result<u64, Error> {
    text.parse().map_err(|_| {
        Error::new(
            ErrorKind::Server,
            "a marker of a tag holds what is not a number: another program has written it",
        )
    })
}

fn numbers(answer: Vec<String>) -> Result<Numbers, Error> {
    let mut answer = answer.iter().map(|text| number(text));
    let counter = answer.next().unwrap_or(Ok(0))?;
    Ok(Numbers {
        counter,
        markers: answer.collect::<Result<_, _>>()?,
    })
}

impl RemoteStore for RedisStore {
    fn get<'a>(
        &'a self,
        key: &'a str,
        markers: &'a [&'a str],
    ) -> BoxFuture<'a, Result<(Option<Vec<u8>>, Option<Numbers>), Error>> {
        Box::pin(async move {
            let mut get = cmd("GET");
            get.arg(key);
            if markers.is_empty() {
                return Ok((self.link.query(Lane::Reads, &get).await?, None));
            }
            let lives = marker_lives(markers);
            let lives: Vec<&[u8]> = lives.iter().map(String::as_bytes).collect();
            let keys: Vec<&str> = [&*self.counter]
                .into_iter()
                .chain(markers.iter().copied())
                .collect();
            let (bytes, answer) = self
                .link
                .with_script(Lane::Reads, get, &SCRIPTS.markers, &keys, &lives)
                .await?;
            Ok((bytes, Some(numbers(answer)?)))
        })
    }

    fn get_many<'a>(
        &'a self,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Option<Vec<u8>>>, Error>> {
        Box::pin(async move {
            if keys.is_empty() {
                return Ok(Vec::new());
            }
            self.link.query(Lane::Reads, cmd("MGET").arg(keys)).await
        })
    }

    fn acquire<'a>(
        &'a self,
        key: &'a str,
        lease: &'a [u8],
        life: Duration,
        over: Option<Expect<'a>>,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, Error>> {
        Box::pin(async move {
            let life = millis(life).to_string();
            let over = over.map(Range::from);
            let mut arguments = vec![lease, life.as_bytes()];
            if let Some(over) = &over {
                arguments.extend([over.from.as_bytes(), over.to.as_bytes(), &over.bytes]);
            }
            self.link
                .script(Lane::Reads, &SCRIPTS.acquire, &[key], &arguments)
                .await
        })
    }

    fn seize<'a>(
        &'a self,
        key: &'a str,
        lease: &'a [u8],
        life: Duration,
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.set(key, lease.to_vec(), life)
    }

    fn renew<'a>(
        &'a self,
        key: &'a str,
        lease: &'a [u8],
        life: Duration,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            let life = millis(life).to_string();
            self.link
                .script(
                    Lane::Reads,
                    &SCRIPTS.renew,
                    &[key],
                    &[lease, life.as_bytes()],
                )
                .await
        })
    }

    fn fill<'a>(
        &'a self,
        key: &'a str,
        expected: Expect<'a>,
        value: Vec<u8>,
        life: Duration,
        from: Origin,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            let life = millis(life).to_string();
            let range = Range::from(expected);
            let inline = value.len() <= PARKED;
            let arguments = [
                range.from.as_bytes(),
                range.to.as_bytes(),
                &range.bytes,
                if inline { &value } else { &[][..] },
                life.as_bytes(),
            ];
            let filled: i64 = if inline {
                self.link
                    .script(lane(from), &SCRIPTS.fill, &[key], &arguments)
                    .await?
            } else {
                let parked = format!("{}:{:016x}", self.beside("parked", key), random());
                let mut park = cmd("SET");
                park.arg(&parked).arg(&value).arg("PX").arg(&life);
                let keys = [key, &parked];
                let ((), filled) = self
                    .link
                    .with_script(lane(from), park, &SCRIPTS.fill, &keys, &arguments)
                    .await?;
                filled
            };
            match filled {
                0 | 1 => Ok(filled == 1),
                _ => Err(Error::new(
                    ErrorKind::Server,
                    "the server has lost a value while it was stored",
                )),
            }
        })
    }

    fn release<'a>(&'a self, key: &'a str, lease: &'a [u8]) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            self.link
                .script(Lane::Reads, &SCRIPTS.abandon, &[key], &[lease])
                .await
        })
    }

    fn abandon(&self, key: &str, lease: &[u8], from: Origin) {
        self.abandon_later(key.to_owned(), lease, lane(from));
    }

    fn claim<'a>(
        &'a self,
        key: &'a str,
        serial: u64,
        claim: &'a [u8],
        life: Duration,
    ) -> BoxFuture<'a, Result<Claimed, Error>> {
        Box::pin(async move {
            let life = millis(life).to_string();
            let range = Range::from(Expect::Serial(serial));
            let arguments = [
                range.from.as_bytes(),
                range.to.as_bytes(),
                &range.bytes,
                claim,
                life.as_bytes(),
            ];
            let mark = self.mark(key);
            let keys = [key, &mark];
            let claimed: i64 = self
                .link
                .script(Lane::Reads, &SCRIPTS.claim, &keys, &arguments)
                .await?;
            Ok(match claimed {
                1 => Claimed::Yes,
                0 => Claimed::Taken,
                _ => Claimed::Changed,
            })
        })
    }

    fn renew_claim<'a>(
        &'a self,
        key: &'a str,
        claim: &'a [u8],
        life: Duration,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move { self.renew(&self.mark(key), claim, life).await })
    }

    fn end_claim(&self, key: &str, claim: &[u8], pause: Option<Duration>) {
        let mark = self.mark(key);
        let Some(pause) = pause else {
            return self.abandon_later(mark, claim, Lane::Reads);
        };
        let (link, claim) = (Arc::clone(&self.link), claim.to_vec());
        start(Some(&self.runtime), async move {
            let pause = millis(pause).to_string();
            let script = &SCRIPTS.renew;
            let arguments = [&claim, pause.as_bytes()];
            let paused: Result<i64, _> =
                link.script(Lane::Reads, script, &[&mark], &arguments).await;
            if let Err(error) = paused {
                tracing::debug!(%error, "the pause after a failed refresh is not kept");
            }
        });
    }

    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Vec<u8>,
        life: Duration,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.link
                .query(Lane::Removals, &set_command(key, &value, life))
                .await
        })
    }

    fn set_many(
        &self,
        entries: Vec<(String, Vec<u8>, Duration)>,
    ) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            if entries.is_empty() {
                return Ok(());
            }
            let mut sets = pipe();
            for (key, value, life) in entries {
                sets.add_command(set_command(&key, &value, life)).ignore();
            }
            self.link.pipeline(Lane::Removals, &sets).await
        })
    }

    fn remove<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(async move {
            if keys.is_empty() {
                return Ok(0);
            }
            self.link
                .query(Lane::Removals, cmd("UNLINK").arg(keys))
                .await
        })
    }

    fn sweep<'a>(
        &'a self,
        pattern: &'a Pattern,
        older_than: Option<u64>,
        step: Option<Duration>,
    ) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(async move {
            let incarnation = self.link.incarnation()?;
            let mut cursor = 0_u64;
            let mut removed = 0;
            let mut found: Vec<Vec<u8>> = Vec::new();
            loop {
                let mut scan = cmd("SCAN");
                scan.arg(cursor)
                    .arg("MATCH")
                    .arg(pattern.as_str())
                    .arg("COUNT")
                    .arg(SCAN_COUNT);
                // What the last step found goes while the next one looks.
                let both = async {
                    tokio::join!(
                        self.link
                            .query::<(u64, Vec<Vec<u8>>)>(Lane::Removals, &scan),
                        self.unlink(&found, older_than),
                    )
                };
                let (next, gone) = match step {
                    None => both.await,
                    Some(step) => match tokio::time::timeout(step, both).await {
                        Ok(answers) => answers,
                        Err(_) => {
                            self.link.overdue();
                            return Err(Error::new(
                                ErrorKind::Timeout,
                                "the server is too slow to walk over its keys now",
                            ));
                        }
                    },
                };
                removed += gone?;
                (cursor, found) = next?;
                // What this crate knows of removals is no entry.
                found.retain(|key| !key.starts_with(self.markers.as_bytes()));
                // A cursor means nothing to another server, and this address
                // may lead to another one now.
                if self.link.incarnation()? != incarnation {
                    return Err(Error::new(
                        ErrorKind::Unavailable,
                        "the connection was lost while keys were removed by pattern",
                    ));
                }
                if cursor == 0 {
                    return Ok(removed + self.unlink(&found, older_than).await?);
                }
            }
        })
    }

    fn numbers<'a>(&'a self, markers: &'a [&'a str]) -> BoxFuture<'a, Result<Numbers, Error>> {
        Box::pin(async move {
            let lives = marker_lives(markers);
            let lives: Vec<&[u8]> = lives.iter().map(String::as_bytes).collect();
            let keys: Vec<&str> = [&*self.counter]
                .into_iter()
                .chain(markers.iter().copied())
                .collect();
            let answer = self
                .link
                .script(Lane::Reads, &SCRIPTS.markers, &keys, &lives)
                .await?;
            numbers(answer)
        })
    }

    fn raise<'a>(
        &'a self,
        markers: &'a [&'a str],
        known: u64,
    ) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(async move {
            let known = known.to_string();
            let lives = marker_lives(markers);
            let mut arguments = vec![known.as_bytes()];
            arguments.extend(lives.iter().map(String::as_bytes));
            let keys: Vec<&str> = [&*self.counter]
                .into_iter()
                .chain(markers.iter().copied())
                .collect();
            let raised: String = self
                .link
                .script(Lane::Removals, &SCRIPTS.remove_tags, &keys, &arguments)
                .await?;
            number(&raised)
        })
    }

    fn life<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Duration>, Error>> {
        Box::pin(async move {
            let left: i64 = self
                .link
                .query(Lane::Removals, cmd("PTTL").arg(key))
                .await?;
            Ok(match left {
                // No such key.
                -2 => None,
                // A key without an expiry, put there by somebody else.
                -1 => Some(Duration::MAX),
                left => Some(Duration::from_millis(left.unsigned_abs())),
            })
        })
    }

    fn overdue(&self) {
        self.link.overdue();
    }

    fn usable(&self) -> BoxFuture<'_, bool> {
        Box::pin(self.link.usable())
    }
}

fn set_command(key: &str, value: &[u8], life: Duration) -> Cmd {
    let mut set = cmd("SET");
    set.arg(key).arg(value).arg("PX").arg(millis(life));
    set
}
