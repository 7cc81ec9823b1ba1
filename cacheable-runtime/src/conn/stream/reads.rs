//! Values that many ask for at once, fetched together.
//!
//! A call that is alone sends its `GET`, at once. Those that come while it, or
//! others, are under way are gathered for one turn of the scheduler and leave as
//! one `MGET`: there is one command to write, to carry out and to read, where
//! there were as many as calls. The server follows the keys of an `MGET` as it
//! follows that of a `GET`, and its answer has the same place in the order of
//! the wire. Whoever asks has taken its ticket before, so it does not matter
//! how late the question leaves. A batch has one timer for all who wait for it,
//! and gives each of them up when its own time is over.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use redis::{Cmd, RedisError, RedisResult, Value, cmd};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::yield_now;

use super::super::fault::code;
use super::Connection;
use crate::sync::{BoxFuture, in_time, lock};

pub(in crate::conn) type Bytes = Option<Vec<u8>>;

/// The values that are asked for over one connection.
pub(in crate::conn) struct Reads {
    connection: Connection,
    /// Where the connection lives: callers may be elsewhere.
    runtime: Handle,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    /// Calls that are alone, and have not ended.
    alone: usize,
    /// Batches that are being gathered or are on their way.
    batches: usize,
    /// One of them takes what is asked for now, at its next turn.
    gathers: bool,
    asked: VecDeque<Batch>,
    /// This user may not ask for several keys in one command.
    one_by_one: bool,
}

struct Batch {
    question: Cmd,
    callers: Vec<Caller>,
}

/// Who has asked for a key of a batch.
struct Caller {
    /// `None`: it was answered, or given up.
    tell: Option<oneshot::Sender<RedisResult<Bytes>>>,
    /// When it is given up; `None`: by who asks.
    until: Option<Instant>,
}

impl Caller {
    fn answer(&mut self, answer: RedisResult<Bytes>) {
        if let Some(tell) = self.tell.take() {
            // Who has gone away needs no answer.
            drop(tell.send(answer));
        }
    }
}

/// Keys of one command: the server carries it out in one piece, for tens of
/// microseconds.
pub(super) const LARGEST: usize = 128;

/// Batches that are under way at once. What comes then waits for one of them,
/// and makes the next ones larger.
const AT_ONCE: usize = 4;

/// So many where the next one is as large as it can be.
const AT_MOST: usize = 8;

impl Reads {
    pub(in crate::conn) fn new(connection: Connection) -> Arc<Self> {
        Arc::new(Self {
            connection,
            runtime: Handle::current(),
            queue: Mutex::default(),
        })
    }

    /// What is under a key. `until`: when it is given up; `None`: by who asks.
    pub(in crate::conn) async fn get(
        self: &Arc<Self>,
        key: &str,
        until: Option<Instant>,
    ) -> RedisResult<Bytes> {
        let (answer, begins, waits) = {
            let mut queue = lock(&self.queue);
            if queue.is_idle() || queue.one_by_one {
                queue.alone += 1;
                (None, false, false)
            } else {
                let answer = queue.ask(key, until);
                (Some(answer), queue.begins(), queue.is_behind())
            }
        };
        if begins {
            self.begin();
        }
        match answer {
            // The future of every other call would have room for it.
            None => given_up(until, Box::pin(self.get_alone(key))).await,
            // Nobody looks at the time before the batch is under way.
            Some(answer) if waits => Box::pin(given_up(until, pin!(told(answer)))).await,
            Some(answer) => told(answer).await,
        }
    }

    async fn get_alone(&self, key: &str) -> RedisResult<Bytes> {
        let _alone = Alone(self);
        let connection = self.connection.clone();
        connection.ask_at_once(cmd("GET").arg(key)).await
    }

    /// Not under the lock: where the runtime has ended, the guard is dropped at
    /// once.
    fn begin(self: &Arc<Self>) {
        let under_way = UnderWay(Some(Arc::clone(self)));
        let carried: BoxFuture<'static, ()> = Box::pin(carry(under_way));
        self.runtime.spawn(carried);
    }

    async fn exchange(&self, batch: Batch) {
        let Batch {
            question,
            mut callers,
        } = batch;
        let mut asked = Box::pin(self.connection.clone().ask_at_once::<Value>(&question));
        let answer = loop {
            let mut waiting = callers.iter().filter(|caller| caller.tell.is_some());
            // One timer for all: they stand in the order in which they asked, and
            // have as long as each other.
            let Some(until) = waiting.clone().find_map(|caller| caller.until) else {
                if waiting.next().is_none() {
                    return;
                }
                // Nor are those waited for who have gone away.
                tokio::select! {
                    answer = &mut asked => break answer,
                    () = poll_fn(|context| all_gone(&mut callers, context)) => return,
                }
            };
            if let Some(answer) = in_time(until, &mut asked).await {
                break answer;
            }
            let now = tokio::time::Instant::now();
            for caller in &mut callers {
                if caller.until.is_some_and(|until| now >= until.into()) {
                    caller.answer(Err(late()));
                }
            }
        };
        drop(asked);
        let values = match answer {
            Ok(Value::Array(values)) if values.len() == callers.len() => values,
            Ok(_) => return,
            Err(error) if code(&error) == Some("NOPERM") => {
                // Its keys, or the command, are not all allowed. Which are is
                // found out one by one, from now on.
                lock(&self.queue).one_by_one = true;
                return self.exchange_one_by_one(&question, callers).await;
            }
            Err(error) => {
                for caller in &mut callers {
                    caller.answer(Err(error.clone()));
                }
                return;
            }
        };
        for (mut caller, value) in callers.into_iter().zip(values) {
            caller.answer(redis::from_redis_value(value).map_err(RedisError::from));
        }
    }

