//! One name and one owner, as the store sees them.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use super::super::{Ground, secret};
use super::Release;
#[cfg(feature = "redis")]
use super::background::Running;
#[cfg(feature = "redis")]
use super::redis::Remote;
use super::ticks::Ticks;
use crate::error::{Error, ErrorKind};
use crate::sync::random;
#[cfg(feature = "redis")]
use crate::sync::start;

/// Where one owner takes and releases one lock.
pub(super) struct Slot {
    pub(super) ground: Arc<Ground>,
    pub(super) name: String,
    owner: Owner,
    pub(super) ticks: Ticks,
    #[cfg(feature = "redis")]
    remote: Option<Remote>,
    /// Where to go on in the background: a guard may be dropped anywhere.
    pub(super) runtime: Option<Handle>,
}

/// 128 bits that nobody can guess.
pub(super) type Owner = [u8; 16];

/// What came of asking for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Got {
        fence: u64,
    },
    /// Somebody else has it, for so long.
    Held {
        left: Duration,
    },
}

/// What came of asking for more time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Ours,
    /// There is no such lock any more.
    Missing,
    /// Somebody else has it.
    Others,
}

impl Slot {
    pub(super) fn new(ground: &Arc<Ground>, name: &str) -> Self {
        #[cfg(feature = "redis")]
        let remote = ground
            .server()
            .is_some()
            .then(|| Remote::new(ground.namespace(), name));
        #[cfg(feature = "redis")]
        let is_remote = remote.is_some();
        #[cfg(not(feature = "redis"))]
        let is_remote = false;
        Self {
            ground: Arc::clone(ground),
            name: name.to_owned(),
            owner: secret::bytes(),
            ticks: if is_remote {
                Ticks::Machine
            } else {
                Ticks::Store(ground.clock().clone())
            },
            #[cfg(feature = "redis")]
            remote,
            runtime: Handle::try_current().ok(),
        }
    }

    /// What those share who wait for it in this process.
    pub(super) fn key(&self) -> &str {
        #[cfg(feature = "redis")]
        if let Some(remote) = &self.remote {
            return remote.key();
        }
        &self.name
    }

    #[cfg(feature = "redis")]
    pub(super) fn remote(&self) -> Option<&Remote> {
        self.remote.as_ref()
    }

    #[allow(clippy::unused_async, reason = "a server has to be waited for")]
    pub(super) async fn take(&self, ttl: Duration) -> Result<Taken, Error> {
        #[cfg(feature = "redis")]
        if let (Some(remote), Some(server)) = (&self.remote, self.ground.server()) {
            return remote.take(server, &self.owner, ttl).await;
        }
        let memory = &self.ground.locks;
        Ok(memory.take(&self.name, &self.owner, self.ticks.now(), ttl))
    }

    #[allow(clippy::unused_async, reason = "a server has to be waited for")]
    pub(super) async fn extend(&self, ttl: Duration) -> Result<Standing, Error> {
        #[cfg(feature = "redis")]
        if let (Some(remote), Some(server)) = (&self.remote, self.ground.server()) {
            return remote.extend(server, &self.owner, ttl).await;
        }
        let memory = &self.ground.locks;
        Ok(memory.extend(&self.name, &self.owner, self.ticks.now(), ttl))
    }

    /// `in_time`: by the clock of this process it is held.
    #[allow(clippy::unused_async, reason = "a server has to be waited for")]
    async fn release_once(&self, in_time: bool) -> Result<Release, Error> {
        #[cfg(feature = "redis")]
        if let (Some(remote), Some(server)) = (&self.remote, self.ground.server()) {
            return remote.release(server, &self.owner, in_time).await;
        }
        let _ = in_time;
        let memory = &self.ground.locks;
        Ok(memory.release(&self.name, &self.owner, self.ticks.now()))
    }

    /// Waits until `replicas` have acknowledged that it is held, after it was
    /// held for so long from now on. `None`: it is not held any more.
    #[cfg(feature = "redis")]
    pub(super) async fn confirm(
        &self,
        ttl: Duration,
        replicas: usize,
        patience: Duration,
    ) -> Result<Option<(u64, usize)>, Error> {
        let (Some(remote), Some(server)) = (&self.remote, self.ground.server()) else {
            return Ok(None);
        };
        remote
            .confirm(server, &self.owner, ttl, replicas, patience)
            .await
    }

    /// Releases it, and asks again if an answer is lost, for as long as one
    /// command may take. `until`: when this process takes it for lost.
    pub(super) async fn release(&self, until: Duration) -> Result<Release, Error> {
        let patience = self.ground.patience().command;
        let give_up = Instant::now() + patience;
        // An answer was lost of what was asked while it was held.
        let mut unheard = false;
        let mut failures = 0;
        loop {
            let in_time = self.ticks.now() < until;
            // By reference: moved, it would take its room twice.
            let mut asked = pin!(self.release_once(in_time));
            let answer = timeout_at(give_up, asked.as_mut()).await;
            let error = match answer {
                // The first of the questions has removed it.
                Ok(Ok(Release::Expired | Release::NotOwner)) if unheard => {
                    return Ok(Release::Released);
                }
                Ok(Ok(release)) => return Ok(release),
                Ok(Err(error)) => error,
                Err(_) => late(patience),
            };
            if !may_pass(&error) {
                return Err(error);
            }
            unheard |= in_time && error.is_timeout();
            let pause = backoff(failures);
            failures += 1;
            if Instant::now() + pause >= give_up {
                return Err(error);
            }
            Box::pin(tokio::time::sleep(pause)).await;
        }
    }

    /// Releases it in the background. `until`: when it will have expired
    /// everywhere; `uncertain`: a question that is still on its way may take it
    /// yet.
    pub(super) fn release_later(self: Arc<Self>, until: Duration, uncertain: bool) {
        #[cfg(feature = "redis")]
        if self.remote.is_some() {
            if let Some(runtime) = self.runtime.clone() {
                let running = self.ground.locks.background.begin();
                // What is sent now is sent after what was asked before.
                start(
                    Some(&runtime),
                    self.keep_releasing(until, uncertain, running),
                );
            }
            return;
        }
        #[cfg(not(feature = "redis"))]
        let _ = (until, uncertain);
        let memory = &self.ground.locks;
        let _ = memory.release(&self.name, &self.owner, self.ticks.now());
    }

    #[cfg(feature = "redis")]
    async fn keep_releasing(self: Arc<Self>, until: Duration, uncertain: bool, running: Running) {
        let mut failures = 0;
        loop {
            let answer = self.release_once(false).await;
            let done = match &answer {
                Ok(Release::Expired) => !uncertain || failures > 3,
                Ok(_) => true,
                Err(error) => !may_pass(error),
            };
            if done || self.ticks.now() > until {
                return;
            }
            if let Err(error) = &answer {
                tracing::debug!(lock = self.name, %error, "a lock was not released yet");
            }
            // When all is to end, what cannot be released now expires.
            if !running.sleep(backoff(failures)).await {
                return;
            }
            failures += 1;
        }
    }
}

/// The same question may be answered later.
pub(super) fn may_pass(error: &Error) -> bool {
    error.is_unavailable()
}

pub(super) fn late(patience: Duration) -> Error {
    Error::new(
        ErrorKind::Timeout,
        format!("the server did not answer within {patience:?}"),
    )
}

/// 20 ms, doubled up to 320 ms, less up to half of it at random.
pub(super) fn backoff(failures: u32) -> Duration {
    let longest = 20_u64 << failures.min(4);
    Duration::from_millis(longest - random() % (longest / 2 + 1))
}
