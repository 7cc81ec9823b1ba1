//! The store in a Redis or Valkey server.

use std::sync::Arc;
use std::time::Duration;

use once_cell::sync::Lazy;
use redis::{Script, cmd, pipe};
use tokio::runtime::Handle;

use super::RemoteStore;
use crate::conn::Link;
use crate::error::Error;
use crate::pattern::Pattern;
use crate::sync::{BoxFuture, start};

pub(crate) struct RedisStore {
    link: Arc<Link>,
    /// Where the link lives.
    runtime: Handle,
}

struct Scripts {
    acquire: Script,
    fill: Script,
    renew: Script,
    abandon: Script,
}

static SCRIPTS: Lazy<Scripts> = Lazy::new(|| Scripts {
    acquire: Script::new(include_str!("lua/acquire.lua")),
    fill: Script::new(include_str!("lua/fill.lua")),
    renew: Script::new(include_str!("lua/renew.lua")),
    abandon: Script::new(include_str!("lua/abandon.lua")),
});

/// What a new connection makes known to the server.
pub(crate) static PRELOADED: Lazy<[&'static Script; 4]> = Lazy::new(|| {
    let scripts = &*SCRIPTS;
    [
        &scripts.acquire,
        &scripts.fill,
        &scripts.renew,
        &scripts.abandon,
    ]
});

/// Keys looked at by one `SCAN`: enough that round trips do not count, few
/// enough that other clients wait for less than a millisecond.
const SCAN_COUNT: usize = 1_000;

impl RedisStore {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self {
            link,
            runtime: Handle::current(),
        }
    }

    async fn unlink(&self, keys: &[Vec<u8>]) -> Result<u64, Error> {
        if keys.is_empty() {
            return Ok(0);
        }
        self.link.query(cmd("UNLINK").arg(keys)).await
    }
}

/// A life as `PX` takes it: whole milliseconds, at least one.
fn millis(life: Duration) -> u64 {
    u64::try_from(life.as_millis()).unwrap_or(u64::MAX).max(1)
}

impl RemoteStore for RedisStore {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, Error>> {
        Box::pin(async move { self.link.query(cmd("GET").arg(key)).await })
    }

    fn get_many<'a>(
        &'a self,
        keys: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Option<Vec<u8>>>, Error>> {
        Box::pin(async move {
            if keys.is_empty() {
                return Ok(Vec::new());
            }
            self.link.query(cmd("MGET").arg(keys)).await
        })
    }

    fn acquire<'a>(
        &'a self,
        key: &'a str,
        lease: &'a [u8],
        life: Duration,
        over: Option<&'a [u8]>,
    ) -> BoxFuture<'a, Result<Option<Vec<u8>>, Error>> {
        Box::pin(async move {
            let life = millis(life).to_string();
            let arguments = [lease, life.as_bytes(), over.unwrap_or_default()];
            self.link.script(&SCRIPTS.acquire, key, &arguments).await
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
                .script(&SCRIPTS.renew, key, &[lease, life.as_bytes()])
                .await
        })
    }

    fn fill<'a>(
        &'a self,
        key: &'a str,
        lease: &'a [u8],
        value: Vec<u8>,
        life: Duration,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            let life = millis(life).to_string();
            let arguments = [lease, &value, life.as_bytes()];
            self.link.script(&SCRIPTS.fill, key, &arguments).await
        })
    }

    fn release<'a>(&'a self, key: &'a str, lease: &'a [u8]) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move { self.link.script(&SCRIPTS.abandon, key, &[lease]).await })
    }

    fn abandon(&self, key: &str, lease: &[u8]) {
        let (link, key, lease) = (Arc::clone(&self.link), key.to_owned(), lease.to_vec());
        start(Some(&self.runtime), async move {
            let abandoned = link.script::<()>(&SCRIPTS.abandon, &key, &[&lease]).await;
            if let Err(error) = abandoned {
                tracing::debug!(%error, "a lease was not removed and ends by itself");
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
            let mut set = cmd("SET");
            set.arg(key).arg(value).arg("PX").arg(millis(life));
            self.link.query(&set).await
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
                sets.cmd("SET")
                    .arg(key)
                    .arg(value)
                    .arg("PX")
                    .arg(millis(life))
                    .ignore();
            }
            self.link.pipeline(&sets).await
        })
    }

    fn remove<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(async move {
            if keys.is_empty() {
                return Ok(0);
            }
            self.link.query(cmd("UNLINK").arg(keys)).await
        })
    }

    fn sweep<'a>(&'a self, pattern: &'a Pattern) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(async move {
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
                let (next, gone) = tokio::join!(
                    self.link.query::<(u64, Vec<Vec<u8>>)>(&scan),
                    self.unlink(&found),
                );
                removed += gone?;
                (cursor, found) = next?;
                if cursor == 0 {
                    return Ok(removed + self.unlink(&found).await?);
                }
            }
        })
    }

    fn life<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Duration>, Error>> {
        Box::pin(async move {
            let left: i64 = self.link.query(cmd("PTTL").arg(key)).await?;
            Ok(match left {
                // No such key.
                -2 => None,
                // A key without an expiry, put there by somebody else.
                -1 => Some(Duration::MAX),
                left => Some(Duration::from_millis(left.unsigned_abs())),
            })
        })
    }
}
