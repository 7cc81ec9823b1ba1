//! Connections: opened, watched, reopened. Others hand a command to a
//! [`Link`] and never see a connection.
//!
//! A link is two connections to one server that live and die together. The
//! *reading* one is followed: the server tells over it of every change of a
//! key that was read over it, in order with the answers. The *removing* one
//! is not, so that the server tells the reading one of removals too.

pub(crate) mod address;
mod breaker;
mod cluster;
mod dedicated;
mod fault;
mod greet;
mod lua;
mod routes;
mod sentinel;
mod slots;
mod stream;
pub(crate) mod subscribe;
mod supervise;
mod together;
mod trace;
mod untold;

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{Cmd, FromRedisValue, Pipeline, RedisError, RedisResult, Value};
use tokio::sync::{Notify, watch};

use crate::bus::Listener;
use crate::error::{Error, ErrorKind};
use crate::observe::script_reloads;
use address::Address;
use breaker::Breaker;
pub(crate) use cluster::{Cluster, Since};
use fault::{code, is_about_the_server, is_elsewhere, translate, translate_in_cluster};
use lua::Named;
pub(crate) use lua::{Digits, Lua};
pub(crate) use routes::{Group, Leg, Routes};
pub(crate) use slots::{slot, tag};
use stream::{Bytes, Connection, Reads};
pub(crate) use untold::{TRACKED_KEYS_LIMIT, tracked_keys_limit};

/// One supervised pair of connections to one server.
///
/// While it is away every command fails at once: nothing queues up, nothing
/// waits for a server that may not come back.
pub(crate) struct Link {
    live: watch::Receiver<State>,
    shared: Arc<Shared>,
    address: Address,
}

/// Which of the two connections carries a command. Commands on one keep their
/// order; between the two there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// What is read, and the leases under which it is loaded.
    Reads,
    /// Removals, and all that is written by force.
    Removals,
}

/// How long to wait for the server, and for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    pub(crate) connect: Duration,
    pub(crate) command: Duration,
    /// How long a call waits for an answer: a server that takes longer is of no
    /// use.
    pub(crate) budget: Duration,
}

/// What a new connection begins with.
#[derive(Clone)]
pub(crate) struct Greeting {
    pub(crate) scripts: &'static [&'static Lua],
    /// A script that writes, so that a server that takes no writes is found
    /// out, and that returns a number for [`Listener::numbered`].
    pub(crate) counter: &'static Lua,
    pub(crate) counter_key: String,
}

#[derive(Clone)]
struct Pair {
    reads: Connection,
    /// Over the same.
    values: Arc<Reads>,
    removals: Connection,
    /// The server reads `#!lua`.
    modern: bool,
    /// It tells of changes.
    follows: bool,
    /// Unlike that of any other pair.
    id: u64,
}

#[derive(Clone)]
enum State {
    /// No attempt has ended yet.
    Starting,
    Up(Pair),
    Down(Error),
    Closed,
}

/// What the link and its supervisor share.
struct Shared {
    timeouts: Timeouts,
    greeting: Greeting,
    listener: Arc<dyn Listener>,
    breaker: Breaker,
    /// To be told when the server serves something else than was thought;
    /// `None`: it is no node of a cluster.
    cluster: Option<Arc<Notify>>,
    /// Something is wrong with the connection.
    doubtful: Notify,
    /// The owner wants no more of it.
    close: Notify,
}

impl Link {
    /// Starts the supervisor, and waits until its first attempt has ended or
    /// `patience` has.
    pub(crate) async fn open(
        address: Address,
        timeouts: Timeouts,
        greeting: Greeting,
        listener: Arc<dyn Listener>,
        patience: Duration,
    ) -> Self {
        let link = Self::start(address, timeouts, greeting, listener, None);
        link.attempted(patience).await;
        link
    }

    /// Starts the supervisor. `cluster`: to be told when this node of a
    /// cluster serves something else than was thought.
    pub(super) fn start(
        address: Address,
        timeouts: Timeouts,
        greeting: Greeting,
        listener: Arc<dyn Listener>,
        cluster: Option<Arc<Notify>>,
    ) -> Self {
        let (publish, live) = watch::channel(State::Starting);
        let shared = Arc::new(Shared {
            timeouts,
            greeting,
            listener,
            breaker: Breaker::default(),
            cluster,
            doubtful: Notify::new(),
            close: Notify::new(),
        });
        let supervisor = supervise::Supervisor::new(address.clone(), Arc::clone(&shared), publish);
        tokio::spawn(supervisor.run());
        Self {
            live,
            shared,
            address,
        }
    }

