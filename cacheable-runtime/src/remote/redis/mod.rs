//! The store in a Redis or Valkey server.

mod many;
mod orphans;
mod scripts;
mod sweep;

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{Cmd, cmd};
use tokio::runtime::Handle;

use super::{Claimed, Expect, Numbers, Origin, Read, RemoteStore};
use crate::conn::{Digits, Lane, Routes, slot, tag};
use crate::error::{Error, ErrorKind};
use crate::pattern::Pattern;
use crate::sync::{BoxFuture, random, start};
use orphans::Orphans;
pub(crate) use scripts::{PRELOADED, counter_key, counter_script};
use scripts::{Range, SCRIPTS, marker_lives, millis, numbers};

pub(crate) struct RedisStore {
    routes: Arc<Routes>,
    namespace: String,
    counter: String,
    /// What all markers, and the counter, begin with.
    markers: String,
    orphans: Arc<Orphans>,
    /// Where the connections live.
    runtime: Handle,
}

/// A larger value does not go through a script, which would copy and hash it.
const PARKED: usize = 2 * 1024;

/// How long it waits for the script that follows it right away: a connection
/// that breaks between the two leaves it behind.
const PARKED_LIFE: Duration = Duration::from_secs(60);

impl RedisStore {
    pub(crate) fn new(routes: Arc<Routes>, namespace: &str) -> Self {
        let store = Self {
            routes,
            namespace: namespace.to_owned(),
            counter: counter_key(namespace),
            markers: format!("{namespace}tag:{{{namespace}tag}}:"),
            orphans: Arc::default(),
            runtime: Handle::current(),
        };
        tokio::spawn(Arc::clone(&store.orphans).clear_up(Arc::downgrade(&store.routes)));
        store
    }

    /// A key beside an entry's, in the same slot of a cluster.
    fn beside(&self, what: &str, key: &str) -> String {
        let namespace = &self.namespace;
        if tag(key.as_bytes()).is_some() {
            format!("{namespace}{what}:{key}")
        } else if key.contains(['{', '}']) {
            // It cannot be a tag itself, so some number of its slot is.
            let its = slot(key.as_bytes());
            let number = (0..=u32::MAX).find(|number| slot(number.to_string().as_bytes()) == its);
            let number = number.expect("there are more numbers than slots");
            format!("{namespace}{what}:{{{number}}}:{key}")
        } else {
            format!("{namespace}{what}:{{{key}}}")
        }
    }

    fn mark(&self, key: &str) -> String {
        self.beside("refresh", key)
    }

    fn abandon_later(&self, key: String, lease: &[u8], lane: Lane) {
        let leg = self.routes.of(&key);
        let removal = Arc::clone(&self.orphans).remove(leg, lane, key, lease.to_vec());
        start(Some(&self.runtime), removal);
    }
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        self.orphans.end();
    }
}

fn lane(from: Origin) -> Lane {
    match from {
        Origin::Load => Lane::Reads,
        Origin::Put => Lane::Removals,
    }
}

impl RemoteStore for RedisStore {
    fn get<'a>(
        &'a self,
        key: &'a str,
        markers: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Read, Error>> {
        if markers.is_empty() {
            return Box::pin(async move { Ok((self.routes.get(key, None).await?, None)) });
        }
        Box::pin(async move {
            let mut get = cmd("GET");
            get.arg(key);
            let leg = self.routes.of(key)?;
            let to_markers = self.routes.of(&self.counter)?;
            if !leg.is_same(&to_markers) {
                // One after the other: what is promised is that the markers
                // are read after the bytes, and no order holds between two
                // nodes that are asked at once.
                let bytes = leg.get(key).await?;
                return Ok((bytes, Some(self.numbers(markers).await?)));
            }
            let lives = marker_lives(markers);
            let lives: Vec<&[u8]> = lives.iter().map(String::as_bytes).collect();
            let keys: Vec<&str> = [&*self.counter]
                .into_iter()
                .chain(markers.iter().copied())
                .collect();
            let (bytes, answer): (_, Vec<String>) = leg
                .with_script(Lane::Reads, &get, &SCRIPTS.markers, &keys, &lives)
                .await?;
            Ok((bytes, Some(numbers(&answer)?)))
        })
    }

    fn get_until<'a>(
        &'a self,
        key: &'a str,
        until: Instant,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, Error>> {
        Box::pin(self.routes.get(key, Some(until)))
    }

