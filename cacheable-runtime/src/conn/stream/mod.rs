//! A connection to one server: opened here, whatever it is for.
//!
//! The client is handed a stream of ours, so that commands of many tasks leave
//! in one write; see [`gather`]. Values that many ask for at once are fetched
//! together; see [`reads`].

mod gather;
mod reads;
mod socket;
#[cfg(test)]
mod tests;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
mod tls;
#[cfg(feature = "tls")]
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{
    AsyncConnectionConfig, Cmd, ConnectionInfo, FromRedisValue, Pipeline, RedisConnectionInfo,
    RedisFuture, RedisResult, Value,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;

use gather::Gather;
pub(super) use reads::{Bytes, Reads};
pub(super) use tls::{Tls, sentence};

/// One connection that many use at once. It ends with its last clone.
#[derive(Clone)]
pub(super) struct Connection {
    client: MultiplexedConnection,
    line: Arc<Line>,
}

struct Line {
    /// Commands that are on their way and gain by waiting for one another; the
    /// stream looks at it.
    under_way: Arc<AtomicUsize>,
    driver: AbortHandle,
}

impl Drop for Line {
    fn drop(&mut self) {
        // Left to itself it would wait for answers that nobody awaits.
        self.driver.abort();
    }
}

/// A command that is on its way and may wait for others.
struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// So many commands wait for their turn to be written before callers do.
const QUEUE: usize = 1024;

/// So many bytes are written before more are taken up.
const BATCH: usize = 64 * 1024;

impl Connection {
    /// Connects. How long that may take is the caller's to say. `tls`: for an
    /// address that asks for it.
    pub(super) async fn open(
        at: &ConnectionInfo,
        tls: Option<&Tls>,
        config: AsyncConnectionConfig,
    ) -> RedisResult<Self> {
        let socket = socket::connect(at, tls).await?;
        let gathered = |under_way| Gather::new(socket, under_way);
        Self::over(gathered, at.redis_settings(), config).await
    }

    /// Greets the server at the other end of a stream, which is made with the
    /// number of commands that are under way.
    async fn over<S>(
        stream: impl FnOnce(Arc<AtomicUsize>) -> S,
        settings: &RedisConnectionInfo,
        config: AsyncConnectionConfig,
    ) -> RedisResult<Self>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let under_way = Arc::default();
        let config = config
            .set_pipeline_buffer_size(QUEUE)
            .set_write_backpressure_boundary(BATCH);
        let stream = stream(Arc::clone(&under_way));
        let (client, driver) =
            MultiplexedConnection::new_with_config(settings, stream, config).await?;
        let driver = tokio::spawn(driver).abort_handle();
        let line = Arc::new(Line { under_way, driver });
        Ok(Self { client, line })
    }

    /// Sends one command, together with what others want to send now.
    pub(super) async fn ask<T: FromRedisValue>(self, command: &Cmd) -> RedisResult<T> {
        let line = Arc::clone(&self.line);
        let _under_way = line.enter();
        self.ask_at_once(command).await
    }

    /// Sends one command at once, and what waits to be sent with it. For what
    /// takes a server longer than a write takes this process, such as a script:
    /// if all waited for each other, either side would do nothing while the other
    /// is at work.
    pub(super) async fn ask_at_once<T: FromRedisValue>(mut self, command: &Cmd) -> RedisResult<T> {
        // It is large, and would be so in every future that awaits an answer.
        let answer = Box::pin(self.client.send_packed_command(command)).await?;
        Ok(redis::from_redis_value(answer.extract_error()?)?)
    }

    /// What has methods for subscribing.
    pub(super) fn client(&mut self) -> &mut MultiplexedConnection {
        &mut self.client
    }
}

impl Line {
    fn enter(&self) -> UnderWay<'_> {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(&self.under_way)
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async {
            let _under_way = self.line.enter();
            self.client.send_packed_command(command).await
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        // Several leave together as they are.
        Box::pin(self.client.send_packed_commands(commands, offset, count))
    }

    fn get_db(&self) -> i64 {
        self.client.get_db()
    }
}
