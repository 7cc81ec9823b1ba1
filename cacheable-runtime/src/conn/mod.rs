//! Connections: opened, watched, reopened. Others hand a command to a
//! [`Link`] and never see a connection.
//!
//! The cache relies on one connection carrying commands in the order in which
//! they are given: a look-up that is sent after an invalidation must not
//! overtake it. A second connection needs another proof.

pub(crate) mod address;
mod fault;
mod supervise;

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, Pipeline, Script};
use tokio::sync::{Notify, watch};

use crate::error::{Error, ErrorKind};
use crate::time::Clock;
use address::Address;
use fault::translate;

/// One supervised connection to one server.
///
/// While it is away every command fails at once: nothing queues up, nothing
/// waits for a server that may not come back.
pub(crate) struct Link {
    live: watch::Receiver<State>,
    signals: Arc<Signals>,
    command_timeout: Duration,
    server: String,
}

/// How long to wait for the server, and for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    pub(crate) connect: Duration,
    pub(crate) command: Duration,
}

#[derive(Clone)]
enum State {
    /// No attempt has ended yet.
    Starting,
    Up(MultiplexedConnection),
    Down(Error),
    Closed,
}

#[derive(Default)]
struct Signals {
    /// The connection broke.
    broken: Notify,
    /// The owner wants no more of it.
    close: Notify,
}

impl Link {
    /// Starts the supervisor, and waits until its first attempt has ended or
    /// `patience` has.
    pub(crate) async fn open(
        address: Address,
        timeouts: Timeouts,
        scripts: &'static [&'static Script],
        clock: Clock,
        patience: Duration,
    ) -> Self {
        let (publish, mut live) = watch::channel(State::Starting);
        let signals = Arc::new(Signals::default());
        let server = address.to_string();
        let supervisor = supervise::Supervisor {
            address,
            timeouts,
            scripts,
            clock,
            signals: Arc::clone(&signals),
            publish,
        };
        tokio::spawn(supervisor.run());
        let ended = live.wait_for(|state| !matches!(state, State::Starting));
        // Without an answer in time it goes on in the background.
        drop(tokio::time::timeout(patience, ended).await);
        Self {
            live,
            signals,
            command_timeout: timeouts.command,
            server,
        }
    }

    /// The address, without its secrets.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// The error that commands get now, if they would.
    pub(crate) fn trouble(&self) -> Option<Error> {
        self.connection().err()
    }

    fn connection(&self) -> Result<MultiplexedConnection, Error> {
        if self.live.has_changed().is_err() && !matches!(&*self.live.borrow(), State::Closed) {
            return Err(Error::new(
                ErrorKind::ShutDown,
                "the Tokio runtime that the cache was built in has ended",
            ));
        }
        match &*self.live.borrow() {
            State::Up(connection) => Ok(connection.clone()),
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

    pub(crate) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Error> {
        let mut connection = self.connection()?;
        let answer = command.query_async(&mut connection).await;
        answer.map_err(|error| self.failed(&error))
    }

    pub(crate) async fn pipeline<T: FromRedisValue>(
        &self,
        commands: &Pipeline,
    ) -> Result<T, Error> {
        let mut connection = self.connection()?;
        let answer = commands.query_async(&mut connection).await;
        answer.map_err(|error| self.failed(&error))
    }

    /// Runs a script by its hash; a server that does not know it is given it
    /// and asked again.
    pub(crate) async fn script<T: FromRedisValue>(
        &self,
        script: &Script,
        key: &str,
        arguments: &[&[u8]],
    ) -> Result<T, Error> {
        let mut connection = self.connection()?;
        let mut call = script.key(key);
        for argument in arguments {
            call.arg(*argument);
        }
        let answer = call.invoke_async(&mut connection).await;
        answer.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &redis::RedisError) -> Error {
        if error.is_connection_dropped() {
            self.signals.broken.notify_one();
        }
        translate(error, self.command_timeout)
    }

    /// Closes the connection for good.
    pub(crate) async fn close(&self) {
        self.signals.close.notify_one();
        let mut live = self.live.clone();
        // An error says that the supervisor is gone, and the connection too.
        drop(live.wait_for(|state| matches!(state, State::Closed)).await);
    }
}
