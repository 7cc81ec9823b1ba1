//! A connection whose other end is in the test's hands.

mod peer;
mod reads;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use redis::{AsyncConnectionConfig, RedisConnectionInfo, RedisResult, cmd};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Connection;
use super::gather::Gather;
use peer::Peer;

/// No test waits for so long unless something is stuck: time is virtual where
/// everything is.
const STUCK: Duration = Duration::from_secs(30);

const BURST: usize = 50;

/// Counts the writes that go through it.
struct Counted<S> {
    stream: S,
    writes: Arc<AtomicUsize>,
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if written.is_ready() {
            self.writes.fetch_add(1, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

/// Waits a turn as [`Gather`] does, and does not see to it that there is one.
struct Forgetful<S> {
    stream: S,
    under_way: Arc<AtomicUsize>,
    has_waited: bool,
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Forgetful<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let others = self.under_way.load(Ordering::Relaxed) > 1;
        if others && !std::mem::replace(&mut self.has_waited, true) {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.has_waited = false;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Forgetful<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

/// A connection over `stream`. Nobody greets anybody: that would be answers for
/// the test to give.
async fn over<S>(stream: impl FnOnce(Arc<AtomicUsize>) -> S) -> Connection
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let settings = RedisConnectionInfo::default().set_skip_set_lib_name();
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None);
    let connection = Connection::over(stream, &settings, config).await;
    connection.expect("there is nothing that could fail")
}

/// One that gathers, with so much room on its way, and its other end.
async fn gathered(room: usize) -> (Connection, Peer) {
    let (near, far) = tokio::io::duplex(room);
    let connection = over(|under_way| Gather::new(near, under_way)).await;
    (connection, Peer::new(far))
}

async fn get(connection: &Connection, key: impl Into<Vec<u8>>) -> RedisResult<Vec<u8>> {
    let key = key.into();
    connection.clone().ask(cmd("GET").arg(key)).await
}

/// So many tasks, each of which asks once and gets what it has asked for.
fn burst(connection: &Connection, tasks: usize) -> JoinSet<()> {
    let mut burst = JoinSet::new();
    for number in 0..tasks {
        let connection = connection.clone();
        burst.spawn(async move {
            let key = format!("key:{number}");
            assert_eq!(get(&connection, &*key).await.unwrap(), key.as_bytes());
        });
    }
    burst
}

/// `at_once`: what does not wait for others.
async fn writes_of_a_burst<S>(
    stream: impl FnOnce(Counted<DuplexStream>, Arc<AtomicUsize>) -> S,
    at_once: bool,
) -> usize
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (near, far) = tokio::io::duplex(1 << 16);
    let writes = Arc::new(AtomicUsize::new(0));
    let counted = Counted {
        stream: near,
        writes: Arc::clone(&writes),
    };
    let connection = over(|under_way| stream(counted, under_way)).await;
    let sent = Arc::new(AtomicUsize::new(0));
    let sending = Arc::clone(&sent);
    // From within the worker, which then has all of them before it runs any.
    let callers = tokio::spawn(async move {
        let mut burst = JoinSet::new();
        for number in 0..BURST {
            let (connection, sending) = (connection.clone(), Arc::clone(&sending));
            burst.spawn(async move {
                let mut get = cmd("GET");
                get.arg(number);
                sending.fetch_add(1, Ordering::Relaxed);
                let answer: RedisResult<Vec<u8>> = if at_once {
                    connection.ask_at_once(&get).await
                } else {
                    connection.ask(&get).await
                };
                assert_eq!(answer.unwrap(), number.to_string().as_bytes());
            });
        }
        burst.join_all().await
    });
    // Nobody reads before, who would be one more that runs next.
    while sent.load(Ordering::Relaxed) < BURST {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let serves = Peer::new(far).serve();
    timeout(STUCK, callers).await.unwrap().unwrap();
    serves.await.unwrap();
    writes.load(Ordering::Relaxed)
}

/// One worker, so that who runs next is settled; of the flavour in which the
/// task that was woken last is the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_many_tasks_send_leaves_together_unless_it_is_to_leave_at_once() {
    let gathered = writes_of_a_burst(Gather::new, false).await;
    let one_by_one = writes_of_a_burst(|stream, _| stream, false).await;
    let at_once = writes_of_a_burst(Gather::new, true).await;
    assert!(one_by_one > BURST / 2, "{one_by_one} writes");
    assert!(gathered < BURST / 5, "{gathered} writes");
    assert!(at_once > BURST / 2, "{at_once} writes");
}

#[tokio::test(start_paused = true)]
async fn one_command_does_not_wait_a_turn() {
    struct Woken(AtomicUsize);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let under_way = Arc::new(AtomicUsize::new(1));
    let (near, _far) = tokio::io::duplex(64);
    let mut stream = Gather::new(near, Arc::clone(&under_way));
    let woken = Arc::new(Woken(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut write = |bytes: &[u8]| {
        let mut context = Context::from_waker(&waker);
        let written = Pin::new(&mut stream).poll_write(&mut context, bytes);
        if written.is_ready() {
            let flushed = Pin::new(&mut stream).poll_flush(&mut context);
            assert!(flushed.is_ready());
        }
        written.is_ready()
    };
    assert!(write(b"alone"));
    under_way.store(2, Ordering::Relaxed);
    assert!(!write(b"with others"));
    assert_eq!(woken.0.load(Ordering::Relaxed), 1, "its turn comes");
    assert!(write(b"with others, and once is enough"));
    // The next ones wait again.
    assert!(!write(b"and again"));
    assert!(write(b"and again"));
    assert_eq!(woken.0.load(Ordering::Relaxed), 2);
    // So much is worth a write by itself.
    assert!(write(&vec![0; super::gather::ENOUGH]));
}

/// A burst, and then one command alone.
async fn is_answered<S>(stream: impl FnOnce(DuplexStream, Arc<AtomicUsize>) -> S) -> bool
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (near, far) = tokio::io::duplex(1 << 16);
    let connection = over(|under_way| stream(near, under_way)).await;
    let mut peer = Peer::new(far);
    let all = async {
        let (_, ()) = tokio::join!(burst(&connection, BURST).join_all(), peer.echo(BURST));
        assert_eq!(connection.line.under_way.load(Ordering::Relaxed), 0);
        let (answer, ()) = tokio::join!(get(&connection, "last"), peer.echo(1));
        assert_eq!(answer.unwrap(), b"last");
    };
    timeout(STUCK, all).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_lying_and_with_a_turn_that_nobody_calls_it_would_be() {
    assert!(is_answered(Gather::new).await);
    let forgetful = |stream, under_way| Forgetful {
        stream,
        under_way,
        has_waited: false,
    };
    assert!(!is_answered(forgetful).await);
}

#[tokio::test(start_paused = true)]
async fn commands_arrive_whole_through_a_narrow_way() {
    let (connection, peer) = gathered(7).await;
    let serves = peer.serve();
    timeout(STUCK, burst(&connection, BURST).join_all())
        .await
        .unwrap();
    drop(connection);
    serves.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_goes_in_the_middle_leaves_nobody_waiting() {
    let (connection, mut peer) = gathered(1 << 16).await;
    let mut callers = JoinSet::new();
    for number in 0..BURST {
        let connection = connection.clone();
        callers.spawn(async move { get(&connection, number.to_string()).await });
    }
    peer.echo(BURST / 2).await;
    // Half of an answer.
    peer.stream.write_all(b"$100\r\nnever").await.unwrap();
    drop(peer);
    let answers = timeout(STUCK, callers.join_all()).await.unwrap();
    let failed = answers.iter().filter(|answer| answer.is_err()).count();
    assert_eq!(failed, BURST - BURST / 2);
    for answer in answers.into_iter().flatten() {
        assert!(!answer.is_empty());
    }
    assert_eq!(connection.line.under_way.load(Ordering::Relaxed), 0);
    let late = timeout(STUCK, get(&connection, "late")).await.unwrap();
    assert!(late.unwrap_err().is_connection_dropped());
}

#[tokio::test(start_paused = true)]
async fn callers_that_go_away_take_no_answer_of_others_with_them() {
    let (connection, mut peer) = gathered(1 << 16).await;
    let mut gone = JoinSet::new();
    for number in 0..BURST {
        let connection = connection.clone();
        gone.spawn(async move { get(&connection, format!("gone:{number}")).await });
    }
    // All of them have been sent.
    let mut commands = Vec::new();
    for _ in 0..BURST {
        commands.push(peer.next().await.unwrap());
    }
    gone.shutdown().await;
    assert_eq!(connection.line.under_way.load(Ordering::Relaxed), 0);
    let stays = burst(&connection, BURST);
    for command in commands {
        peer.answer(&command[1]).await;
    }
    let all = async { tokio::join!(stays.join_all(), peer.echo(BURST)) };
    timeout(STUCK, all).await.unwrap();
}

#[tokio::test]
async fn a_large_value_goes_beside_small_ones_in_both_directions() {
    const LARGE: usize = 10 << 20;
    let (connection, peer) = gathered(1 << 16).await;
    let serves = peer.serve();
    let large = {
        let connection = connection.clone();
        tokio::spawn(async move { get(&connection, vec![b'x'; LARGE]).await })
    };
    timeout(STUCK, burst(&connection, BURST).join_all())
        .await
        .unwrap();
    let answer = timeout(STUCK, large).await.unwrap().unwrap().unwrap();
    assert_eq!(answer.len(), LARGE);
    assert!(answer.iter().all(|byte| *byte == b'x'));
    drop(connection);
    serves.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_connection_ends_with_its_last_clone_whatever_is_under_way() {
    let (connection, mut peer) = gathered(1 << 16).await;
    let clone = connection.clone();
    let waits = tokio::spawn(async move { get(&clone, "never answered").await });
    peer.next().await.unwrap();
    waits.abort();
    drop(waits.await);
    drop(connection);
    assert!(timeout(STUCK, peer.next()).await.unwrap().is_none());
}
