//! A stream whose writes wait for one another.
//!
//! A task that sends a command wakes the client's driver, which the scheduler
//! runs next, and which writes that one command. With many tasks each write is
//! a call of the system for some fifty bytes, and most of what a command costs.
//! So when others are under way the driver is sent to the end of the queue
//! once: whoever can run meanwhile adds its command, and all leave together.
//!
//! Nothing is kept here: what waits is in the client's buffer, which comes with
//! the next attempt to write. A command alone is written at once, and so is what
//! gains nothing by waiting; see [`ask_at_once`](super::Connection::ask_at_once).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// So much is worth a write in any case.
pub(super) const ENOUGH: usize = 32 * 1024;

pub(super) struct Gather<S> {
    stream: S,
    /// How many commands that may wait have been sent, or are about to be, and
    /// await their answers.
    under_way: Arc<AtomicUsize>,
    /// A turn has been waited since everything was written.
    has_waited: bool,
}

impl<S> Gather<S> {
    pub(super) fn new(stream: S, under_way: Arc<AtomicUsize>) -> Self {
        Self {
            stream,
            under_way,
            has_waited: false,
        }
    }

    fn waits(&mut self, waiting: usize) -> bool {
        let others = self.under_way.load(Ordering::Relaxed) > 1;
        let waits = others && !self.has_waited && waiting < ENOUGH;
        self.has_waited |= waits;
        waits
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gather<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.waits(bytes.len()) {
            // It runs again in any case, behind those that can run now.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        // The client flushes when it has written all that it has.
        self.has_waited = false;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gather<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}
