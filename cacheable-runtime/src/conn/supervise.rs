//! Keeps one link up.
//!
//! Connect and greet the server (see [`greet`](super::greet)), publish. Then wait
//! for one of three: something is doubtful about the connection, the heartbeat is
//! due (a silent network says nothing), or the owner closes. Withdraw first, tell
//! the listener, then begin again. So it is when the sentinels name another server.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use redis::{ConnectionInfo, RedisResult, cmd};
use tokio::sync::watch;

use super::address::Address;
use super::greet::ask_time;
use super::stream::Connection;
use super::trace::Trace;
use super::untold::Untold;
use super::{Pair, Shared, State};
use crate::error::{Error, ErrorKind};
use crate::sync::{lock, random};

pub(super) struct Supervisor {
    pub(super) address: Address,
    pub(super) shared: Arc<Shared>,
    publish: watch::Sender<State>,
    /// Of the pair that was published last.
    pub(super) trace: Mutex<Option<Trace>>,
}

/// How often an idle connection is asked whether it is still there.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How often a server is asked that is left alone.
const PROBE: Duration = Duration::from_millis(200);

impl Supervisor {
    pub(super) fn new(
        address: Address,
        shared: Arc<Shared>,
        publish: watch::Sender<State>,
    ) -> Self {
        Self {
            address,
            shared,
            publish,
            trace: Mutex::default(),
        }
    }

    pub(super) async fn run(self) {
        let shared = Arc::clone(&self.shared);
        tokio::select! {
            // All handles are gone: the runtime was dropped without shutdown.
            () = self.publish.closed() => {}
            () = shared.close.notified() => {}
            () = self.keep_up() => {}
            // Beside it: sentinels that are slow hold nothing up.
            () = self.address.follow() => {}
        }
        self.address.close();
        self.publish.send_replace(State::Closed);
        self.shared.listener.lost();
    }

