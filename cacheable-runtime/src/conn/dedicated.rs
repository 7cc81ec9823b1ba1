//! A connection for one call alone: for commands that hold up all that is
//! behind them, such as `WAIT`.

use std::sync::Arc;
use std::time::Duration;

use redis::{AsyncConnectionConfig, Cmd, FromRedisValue};
use tokio::time::timeout;

use super::stream::Connection;
use super::{Link, Lua, Named, Shared, is_unknown_script};
use crate::error::{Error, ErrorKind};
use crate::observe::script_reloads;

/// It is closed when this is dropped.
pub(crate) struct Dedicated {
    connection: Connection,
    modern: bool,
    shared: Arc<Shared>,
}

impl Link {
    /// Opens one to the server of this link, while that is of use. `longer`:
    /// how much longer than others a command over it may take.
    pub(crate) async fn dedicated(&self, longer: Duration) -> Result<Dedicated, Error> {
        let modern = self.look(|pair| pair.modern)?;
        let shared = Arc::clone(&self.shared);
        let patience = shared.timeouts.command.saturating_add(longer);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(Some(patience));
        let connect = shared.timeouts.connect;
        let attempt = async {
            let at = self.address().locate(connect).await?;
            let opened = Connection::open(&at, self.address().tls(), config).await;
            opened.map_err(|error| shared.translate(&error))
        };
        let connection = timeout(connect, attempt).await.map_err(|_| {
            Error::new(
                ErrorKind::Timeout,
                format!("no connection within {connect:?}"),
            )
        })??;
        Ok(Dedicated {
            connection,
            modern,
            shared,
        })
    }

    /// Whether the server is like Redis 7 or later, as far as is known.
    pub(crate) fn is_modern(&self) -> bool {
        self.look(|pair| pair.modern).unwrap_or(false)
    }
}

impl Dedicated {
    pub(crate) async fn query<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, Error> {
        let answer = command.query_async(&mut self.connection).await;
        answer.map_err(|error| self.shared.translate(&error))
    }

    pub(crate) async fn script<T: FromRedisValue>(
        &mut self,
        script: &Lua,
        keys: &[String],
        arguments: &[&[u8]],
    ) -> Result<T, Error> {
        let call = |named| script.call(named, self.modern, keys, arguments);
        let mut answer = call(Named::ByHash).query_async(&mut self.connection).await;
        if answer.as_ref().is_err_and(is_unknown_script) {
            script_reloads(1);
            answer = call(Named::ByText).query_async(&mut self.connection).await;
        }
        answer.map_err(|error| self.shared.translate(&error))
    }
}