    async fn exchange_one_by_one(&self, question: &Cmd, callers: Vec<Caller>) {
        let keys = question.args_iter().skip(1);
        for (key, mut caller) in keys.zip(callers) {
            let redis::Arg::Simple(key) = key else {
                continue;
            };
            let mut get = cmd("GET");
            get.arg(key);
            let answer = Box::pin(self.connection.clone().ask_at_once(&get));
            caller.answer(given_up(caller.until, answer).await);
        }
    }
}

/// Sends what is asked for until nothing is.
async fn carry(mut under_way: UnderWay) {
    while let Some(reads) = under_way.0.clone() {
        // Whoever can ask now does so, also those who were just answered.
        yield_now().await;
        let (batch, begins) = {
            let mut queue = lock(&reads.queue);
            let batch = queue.take();
            if batch.is_none() {
                // Under the lock under which there was nothing.
                queue.batches -= 1;
                under_way.0 = None;
            }
            (batch, !queue.asked.is_empty() && queue.begins())
        };
        if begins {
            reads.begin();
        }
        if let Some(batch) = batch {
            reads.exchange(batch).await;
            lock(&reads.queue).gathers = true;
        }
    }
}

/// An answer, unless it is given up.
async fn given_up<T>(
    until: Option<Instant>,
    answer: impl Future<Output = RedisResult<T>> + Unpin,
) -> RedisResult<T> {
    match until {
        None => answer.await,
        Some(until) => in_time(until, answer).await.unwrap_or_else(|| Err(late())),
    }
}

async fn told(answer: oneshot::Receiver<RedisResult<Bytes>>) -> RedisResult<Bytes> {
    answer.await.unwrap_or_else(|_| Err(gone()))
}

/// Ready when nobody waits any more.
fn all_gone(callers: &mut [Caller], context: &mut Context<'_>) -> Poll<()> {
    for caller in callers {
        if let Some(tell) = &mut caller.tell {
            ready!(tell.poll_closed(context));
            caller.tell = None;
        }
    }
    Poll::Ready(())
}

fn late() -> RedisError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}

/// Nobody carries the question any more.
fn gone() -> RedisError {
    io::Error::from(io::ErrorKind::BrokenPipe).into()
}

impl Queue {
    fn is_idle(&self) -> bool {
        self.alone == 0 && self.batches == 0
    }

    fn ask(&mut self, key: &str, until: Option<Instant>) -> oneshot::Receiver<RedisResult<Bytes>> {
        let (tell, answer) = oneshot::channel();
        if self.asked.back().is_none_or(Batch::is_full) {
            self.asked.push_back(Batch {
                question: cmd("MGET"),
                callers: Vec::new(),
            });
        }
        let batch = self.asked.back_mut().expect("it was just put there");
        batch.question.arg(key);
        batch.callers.push(Caller {
            tell: Some(tell),
            until,
        });
        answer
    }

    /// Whether one more batch is to be begun, which is then counted.
    fn begins(&mut self) -> bool {
        let is_full = self.asked.front().is_some_and(Batch::is_full);
        let at_once = if is_full { AT_MOST } else { AT_ONCE };
        let begins = !self.gathers && self.batches < at_once;
        if begins {
            self.batches += 1;
            self.gathers = true;
        }
        begins
    }

    /// Whether what was asked for last waits for more than the next turn.
    fn is_behind(&self) -> bool {
        !self.gathers || self.asked.len() > 1
    }

    fn take(&mut self) -> Option<Batch> {
        self.gathers = false;
        self.asked.pop_front()
    }
}

impl Batch {
    fn is_full(&self) -> bool {
        self.callers.len() >= LARGEST
    }
}

struct Alone<'a>(&'a Reads);

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        lock(&self.0.queue).alone -= 1;
    }
}

/// One of the batches that are counted; `None` when it is not any more.
struct UnderWay(Option<Arc<Reads>>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        // Only where the runtime has ended in the middle.
        let Some(reads) = self.0.take() else { return };
        let mut queue = lock(&reads.queue);
        queue.batches -= 1;
        queue.gathers = false;
        // Nobody would come for them.
        let left = std::mem::take(&mut queue.asked);
        drop(queue);
        drop(left);
    }
}
