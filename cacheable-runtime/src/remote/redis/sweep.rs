//! Removal by pattern: a walk over all keys that holds nobody up.

use std::time::Duration;

use redis::cmd;

use super::super::STAMP;
use super::RedisStore;
use super::scripts::SCRIPTS;
use crate::conn::Lane;
use crate::error::{Error, ErrorKind};
use crate::pattern::Pattern;

/// Keys looked at by one `SCAN`: enough that round trips do not count, few
/// enough that other clients wait for less than a millisecond.
const SCAN_COUNT: usize = 1_000;

/// Keys that one run of a script looks at, for the same reason.
const SCRIPT_KEYS: usize = 100;

impl RedisStore {
    pub(super) async fn walk(
        &self,
        pattern: &Pattern,
        older_than: Option<u64>,
        step: Option<Duration>,
    ) -> Result<u64, Error> {
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
            let (next, gone) = self.within(step, both).await?;
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
                let gone = self.within(step, self.unlink(&found, older_than)).await?;
                return Ok(removed + gone?);
            }
        }
    }

    /// Awaits one step for as long as it may take.
    async fn within<T>(
        &self,
        limit: Option<Duration>,
        step: impl Future<Output = T>,
    ) -> Result<T, Error> {
        let Some(limit) = limit else {
            return Ok(step.await);
        };
        tokio::time::timeout(limit, step).await.map_err(|_| {
            self.link.overdue();
            Error::new(
                ErrorKind::Timeout,
                "the server is too slow to walk over its keys now",
            )
        })
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
}
