//! Keeps one link up.
//!
//! Connect both, have the server follow what is read, load the scripts, ask
//! for the time, publish. Then wait for one of three: something is doubtful
//! about the connection, the heartbeat is due (a silent network says nothing),
//! or the owner closes. Withdraw first, tell the listener, then begin again. So
//! it is when the sentinels name another server.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use redis::{AsyncConnectionConfig, ConnectionInfo, PushInfo, PushKind, RedisResult, Value, cmd};
use tokio::sync::watch;

use super::address::Address;
use super::fault::{code, is_elsewhere};
use super::stream::{Connection, Reads};
use super::untold::Untold;
use super::{Named, Pair, Shared, State, load_scripts};
use crate::bus::Listener;
use crate::error::{Error, ErrorKind};
use crate::sync::{lock, random, unique};

pub(super) struct Supervisor {
    address: Address,
    shared: Arc<Shared>,
    publish: watch::Sender<State>,
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
                Ok((pair, at)) => {
                    if said {
                        tracing::info!(server = %self.address, "connected again");
                    }
                    let mut pair = pair;
                    // Before anybody reads over it.
                    let untold = Untold::begin(self.address.shown(), &mut pair.removals).await;
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
    ) -> Result<(Pair, ConnectionInfo), Error> {
        let attempt = async {
            let at = self.address.locate(patience).await?;
            let pair = tokio::select! {
                pair = self.attempt(&at, broken) => pair,
                // A server that is silent and that nobody holds for the
                // primary any more is not waited for.
                error = self.address.left(&at) => return Err(error),
            };
            let pair = pair.map_err(|error| self.shared.translate(&error))?;
            Ok((pair, at))
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

    async fn attempt(&self, at: &ConnectionInfo, broken: &Arc<Broken>) -> RedisResult<Pair> {
        let mut reads = self.open(at, broken, true).await?;
        let mut removals = self.open(at, broken, false).await?;
        let modern = is_modern(&mut removals).await?;
        let follows = self.follow(&mut reads).await?;
        load_scripts(&self.shared.greeting, modern, &mut removals).await?;
        self.number(&mut reads, modern).await?;
        let asked = Instant::now();
        self.follow_time(&mut reads).await?;
        // Before anybody can use it: what is read from here on is followed.
        self.shared.listener.connected(follows);
        self.shared.listener.heard(asked);
        Ok(Pair {
            values: Reads::new(reads.clone()),
            reads,
            removals,
            modern,
            follows,
            id: unique(),
        })
    }

    async fn open(
        &self,
        at: &ConnectionInfo,
        broken: &Arc<Broken>,
        reads: bool,
    ) -> RedisResult<Connection> {
        let (shared, broken) = (Arc::clone(&self.shared), Arc::clone(broken));
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(Some(self.shared.timeouts.command))
            // It is called in the order of the wire, before the answers behind
            // the push are seen.
            .set_push_sender(move |push: PushInfo| {
                match push.kind {
                    // A connection that was given up says nothing of the one
                    // after it.
                    PushKind::Disconnection => broken.once(|| {
                        shared.listener.lost();
                        shared.doubtful.notify_one();
                    }),
                    PushKind::Invalidate if reads => pass_on(&push.data, &*shared.listener),
                    _ => {}
                }
                Ok::<_, redis::aio::SendError>(())
            });
        Connection::open(at, self.address.tls(), config).await
    }

    /// Has the server tell of changes. `false`: it cannot.
    async fn follow(&self, reads: &mut Connection) -> RedisResult<bool> {
        let mut tracking = cmd("CLIENT");
        tracking.arg("TRACKING").arg("ON").arg("NOLOOP");
        match tracking.exec_async(reads).await {
            Ok(()) => Ok(true),
            Err(error) if matches!(code(&error), Some("ERR" | "NOPERM")) => {
                tracing::warn!(
                    server = %self.address,
                    code = code(&error),
                    "the server does not tell of changes (CLIENT TRACKING), so nothing is kept in this process"
                );
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes, so that a server that takes no writes shows it, and passes on
    /// the number that comes back.
    async fn number(&self, reads: &mut Connection, modern: bool) -> RedisResult<()> {
        let greeting = &self.shared.greeting;
        let keys = [&greeting.counter_key];
        let call = |named| greeting.counter.call(named, modern, &keys, &[]);
        let mut answer = call(Named::ByHash).query_async::<String>(reads).await;
        if answer.as_ref().is_err_and(super::is_unknown_script) {
            answer = call(Named::ByText).query_async(reads).await;
        }
        match answer {
            Ok(number) => {
                if let Ok(number) = number.parse() {
                    self.shared.listener.numbered(number);
                }
                Ok(())
            }
            // It answers, and can still be read from and removed from.
            Err(error)
                if matches!(
                    code(&error),
                    Some("OOM" | "MISCONF" | "NOREPLICAS" | "WRONGTYPE")
                ) =>
            {
                Ok(())
            }
            // Another node has the counter. One that serves nothing now says
            // that before it says who does, so this one is well.
            Err(error) if self.shared.cluster.is_some() && is_elsewhere(&error) => Ok(()),
            Err(error) => Err(error),
        }
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
            match untold.is_any(&mut pair.removals).await {
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

    /// Asks for the server's time, which all decisions about age go by.
    async fn follow_time(&self, connection: &mut Connection) -> RedisResult<()> {
        let asked = Instant::now();
        let (seconds, micros): (u64, u64) = cmd("TIME").query_async(connection).await?;
        let now = seconds.saturating_mul(1000).saturating_add(micros / 1000);
        self.shared.listener.told_time(now, asked.elapsed());
        Ok(())
    }
}

/// Whether a pair of connections was given up.
#[derive(Default)]
struct Broken(Mutex<bool>);

impl Broken {
    /// Once it is, nothing of it is told any more: what is being told is waited for,
    /// or it would be said of the connection after it.
    fn set(&self) {
        *lock(&self.0) = true;
    }

    /// Gives it up and tells so, unless it was before.
    fn once(&self, tell: impl FnOnce()) {
        let mut broken = lock(&self.0);
        if !std::mem::replace(&mut *broken, true) {
            tell();
        }
    }
}

/// A push names keys, or none for all of them.
fn pass_on(data: &[Value], listener: &dyn Listener) {
    match data {
        [Value::Array(keys)] => {
            for key in keys {
                if let Value::BulkString(key) = key {
                    listener.changed(key);
                }
            }
        }
        _ => listener.all_changed(),
    }
}

/// Whether the server reads `#!lua`: Redis 7, and every Valkey, which says the
/// Redis version that it is like.
async fn is_modern(connection: &mut Connection) -> RedisResult<bool> {
    let info: RedisResult<String> = cmd("INFO").arg("server").query_async(connection).await;
    match info {
        Ok(info) => {
            let mut lines = info.lines();
            let version = lines.find_map(|line| line.strip_prefix("redis_version:"));
            let major = version.and_then(|version| version.split('.').next()?.parse::<u32>().ok());
            Ok(major.is_some_and(|major| major >= 7))
        }
        // The plain form is read by all.
        Err(error) if code(&error) == Some("NOPERM") => Ok(false),
        Err(error) => Err(error),
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