    /// Waits until the first attempt to connect has ended, or `patience` has.
    pub(super) async fn attempted(&self, patience: Duration) {
        let mut live = self.live.clone();
        let ended = live.wait_for(|state| !matches!(state, State::Starting));
        // Without an answer in time it goes on in the background.
        drop(tokio::time::timeout(patience, ended).await);
    }

    /// The address, without its secrets.
    pub(crate) fn server(&self) -> &str {
        self.address.shown()
    }

    fn address(&self) -> &Address {
        &self.address
    }

    /// The error that commands get now, if they would.
    pub(crate) fn trouble(&self) -> Option<Error> {
        self.look(|_| ()).err()
    }

    /// Tells this time of being connected from every other.
    pub(crate) fn incarnation(&self) -> Result<u64, Error> {
        self.look(|pair| pair.id)
    }

    /// Looks at the pair of connections, if it can be used now.
    fn look<T>(&self, look: impl FnOnce(&Pair) -> T) -> Result<T, Error> {
        let state = self.live.borrow();
        if self.live.has_changed().is_err() && !matches!(&*state, State::Closed) {
            return Err(Error::new(
                ErrorKind::ShutDown,
                "the Tokio runtime that the cache was built in has ended",
            ));
        }
        match &*state {
            State::Up(_) if self.shared.breaker.is_open() => Err(Error::new(
                ErrorKind::Unavailable,
                "the server does not answer in time, so it is left alone until it does",
            )),
            State::Up(pair) => Ok(look(pair)),
            State::Down(error) => Err(error.clone()),
            State::Starting => Err(Error::new(
                ErrorKind::Unavailable,
                "the first connection to the server is not made yet",
            )),
            State::Closed => Err(Error::new(
                ErrorKind::ShutDown,
                "the runtime has been shut down",
            )),
        }
    }

    pub(crate) async fn query<T: FromRedisValue>(
        &self,
        lane: Lane,
        command: &Cmd,
    ) -> Result<T, Error> {
        let connection = self.look(|pair| pair.on(lane))?;
        self.take(connection.ask(command).await)
    }

    /// What is under a key; asked for together with what others want. `until`:
    /// when it is given up; `None`: by who asks.
    pub(crate) async fn get(&self, key: &str, until: Option<Instant>) -> Result<Bytes, Error> {
        if self.shared.cluster.is_some() {
            // One command takes keys of one slot alone.
            return Box::pin(self.get_alone(key)).await;
        }
        let values = self.look(|pair| Arc::clone(&pair.values))?;
        self.take(values.get(key, until).await)
    }

    async fn get_alone(&self, key: &str) -> Result<Bytes, Error> {
        self.query(Lane::Reads, redis::cmd("GET").arg(key)).await
    }

    /// Sends commands in one piece. `Err` if any fails.
    pub(crate) async fn pipeline<T: FromRedisValue>(
        &self,
        lane: Lane,
        commands: &Pipeline,
    ) -> Result<T, Error> {
        let mut connection = self.look(|pair| pair.on(lane))?;
        self.take(commands.query_async(&mut connection).await)
    }

    /// Runs a script by its hash; a server that has forgotten it is given its
    /// text.
    pub(crate) async fn script<T: FromRedisValue, K: AsRef<[u8]>>(
        &self,
        lane: Lane,
        script: &Lua,
        keys: &[K],
        arguments: &[&[u8]],
    ) -> Result<T, Error> {
        let (connection, modern) = self.look(|pair| (pair.on(lane), pair.modern))?;
        let call = script.call(Named::ByHash, modern, keys, arguments);
        let answer = connection.ask_at_once(&call).await;
        if answer.as_ref().is_err_and(is_unknown_script) {
            return Box::pin(self.script_by_text(lane, script, keys, arguments)).await;
        }
        self.take(answer)
    }

    async fn script_by_text<T: FromRedisValue, K: AsRef<[u8]>>(
        &self,
        lane: Lane,
        script: &Lua,
        keys: &[K],
        arguments: &[&[u8]],
    ) -> Result<T, Error> {
        script_reloads(1);
        let (connection, modern) = self.look(|pair| (pair.on(lane), pair.modern))?;
        let call = script.call(Named::ByText, modern, keys, arguments);
        self.take(connection.ask_at_once(&call).await)
    }

