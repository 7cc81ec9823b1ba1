//! On a server.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use once_cell::sync::Lazy;
use redis::cmd;

use super::super::{Server, name};
use super::Release;
use super::room::Bell;
use super::slot::{Owner, Standing, Taken};
use crate::conn::subscribe::{Kind, Sink, Subscribed, Topic};
use crate::conn::{Digits, Lane, Leg, Lua};
use crate::error::{Error, ErrorKind};

/// The key of one lock, which is the name of its channel, too.
pub(super) struct Remote {
    key: [String; 1],
}

struct Scripts {
    acquire: Lua,
    extend: Lua,
    release: Lua,
}

static SCRIPTS: Lazy<Scripts> = Lazy::new(|| Scripts {
    acquire: Lua::new(include_str!("lua/acquire.lua")),
    extend: Lua::new(include_str!("lua/extend.lua")),
    release: Lua::new(include_str!("lua/release.lua")),
});

/// The key, which has the last fence, outlives its lock by so long. Without it
/// fences go by the server's clock, which then must not have stepped back by more
/// than has gone by.
const FENCE_OUTLIVES: Duration = Duration::from_secs(60 * 60);

impl Remote {
    pub(super) fn new(namespace: &str, name: &str) -> Self {
        Self {
            key: [[namespace, "lock:", &name::tagged(name)].concat()],
        }
    }

    pub(super) fn key(&self) -> &str {
        &self.key[0]
    }

    fn leg(&self, server: &Server) -> Result<Leg, Error> {
        server.routes.of(&self.key[0])
    }

    pub(super) async fn take(
        &self,
        server: &Server,
        owner: &Owner,
        ttl: Duration,
    ) -> Result<Taken, Error> {
        let (ttl, life) = lives(ttl);
        let arguments = [&owner[..], ttl.as_bytes(), life.as_bytes()];
        let leg = self.leg(server)?;
        let answer: i64 = leg
            .script(Lane::Removals, &SCRIPTS.acquire, &self.key, &arguments)
            .await?;
        Ok(taken(answer))
    }

    pub(super) async fn extend(
        &self,
        server: &Server,
        owner: &Owner,
        ttl: Duration,
    ) -> Result<Standing, Error> {
        let (ttl, life) = lives(ttl);
        let arguments = [&owner[..], ttl.as_bytes(), life.as_bytes()];
        let leg = self.leg(server)?;
        let answer: i8 = leg
            .script(Lane::Removals, &SCRIPTS.extend, &self.key, &arguments)
            .await?;
        Ok(match answer {
            1 => Standing::Ours,
            0 => Standing::Missing,
            _ => Standing::Others,
        })
    }

    /// `in_time`: by the clock of this process it is held.
    pub(super) async fn release(
        &self,
        server: &Server,
        owner: &Owner,
        in_time: bool,
    ) -> Result<Release, Error> {
        let leg = self.leg(server)?;
        let publish: &[u8] = match kind(server, &leg) {
            Kind::Sharded => b"SPUBLISH",
            _ => b"PUBLISH",
        };
        let arguments = [&owner[..], publish, b"1"];
        let arguments = &arguments[..if in_time { 2 } else { 3 }];
        let answer: i8 = leg
            .script(Lane::Removals, &SCRIPTS.release, &self.key, arguments)
            .await?;
        Ok(match answer {
            1 => Release::Released,
            0 => Release::Expired,
            _ => Release::NotOwner,
        })
    }

    /// Takes it once more, over a connection of its own, and waits there until
    /// so many replicas have it: a server is asked for what *this connection*
    /// has written, and says nothing else over it meanwhile. Returns the fence,
    /// and how many replicas have it.
    pub(super) async fn confirm(
        &self,
        server: &Server,
        owner: &Owner,
        ttl: Duration,
        replicas: usize,
        patience: Duration,
    ) -> Result<Option<(u64, usize)>, Error> {
        let mut alone = self.leg(server)?.link().dedicated(patience).await?;
        let (ttl, life) = lives(ttl);
        let arguments = [&owner[..], ttl.as_bytes(), life.as_bytes()];
        let answer: i64 = alone
            .script(&SCRIPTS.acquire, &self.key, &arguments)
            .await?;
        let Taken::Got { fence } = taken(answer) else {
            return Ok(None);
        };
        let mut wait = cmd("WAIT");
        // Zero would be for ever.
        wait.arg(replicas).arg(millis(patience));
        Ok(Some((fence, alone.query(&wait).await?)))
    }

    /// Has the bell ring whenever it is released.
    pub(super) async fn listen(
        &self,
        server: &Server,
        bell: &Arc<Bell>,
    ) -> Result<Subscribed, Error> {
        let topic = Topic {
            kind: kind(server, &self.leg(server)?),
            name: self.key[0].as_bytes().into(),
        };
        let ear = Arc::new(Ear(Arc::downgrade(bell)));
        let subscribed = server.subscriptions.subscribe(topic, ear).await?;
        bell.hears(true);
        Ok(subscribed)
    }
}

/// How a release is published. In a cluster only the node that has the lock
/// has to know, where the server can do that.
fn kind(server: &Server, leg: &Leg) -> Kind {
    if server.routes.is_cluster() && leg.link().is_modern() {
        Kind::Sharded
    } else {
        Kind::Exact
    }
}

/// A fence is above 0, and what is left to the holder is not.
fn taken(answer: i64) -> Taken {
    match u64::try_from(answer) {
        Ok(fence @ 1..) => Taken::Got { fence },
        _ => Taken::Held {
            left: Duration::from_millis(answer.unsigned_abs()),
        },
    }
}

/// Of the lock and of its key.
fn lives(ttl: Duration) -> (Digits, Digits) {
    let life = ttl.saturating_mul(2).saturating_add(FENCE_OUTLIVES);
    (millis(ttl).into(), millis(life).into())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis())
        .unwrap_or(u64::MAX)
        .max(1)
}

/// Hears of releases.
struct Ear(Weak<Bell>);

impl Ear {
    fn tell(&self, hears: bool) {
        if let Some(bell) = self.0.upgrade() {
            bell.hears(hears);
            bell.ring();
        }
    }
}

impl Sink for Ear {
    fn message(&self, _: &[u8], _: &[u8]) {
        self.tell(true);
    }

    fn lost(&self) {
        self.tell(false);
    }

    fn gap(&self, _: Instant) {
        self.tell(true);
    }

    fn ended(&self, _: &Error) {
        self.tell(false);
    }
}

/// Fewer replicas than asked for.
pub(super) fn too_few(name: &str, acknowledged: usize, asked: usize, within: Duration) -> Error {
    Error::new(
        ErrorKind::Replicas,
        format!(
            "{acknowledged} of {asked} replicas acknowledged the lock `{name}` within {within:?}, \
             so it was released: write a smaller number in `wait_replicas`, or look why the \
             replicas are behind"
        ),
    )
}
