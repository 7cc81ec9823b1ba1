//! Keeps one connection up.
//!
//! Connect, load the scripts, ask for the time, publish. Then wait for one of
//! three: the client says that the connection broke, the heartbeat is not
//! answered (a silent network says nothing), or the owner closes. Withdraw
//! first, then begin again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, PushInfo, PushKind, Script};
use tokio::sync::watch;

use super::address::Address;
use super::fault::translate;
use super::{Signals, State, Timeouts};
use crate::error::{Error, ErrorKind};
use crate::sync::random;
use crate::time::Clock;

pub(super) struct Supervisor {
    pub(super) address: Address,
    pub(super) timeouts: Timeouts,
    pub(super) scripts: &'static [&'static Script],
    pub(super) clock: Clock,
    pub(super) signals: Arc<Signals>,
    pub(super) publish: watch::Sender<State>,
}

/// How often an idle connection is asked whether it is still there.
const HEARTBEAT: Duration = Duration::from_secs(1);

impl Supervisor {
    pub(super) async fn run(self) {
        let signals = Arc::clone(&self.signals);
        tokio::select! {
            // All handles are gone: the runtime was dropped without shutdown.
            () = self.publish.closed() => {}
            () = signals.close.notified() => {}
            () = self.keep_up() => {}
        }
        self.publish.send_replace(State::Closed);
    }

    async fn keep_up(&self) {
        let mut failures = 0_u32;
        // Each outage is said once.
        let mut said = false;
        loop {
            match self.connect().await {
                Ok(connection) => {
                    if said {
                        tracing::info!(server = %self.address, "connected again");
                    }
                    self.publish.send_replace(State::Up(connection.clone()));
                    let up = Instant::now();
                    let error = self.watch(connection).await;
                    tracing::warn!(server = %self.address, %error, "the connection was lost; trying to reconnect");
                    self.publish.send_replace(State::Down(error));
                    if up.elapsed() > HEARTBEAT {
                        failures = 0;
                        said = false;
                    } else {
                        // A link that breaks as soon as it is made is no better
                        // than none.
                        tokio::time::sleep(backoff(failures)).await;
                        failures = failures.saturating_add(1);
                    }
                }
                Err(error) => {
                    if !said {
                        said = true;
                        tracing::warn!(server = %self.address, %error, "cannot connect; trying again in the background");
                    }
                    self.publish.send_replace(State::Down(error));
                    tokio::time::sleep(backoff(failures)).await;
                    failures = failures.saturating_add(1);
                }
            }
        }
    }

    async fn connect(&self) -> Result<MultiplexedConnection, Error> {
        let attempt = async {
            let signals = Arc::clone(&self.signals);
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(None)
                .set_response_timeout(Some(self.timeouts.command))
                .set_push_sender(move |push: PushInfo| {
                    if push.kind == PushKind::Disconnection {
                        signals.broken.notify_one();
                    }
                    Ok::<_, redis::aio::SendError>(())
                });
            let client = Client::open(self.address.info().clone())?;
            let mut connection = client
                .get_multiplexed_async_connection_with_config(&config)
                .await?;
            for script in self.scripts {
                script.load_async(&mut connection).await?;
            }
            self.follow_time(&mut connection).await?;
            Ok(connection)
        };
        match tokio::time::timeout(self.timeouts.connect, attempt).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(translate(&error, self.timeouts.command)),
            Err(_) => Err(Error::new(
                ErrorKind::Timeout,
                format!("no connection within {:?}", self.timeouts.connect),
            )),
        }
    }

    /// Ends when the connection is of no more use, and says why.
    async fn watch(&self, mut connection: MultiplexedConnection) -> Error {
        loop {
            // The notice may be of a connection before this one, so it only
            // brings the question forward.
            let broken = self.signals.broken.notified();
            drop(tokio::time::timeout(HEARTBEAT, broken).await);
            if let Err(error) = self.follow_time(&mut connection).await {
                return translate(&error, self.timeouts.command);
            }
        }
    }

    /// The heartbeat: it asks for the server's time, which all decisions
    /// about age go by.
    async fn follow_time(&self, connection: &mut MultiplexedConnection) -> redis::RedisResult<()> {
        let asked = Instant::now();
        let (seconds, micros): (u64, u64) = redis::cmd("TIME").query_async(connection).await?;
        self.clock
            .follow(seconds * 1000 + micros / 1000, asked.elapsed());
        Ok(())
    }
}

/// 50 ms, doubled up to 2 s, less up to half of it at random, so that a fleet
/// does not come back in step.
fn backoff(failures: u32) -> Duration {
    let longest = 50_u64.saturating_mul(1 << failures.min(6)).min(2_000);
    Duration::from_millis(longest - random() % (longest / 2 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_differ() {
        for failures in 0..100 {
            let pause = backoff(failures);
            assert!(pause >= Duration::from_millis(25), "{pause:?}");
            assert!(pause <= Duration::from_secs(2), "{pause:?}");
        }
        assert!(backoff(90) >= Duration::from_secs(1));
        let pauses: std::collections::HashSet<_> = (0..50).map(|_| backoff(90)).collect();
        assert!(pauses.len() > 1);
    }
}