    /// Runs a script right after a command, in one piece. Both may be carried
    /// out twice.
    pub(crate) async fn with_script<T: FromRedisValue, U: FromRedisValue, K: AsRef<[u8]>>(
        &self,
        lane: Lane,
        command: &Cmd,
        script: &Lua,
        keys: &[K],
        arguments: &[&[u8]],
    ) -> Result<(T, U), Error> {
        let (mut connection, modern) = self.look(|pair| (pair.on(lane), pair.modern))?;
        let mut answers = Vec::new();
        for named in [Named::ByHash, Named::ByText] {
            let mut both = Pipeline::with_capacity(2);
            both.add_command(command.clone());
            both.add_command(script.call(named, modern, keys, arguments));
            both.ignore_errors();
            let both = both.query_async(&mut connection).await;
            answers = self.take::<Vec<RedisResult<Value>>>(both)?;
            if !answers
                .iter()
                .any(|answer| answer.as_ref().is_err_and(is_unknown_script))
            {
                break;
            }
            script_reloads(1);
        }
        let mut answers = answers.into_iter();
        let mut next = || answers.next().expect("each command is answered");
        let first = self.take(next().and_then(|value| Ok(redis::from_redis_value(value)?)))?;
        let second = self.take(next().and_then(|value| Ok(redis::from_redis_value(value)?)))?;
        Ok((first, second))
    }

    /// Runs a script once for each key, in one piece, also for keys that are
    /// on their way to this node of a cluster. All may be carried out twice.
    pub(crate) async fn script_each<T: FromRedisValue, K: AsRef<[u8]>>(
        &self,
        lane: Lane,
        script: &Lua,
        keys: &[K],
        arguments: &[&[u8]],
    ) -> Result<Vec<T>, Error> {
        let (mut connection, modern) = self.look(|pair| (pair.on(lane), pair.modern))?;
        let calls = |named| {
            let mut calls = Pipeline::with_capacity(2 * keys.len());
            for key in keys {
                calls.cmd("ASKING").ignore();
                calls.add_command(script.call(named, modern, &[key], arguments));
            }
            calls
        };
        let mut answer = calls(Named::ByHash).query_async(&mut connection).await;
        if answer.as_ref().is_err_and(is_unknown_script) {
            script_reloads(1);
            answer = calls(Named::ByText).query_async(&mut connection).await;
        }
        self.take(answer)
    }

    fn take<T>(&self, answer: RedisResult<T>) -> Result<T, Error> {
        match answer {
            Ok(answer) => {
                self.shared.breaker.answered();
                Ok(answer)
            }
            Err(error) => Err(self.failed(&fault::first(error))),
        }
    }

    fn failed(&self, error: &RedisError) -> Error {
        if error.is_timeout() {
            self.overdue();
        } else if error.is_connection_dropped() {
            self.shared.doubtful.notify_one();
        } else if self.shared.cluster.is_some() && is_elsewhere(error) {
            // The node is as well as before, only the map is old.
            self.shared.breaker.answered();
        } else if is_about_the_server(error) {
            self.leave_alone(code(error).unwrap_or("an error"));
        } else {
            self.shared.breaker.answered();
        }
        if let Some(outdated) = &self.shared.cluster
            && (is_about_the_server(error) || error.is_connection_dropped())
        {
            outdated.notify_one();
        }
        self.shared.translate(error)
    }

    /// A command was not answered in the time that its caller had for it.
    pub(crate) fn overdue(&self) {
        if self.shared.breaker.strike() {
            self.said_no("no answer in time");
        }
    }

    /// Sends nothing more until the supervisor has found the server usable.
    fn leave_alone(&self, why: &str) {
        if self.shared.breaker.open() {
            self.said_no(why);
        }
    }

    fn said_no(&self, why: &str) {
        self.shared.doubtful.notify_one();
        tracing::warn!(server = %self.address, why, "the server is of no use now and is left alone until it is");
    }

    /// Closes the connection for good.
    pub(crate) async fn close(&self) {
        self.shared.close.notify_one();
        let mut live = self.live.clone();
        // An error says that the supervisor is gone, and the connection too.
        drop(live.wait_for(|state| matches!(state, State::Closed)).await);
    }
}

impl Shared {
    fn translate(&self, error: &RedisError) -> Error {
        if self.cluster.is_some() {
            translate_in_cluster(error, self.timeouts.command)
        } else {
            translate(error, self.timeouts.command)
        }
    }
}

impl Pair {
    fn on(&self, lane: Lane) -> Connection {
        match lane {
            Lane::Reads => self.reads.clone(),
            Lane::Removals => self.removals.clone(),
        }
    }
}

fn is_unknown_script(error: &RedisError) -> bool {
    code(error) == Some("NOSCRIPT")
}
