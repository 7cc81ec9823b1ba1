//! What is under a key, without its value.

use std::time::Duration;

use super::Cache;
use crate::codec::CodecId;
use crate::codec::envelope::{self, Opened};
use crate::error::Error;
use crate::key::IntoKey;

/// What is under a key, without its value.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// What is left of its life.
    pub ttl: Duration,
    /// Since when it is there; `None` if it is not an entry of this cache.
    pub age: Option<Duration>,
    /// All of its bytes, the envelope included.
    pub size: usize,
    /// Which codec wrote the value.
    pub codec: Option<CodecId>,
    /// It says that the source has nothing.
    pub absent: bool,
    /// It is the lease of a load that is running.
    pub lease: bool,
    /// The tags it can be removed by.
    pub tags: Vec<String>,
}

impl Cache {
    /// What is under `key`, without its value.
    ///
    /// # Errors
    /// A key that cannot be used, or a store that fails.
    pub async fn inspect(&self, key: impl IntoKey) -> Result<Option<Inspection>, Error> {
        let key = self.engine.full(key.into_key()?.as_str());
        let remote = self.engine.remote();
        let (bytes, _) = remote.get(&key, &[]).await?;
        let (Some(bytes), Some(ttl)) = (bytes, remote.life(&key).await?) else {
            return Ok(None);
        };
        let mut seen = Inspection {
            ttl,
            age: None,
            size: bytes.len(),
            codec: None,
            absent: false,
            lease: false,
            tags: Vec::new(),
        };
        match envelope::open(key.as_bytes(), &bytes) {
            Ok(Opened::Value(header, _)) => {
                if self.engine.permitted(&key, &header).await?.is_none() {
                    return Ok(None);
                }
                let age = self.engine.clock().now().saturating_sub(header.created_ms);
                seen.age = Some(Duration::from_millis(age));
                seen.codec = Some(header.codec).filter(|_| !header.absent);
                seen.absent = header.absent;
                seen.tags = header.tags.iter().map(ToString::to_string).collect();
            }
            Ok(Opened::Lease(_)) => seen.lease = true,
            Err(_) => {}
        }
        Ok(Some(seen))
    }
}
