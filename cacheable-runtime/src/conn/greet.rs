//! What is exchanged with a server before anybody uses the link to it.
//!
//! An attempt to connect has little time, and with a server that is far away each
//! answer takes much of it. So nothing waits for an answer that it does not need,
//! and five round trips are all:
//!
//! | reading connection | removing connection |
//! |---|---|
//! | TCP | TCP |
//! | `HELLO` | `HELLO` |
//! | its name, `CLIENT TRACKING` | its name, which server it is, and what [`Untold`] begins with |
//! | | the scripts, in the form that it reads, and the end of the connections before, see [`Trace`] |
//! | the counter's script, and `TIME` | |
//!
//! The last questions go over the connection that is followed, so that it was well
//! a moment before it is published.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{
    AsyncConnectionConfig, ConnectionInfo, Pipeline, PushInfo, PushKind, RedisResult, Value, cmd,
};

use super::fault::{code, is_elsewhere};
use super::stream::{Connection, Reads};
use super::supervise::{Broken, Supervisor};
use super::trace::{Name, Trace};
use super::untold::Untold;
use super::{Greeting, Named, Pair, is_unknown_script};
use crate::bus::Listener;
use crate::observe::script_reloads;
use crate::sync::{lock, unique};

impl Supervisor {
    /// Opens both connections, and finds out whether they are of use. Dropped
    /// half-way it leaves nothing behind: a connection ends with its last clone.
    pub(super) async fn greet(
        &self,
        at: &ConnectionInfo,
        broken: &Arc<Broken>,
    ) -> RedisResult<(Pair, Untold)> {
        let (mut reads, mut removals) =
            tokio::try_join!(self.open(at, broken, true), self.open(at, broken, false),)?;
        let mut others = (reads.clone(), removals.clone());
        let (follows, (about, untold), one, other) = tokio::try_join!(
            self.follow(&mut reads),
            self.prepare(&mut removals),
            Name::of(&mut others.0),
            Name::of(&mut others.1),
        )?;
        let About { modern, run } = about;
        let asked = Instant::now();
        let (numbered, time) =
            tokio::join!(self.number(&mut others.0, modern), ask_time(&mut reads));
        // The time of a server that turns out to be of no use is not followed.
        numbered?;
        let (millis, round_trip) = time?;
        let listener = &self.shared.listener;
        listener.told_time(millis, round_trip);
        // Before anybody can use it: what is read from here on is followed.
        listener.connected(follows);
        listener.heard(asked);
        *lock(&self.trace) = Trace::new(run, [one, other]);
        let pair = Pair {
            values: Reads::new(reads.clone()),
            reads,
            removals,
            modern,
            follows,
            id: unique(),
        };
        Ok((pair, untold))
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

    /// Has the server close the pair that was in use before.
    async fn end_those_before(&self, about: &About, by: &Connection) -> RedisResult<()> {
        let before = lock(&self.trace).clone();
        match (before, &about.run) {
            (Some(before), Some(run)) if before.is_of(run) => before.close(by).await,
            _ => Ok(()),
        }
    }

    /// Finds out which form of scripts the server reads, makes them known to it, and
    /// has it end what there was before.
    async fn prepare(&self, removals: &mut Connection) -> RedisResult<(About, Untold)> {
        let mut first = removals.clone();
        let (about, untold) = tokio::join!(
            About::ask(&mut first),
            Untold::begin(self.address.shown(), removals),
        );
        let about = about?;
        let mut other = removals.clone();
        tokio::try_join!(
            load_scripts(&self.shared.greeting, about.modern, &mut other),
            self.end_those_before(&about, removals),
        )?;
        Ok((about, untold))
    }

    /// Writes, so that a server that takes no writes shows it, and passes on
    /// the number that comes back.
    pub(super) async fn number(&self, reads: &mut Connection, modern: bool) -> RedisResult<()> {
        let greeting = &self.shared.greeting;
        let keys = [&greeting.counter_key];
        let call = |named| greeting.counter.call(named, modern, &keys, &[]);
        let mut answer = call(Named::ByHash).query_async::<String>(reads).await;
        if answer.as_ref().is_err_and(is_unknown_script) {
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

/// What a server says of itself.
#[derive(Default)]
struct About {
    /// It reads `#!lua`: Redis 7, and every Valkey, which says the Redis version
    /// that it is like.
    modern: bool,
    /// Which it is, and since which start.
    run: Option<String>,
}

impl About {
    async fn ask(connection: &mut Connection) -> RedisResult<Self> {
        let info: RedisResult<String> = cmd("INFO").arg("server").query_async(connection).await;
        let info = match info {
            // The plain form is read by all.
            Err(error) if code(&error) == Some("NOPERM") => return Ok(Self::default()),
            info => info?,
        };
        let figure = |name| {
            let mut lines = info.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        };
        let version = figure("redis_version");
        let major = version.and_then(|version| version.split('.').next()?.parse::<u32>().ok());
        Ok(Self {
            modern: major.is_some_and(|major| major >= 7),
            run: figure("run_id").map(str::to_owned),
        })
    }
}

async fn load_scripts(
    greeting: &Greeting,
    modern: bool,
    connection: &mut Connection,
) -> RedisResult<()> {
    // The series is there before it counts.
    script_reloads(0);
    let mut loads = Pipeline::new();
    for script in greeting.scripts.iter().chain([&greeting.counter]) {
        loads.add_command(script.load(modern));
    }
    // The error of all together has lost most of what each of them says.
    loads.ignore_errors();
    let answers: Vec<RedisResult<Value>> = loads.query_async(connection).await?;
    answers.into_iter().try_for_each(|answer| answer.map(drop))
}

/// The server's time in milliseconds after the epoch, which all decisions about
/// age go by, and how long the question was on its way.
pub(super) async fn ask_time(connection: &mut Connection) -> RedisResult<(u64, Duration)> {
    let asked = Instant::now();
    let (seconds, micros): (u64, u64) = cmd("TIME").query_async(connection).await?;
    let millis = seconds.saturating_mul(1000).saturating_add(micros / 1000);
    Ok((millis, asked.elapsed()))
}