    fn get_many<'a>(
        &'a self,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Option<Vec<u8>>>, Error>> {
        Box::pin(self.read_several(keys))
    }

    fn acquire<'a>(
        &'a self,
        key: &'a str,
        lease: &'a [u8],
        life: Duration,
        over: Option<Expect<'a>>,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, Error>> {
        Box::pin(async move {
            let leg = self.routes.of(key)?;
            if over.is_none() {
                let mut place = set_command(key, lease, life);
                place.arg("NX");
                // Nobody has to be told of what becomes of the lease: the script
                // that fills it looks, and follows the key from then on.
                if leg.query(Lane::Reads, &place).await? {
                    return Ok(None);
                }
                if let Some(present) = leg.get(key).await? {
                    return Ok(Some(present));
                }
                // It is gone again: whatever comes, the script knows what to do.
            }
            let life = Digits::from(millis(life));
            let over = over.map(Range::from);
            let mut arguments = [lease, life.as_bytes(), &[], &[], &[]];
            let mut given = 2;
            if let Some(over) = &over {
                arguments[2..].copy_from_slice(&[
                    over.from.as_bytes(),
                    over.to.as_bytes(),
                    over.bytes(),
                ]);
                given = 5;
            }
            leg.script(Lane::Reads, &SCRIPTS.acquire, &[key], &arguments[..given])
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
            let life = Digits::from(millis(life));
            self.routes
                .of(key)?
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
            let life = Digits::from(millis(life));
            let range = Range::from(expected);
            let inline = value.len() <= PARKED;
            let arguments = [
                range.from.as_bytes(),
                range.to.as_bytes(),
                range.bytes(),
                if inline { &value } else { &[][..] },
                life.as_bytes(),
            ];
            let leg = self.routes.of(key)?;
            let filled: i64 = if inline {
                leg.script(lane(from), &SCRIPTS.fill, &[key], &arguments)
                    .await?
            } else {
                let parked = format!("{}:{:016x}", self.beside("parked", key), random());
                let mut park = cmd("SET");
                park.arg(&parked).arg(&value);
                park.arg("PX").arg(millis(PARKED_LIFE));
                let keys = [key, &parked];
                let both = leg.with_script(lane(from), &park, &SCRIPTS.fill, &keys, &arguments);
                // Most values are small, and have no room for it.
                let ((), filled) = Box::pin(both).await?;
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
            self.routes
                .of(key)?
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
            let life = Digits::from(millis(life));
            let range = Range::from(Expect::Serial(serial));
            let arguments = [
                range.from.as_bytes(),
                range.to.as_bytes(),
                range.bytes(),
                claim,
                life.as_bytes(),
            ];
            let mark = self.mark(key);
            let keys = [key, &mark];
            let claimed: i64 = self
                .routes
                .of(key)?
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
        let (leg, claim) = (self.routes.of(&mark), claim.to_vec());
        start(Some(&self.runtime), async move {
            let pause = Digits::from(millis(pause));
            let script = &SCRIPTS.renew;
            let arguments = [&claim, pause.as_bytes()];
            let paused = match leg {
                Ok(leg) => {
                    leg.script::<i64, _>(Lane::Reads, script, &[&mark], &arguments)
                        .await
                }
                Err(error) => Err(error),
            };
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
            self.routes
                .of(key)?
                .query(Lane::Removals, &set_command(key, &value, life))
                .await
        })
    }

    fn set_many(
        &self,
        entries: Vec<(String, Vec<u8>, Duration)>,
    ) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(self.set_several(entries))
    }

    fn remove<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<u64, Error>> {
        if let [key] = keys {
            return Box::pin(async move {
                let mut unlink = cmd("UNLINK");
                unlink.arg(key);
                self.routes.of(key)?.query(Lane::Removals, &unlink).await
            });
        }
        Box::pin(self.remove_several(keys))
    }

    fn sweep<'a>(
        &'a self,
        pattern: &'a Pattern,
        older_than: Option<u64>,
        step: Option<Duration>,
    ) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(self.walk(pattern, older_than, step))
    }

    fn numbers<'a>(&'a self, markers: &'a [&'a str]) -> BoxFuture<'a, Result<Numbers, Error>> {
        Box::pin(self.numbers_of(markers))
    }

    fn raise<'a>(
        &'a self,
        markers: &'a [&'a str],
        known: u64,
    ) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(self.raise_all(markers, known))
    }

    fn life<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Duration>, Error>> {
        Box::pin(async move {
            let left: i64 = self
                .routes
                .of(key)?
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
        self.routes.overdue();
    }

    fn has_given_up(&self, lease: &[u8]) -> bool {
        self.orphans.holds(lease)
    }

    fn settled(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.orphans.none())
    }

    fn takes_writes<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            // A write is refused whether or not there is something to remove.
            let nothing = format!("{}:nothing", self.beside("parked", key));
            self.routes
                .of(key)?
                .query(Lane::Reads, cmd("UNLINK").arg(nothing))
                .await
        })
    }

    fn trouble(&self) -> Option<Error> {
        self.routes.outage()
    }
}

fn set_command(key: &str, value: &[u8], life: Duration) -> Cmd {
    // With the digits of a life, and a condition.
    let bytes = "SETPXNX".len() + key.len() + value.len() + 20;
    let mut set = Cmd::with_capacity(6, bytes);
    set.arg("SET").arg(key).arg(value);
    set.arg("PX").arg(millis(life));
    set
}