    async fn keep_up(&self) {
        let mut failures = 0_u32;
        let mut first = true;
        // Each outage is said once.
        let mut said = false;
        loop {
            let broken = Arc::new(Broken::default());
            let patience = if first {
                self.shared.timeouts.connect
            } else {
                attempt_patience(self.shared.timeouts.connect, failures)
            };
            first = false;
            match self.connect(&broken, patience).await {
                Ok((pair, untold, at)) => {
                    if said {
                        tracing::info!(server = %self.address, "connected again");
                    }
                    self.shared.breaker.close();
                    self.publish.send_replace(State::Up(pair.clone()));
                    let up = Instant::now();
                    let error = tokio::select! {
                        error = self.watch(pair, untold) => error,
                        error = self.address.left(&at) => error,
                    };
                    broken.set();
                    self.publish.send_replace(State::Down(error.clone()));
                    self.shared.listener.lost();
                    if let Some(outdated) = &self.shared.cluster {
                        outdated.notify_one();
                    }
                    tracing::warn!(server = %self.address, %error, "the connection was lost; trying to reconnect");
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
                    broken.set();
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

    /// With it comes what it is connected to.
    async fn connect(
        &self,
        broken: &Arc<Broken>,
        patience: Duration,
    ) -> Result<(Pair, Untold, ConnectionInfo), Error> {
        let attempt = async {
            let at = self.address.locate(patience).await?;
            let greeted = tokio::select! {
                greeted = self.greet(&at, broken) => greeted,
                // A server that is silent and that nobody holds for the
                // primary any more is not waited for.
                error = self.address.left(&at) => return Err(error),
            };
            let (pair, untold) = greeted.map_err(|error| self.shared.translate(&error))?;
            Ok((pair, untold, at))
        };
        tokio::time::timeout(patience, attempt)
            .await
            .unwrap_or_else(|_| {
                Err(Error::new(
                    ErrorKind::Timeout,
                    format!("no connection within {patience:?}"),
                ))
            })
    }

    /// Ends when the connection is of no more use, and says why. `untold`: from
    /// before anything was read over it.
    async fn watch(&self, mut pair: Pair, mut untold: Untold) -> Error {
        let shared = &self.shared;
        let mut left_alone = false;
        loop {
            let pause = if left_alone { PROBE } else { HEARTBEAT };
            // The notice may be of a connection before this one, so it only
            // brings the question forward.
            drop(tokio::time::timeout(pause, shared.doubtful.notified()).await);
            if shared.breaker.is_open() && !left_alone {
                // Only here, so that it cannot come after the server was found
                // to be of use again.
                left_alone = true;
                shared.listener.lost();
            }
            let asked = Instant::now();
            let alone_before = left_alone;
            let answer = {
                let mut ask = pin!(self.ask(&mut pair, left_alone));
                loop {
                    tokio::select! {
                        answer = &mut ask => break answer,
                        // A question that is not answered takes its time, and others
                        // are to know before.
                        () = shared.doubtful.notified(), if !left_alone => {
                            left_alone = shared.breaker.is_open();
                            if left_alone {
                                shared.listener.lost();
                            }
                        }
                    }
                }
            };
            if let Err(error) = answer {
                return shared.translate(&error);
            }
            // What was asked before does not show that it takes writes.
            if left_alone && !alone_before {
                continue;
            }
            // It was asked twice, one after the other.
            if left_alone && asked.elapsed() / 2 > shared.timeouts.budget {
                continue;
            }
            if left_alone {
                // All that was told meanwhile has been heard. But those who
                // did without the server have begun a time of their own.
                left_alone = false;
                shared.listener.connected(pair.follows);
                shared.breaker.close();
                tracing::info!(server = %self.address, "the server is of use again");
            }
            match untold.is_any(&pair.removals).await {
                Ok(true) => shared.listener.all_changed(),
                Ok(false) => {}
                Err(error) => return shared.translate(&error),
            }
            shared.listener.heard(asked);
        }
    }

    /// The heartbeat, over both connections. While the server is left alone it
    /// is asked to write, too.
    async fn ask(&self, pair: &mut Pair, left_alone: bool) -> RedisResult<()> {
        if left_alone {
            let modern = pair.modern;
            self.number(&mut pair.reads, modern).await?;
        }
        let ping = cmd("PING");
        let (time, ping) = tokio::join!(
            self.follow_time(&mut pair.reads),
            ping.exec_async(&mut pair.removals),
        );
        time.and(ping)
    }

    async fn follow_time(&self, connection: &mut Connection) -> RedisResult<()> {
        let (millis, round_trip) = ask_time(connection).await?;
        self.shared.listener.told_time(millis, round_trip);
        Ok(())
    }
}

/// Whether a pair of connections was given up.
#[derive(Default)]
pub(super) struct Broken(Mutex<bool>);

impl Broken {
    /// Once it is, nothing of it is told any more: what is being told is waited for,
    /// or it would be said of the connection after it.
    fn set(&self) {
        *lock(&self.0) = true;
    }

    /// Gives it up and tells so, unless it was before.
    pub(super) fn once(&self, tell: impl FnOnce()) {
        let mut broken = lock(&self.0);
        if !std::mem::replace(&mut *broken, true) {
            tell();
        }
    }
}

/// 50 ms, doubled up to 400 ms, less up to half of it at random, so that a
/// fleet does not come back in step.
pub(super) fn backoff(failures: u32) -> Duration {
    let longest = 50_u64 << failures.min(3);
    Duration::from_millis(longest - random() % (longest / 2 + 1))
}

/// How long an attempt to reconnect may take: a server that accepts and says
/// nothing must not hold up the attempt that would succeed. Now and then it is
/// as long as was asked for.
pub(super) fn attempt_patience(connect: Duration, failures: u32) -> Duration {
    const SHORT: Duration = Duration::from_secs(1);
    if failures % 4 == 3 {
        connect
    } else {
        connect.min(SHORT)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn what_a_connection_tells_at_its_end_is_over_before_the_next_one_begins() {
        let broken = Broken::default();
        let (entered, enters) = mpsc::channel();
        let (ended, ends) = mpsc::channel();
        std::thread::scope(|scope| {
            let (broken, ended) = (&broken, ended);
            scope.spawn(move || {
                enters.recv().unwrap();
                broken.set();
                ended.send(()).unwrap();
            });
            broken.once(|| {
                entered.send(()).unwrap();
                // As long as this is being told.
                let early = ends.recv_timeout(Duration::from_millis(100));
                assert!(early.is_err(), "the next one has begun");
            });
            ends.recv().unwrap();
            broken.once(|| panic!("it was given up"));
        });
    }

    #[test]
    fn pauses_grow_to_a_bound_and_differ() {
        for failures in 0..100 {
            let pause = backoff(failures);
            assert!(pause >= Duration::from_millis(25), "{pause:?}");
            assert!(pause <= Duration::from_millis(400), "{pause:?}");
        }
        assert!(backoff(90) >= Duration::from_millis(200));
        let pauses: std::collections::HashSet<_> = (0..50).map(|_| backoff(90)).collect();
        assert!(pauses.len() > 1);
    }

    #[test]
    fn most_attempts_are_short_and_some_are_as_long_as_asked_for() {
        let asked = Duration::from_secs(5);
        assert_eq!(attempt_patience(asked, 0), Duration::from_secs(1));
        assert_eq!(attempt_patience(asked, 3), asked);
        assert_eq!(attempt_patience(asked, 7), asked);
        let short = Duration::from_millis(300);
        assert_eq!(attempt_patience(short, 3), short);
    }
}
