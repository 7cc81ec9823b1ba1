//! What lies under a connection.

use std::io;
use std::pin::Pin;

use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::SockRef;
use redis::{ConnectionAddr, ConnectionInfo, RedisResult};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;

use super::Tls;

pub(super) trait Duplex: AsyncRead + AsyncWrite + Send {}

impl<S: AsyncRead + AsyncWrite + Send> Duplex for S {}

/// One of several kinds. A call through the pointer is nothing beside the call
/// of the system behind it.
pub(super) type Socket = Pin<Box<dyn Duplex>>;

/// `tls`: for an address that asks for it.
pub(super) async fn connect(at: &ConnectionInfo, tls: Option<&Tls>) -> RedisResult<Socket> {
    #[cfg(feature = "tls")]
    if let (ConnectionAddr::TcpTls { host, port, .. }, Some(tls)) = (at.addr(), tls) {
        let stream = tcp(host, *port, at.tcp_settings()).await?;
        return Ok(Box::pin(tls.connect(host, stream).await?));
    }
    #[cfg(not(feature = "tls"))]
    let _ = tls;
    match at.addr() {
        ConnectionAddr::Tcp(host, port) => Ok(Box::pin(tcp(host, *port, at.tcp_settings()).await?)),
        #[cfg(unix)]
        ConnectionAddr::Unix(path) => Ok(Box::pin(tokio::net::UnixStream::connect(path).await?)),
        _ => Err(io::Error::from(io::ErrorKind::Unsupported).into()),
    }
}

/// A name may have several addresses, some of which nobody answers: all are
/// tried at once, and the first connection is taken.
async fn tcp(host: &str, port: u16, settings: &TcpSettings) -> io::Result<TcpStream> {
    let mut attempts = JoinSet::new();
    for address in lookup_host((host, port)).await? {
        attempts.spawn(TcpStream::connect(address));
    }
    let mut failed = io::Error::from(io::ErrorKind::NotFound);
    while let Some(attempt) = attempts.join_next().await {
        match attempt? {
            Ok(stream) => {
                set(&stream, settings)?;
                return Ok(stream);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn set(stream: &TcpStream, settings: &TcpSettings) -> io::Result<()> {
    stream.set_nodelay(settings.nodelay())?;
    if let Some(keepalive) = settings.keepalive() {
        SockRef::from(stream).set_tcp_keepalive(keepalive)?;
    }
    Ok(())
}
