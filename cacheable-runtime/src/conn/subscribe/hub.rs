//! One connection that hears what is published on a server.
//!
//! Its task says one thing at a time and waits for the answer, so a
//! confirmation that comes meanwhile belongs to what was said. The heartbeat
//! finds out a network that has gone silent.

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use redis::{
    AsyncConnectionConfig, ConnectionInfo, PushInfo, PushKind, RedisError, RedisResult, Value, cmd,
};
use tokio::time::{sleep, timeout};

use super::super::fault::{code, is_about_the_server, is_elsewhere, translate};
use super::super::stream::Connection;
use super::super::supervise::{attempt_patience, backoff};
use super::call::HubCall;
use super::table::Changes;
use super::{Kind, Shared, Topic};
use crate::error::{Error, ErrorKind};
use crate::sync::{lock, unique};

/// How often an idle connection is asked whether it is still there.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How long a connection is kept that carries nothing.
const LINGER: Duration = Duration::from_secs(1);

/// So many names in one command.
const BATCH: usize = 128;

/// When to ask again for what was found to be elsewhere.
const RETRY: Duration = Duration::from_millis(100);

pub(super) async fn run(shared: Arc<Shared>, hub: Arc<HubCall>) {
    tokio::select! {
        // Whatever is under way is dropped, and the connection with it.
        () = shared.table.closing() => {}
        () = keep_up(&shared, &hub) => {}
    }
    lock(&hub.carried).clear();
    // It has left already, unless this is the end of all.
    shared.table.leaves(&hub);
    shared.table.has_settled();
}

async fn keep_up(shared: &Arc<Shared>, hub: &Arc<HubCall>) {
    let place = hub.address.shown();
    let mut failures = 0_u32;
    loop {
        if shared.table.leaves(hub) {
            return;
        }
        let connection = unique();
        // Whoever has just subscribed is told if it fails, and has no other attempt.
        let awaited = shared.table.has_new(place);
        let patience = if awaited {
            shared.timeouts.connect
        } else {
            attempt_patience(shared.timeouts.connect, failures)
        };
        match connect(shared, hub, connection, patience).await {
            Ok((stream, at)) => {
                // Until it has answered.
                failures = failures.saturating_add(1);
                hub.is_at(&at);
                let why = tokio::select! {
                    why = carry(shared, hub, connection, stream, &mut failures) => why,
                    why = hub.address.left(&at) => Some(why),
                };
                shared.table.lost(connection, hub.sound_until());
                lock(&hub.carried).clear();
                shared.table.has_settled();
                if let Some(why) = why {
                    tracing::warn!(
                        server = place,
                        error = %why,
                        "the connection for subscriptions was lost; trying to reconnect"
                    );
                }
            }
            Err(error) => {
                tracing::debug!(server = place, %error, "cannot connect for subscriptions");
                // Nor is a short one the attempt of who came while it was made.
                if awaited || error.kind() != ErrorKind::Timeout {
                    shared.table.unreachable(place, &error);
                }
                failures = failures.saturating_add(1);
            }
        }
        if shared.table.leaves(hub) {
            return;
        }
        move_on(shared, hub);
        // A server that goes away as soon as it is reached is left alone as one
        // that cannot be.
        sleep(backoff(failures)).await;
    }
}

/// Has others carry what is served elsewhere by now.
fn move_on(shared: &Arc<Shared>, hub: &HubCall) {
    if !shared.routes.is_cluster() {
        return;
    }
    let place = hub.address.shown();
    let place_of = |topic: &Topic, from: &str| shared.routes.place_of(topic, Some(from));
    for hub in shared.table.replace(place, hub.sound_until(), place_of) {
        shared.runtime.spawn(boxed(Arc::clone(shared), hub));
    }
}

/// One hub may start another one, which no compiler can measure.
fn boxed(shared: Arc<Shared>, hub: Arc<HubCall>) -> crate::sync::BoxFuture<'static, ()> {
    Box::pin(run(shared, hub))
}

async fn connect(
    shared: &Arc<Shared>,
    hub: &Arc<HubCall>,
    connection: u64,
    patience: Duration,
) -> Result<(Connection, ConnectionInfo), Error> {
    let (to, listed) = (Arc::clone(hub), Arc::downgrade(shared));
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_push_sender(move |push: PushInfo| {
            if let Some(shared) = listed.upgrade() {
                heard(&shared, &to, connection, &push);
            }
            Ok::<_, redis::aio::SendError>(())
        });
    let attempt = async {
        let at = hub.address.locate(patience).await?;
        let stream = tokio::select! {
            stream = Connection::open(&at, hub.address.tls(), config) => stream,
            error = hub.address.left(&at) => return Err(error),
        };
        let stream = stream.map_err(|error| translate(&error, shared.timeouts.command))?;
        Ok((stream, at))
    };
    timeout(patience, attempt).await.unwrap_or_else(|_| {
        Err(Error::new(
            ErrorKind::Timeout,
            format!("no connection within {patience:?}"),
        ))
    })
}

/// Called in the order of the wire.
fn heard(shared: &Shared, hub: &HubCall, connection: u64, push: &PushInfo) {
    hub.hears();
    let topic = |kind, name: &[u8]| Topic {
        kind,
        name: name.into(),
    };
    match (&push.kind, &*push.data) {
        (PushKind::Disconnection, _) => {
            shared.table.lost(connection, hub.sound_until());
            hub.give_up(connection);
        }
        (PushKind::Subscribe, [Value::BulkString(name), ..]) => {
            shared
                .table
                .confirmed(&topic(Kind::Exact, name), connection);
        }
        (PushKind::PSubscribe, [Value::BulkString(name), ..]) => {
            shared
                .table
                .confirmed(&topic(Kind::Pattern, name), connection);
        }
        (PushKind::SSubscribe, [Value::BulkString(name), ..]) => {
            shared
                .table
                .confirmed(&topic(Kind::Sharded, name), connection);
        }
        (PushKind::SUnsubscribe, [Value::BulkString(name), ..]) => {
            left(shared, hub, connection, &topic(Kind::Sharded, name));
        }
        (PushKind::Message, [Value::BulkString(name), Value::BulkString(payload)]) => {
            hand_out(shared, &topic(Kind::Exact, name), connection, name, payload);
        }
        (PushKind::SMessage, [Value::BulkString(name), Value::BulkString(payload)]) => {
            hand_out(
                shared,
                &topic(Kind::Sharded, name),
                connection,
                name,
                payload,
            );
        }
        (
            PushKind::PMessage,
            [
                Value::BulkString(pattern),
                Value::BulkString(name),
                Value::BulkString(payload),
            ],
        ) => {
            hand_out(
                shared,
                &topic(Kind::Pattern, pattern),
                connection,
                name,
                payload,
            );
        }
        _ => {}
    }
}

/// The server has ended a subscription. It does so unasked when the slot of a
/// sharded channel is moved.
fn left(shared: &Shared, hub: &HubCall, connection: u64, topic: &Topic) {
    let asked_for = lock(&hub.leaving).take_if(|leaving| leaving == topic);
    if asked_for.is_some() {
        return;
    }
    if !shared.table.is_carried(topic, connection) {
        return;
    }
    if hub.asking.load(Ordering::SeqCst) {
        // The client takes it for the answer to what was asked last, so nothing
        // more is asked over this connection.
        shared.table.lost(connection, hub.sound_until());
        hub.give_up(connection);
    } else {
        lock(&hub.carried).remove(topic);
        shared.table.postponed(topic, connection, hub.sound_until());
        shared.routes.is_outdated();
        hub.changed.notify_one();
    }
}

fn hand_out(shared: &Shared, topic: &Topic, connection: u64, channel: &[u8], payload: &[u8]) {
    // The lock is not held while they are told.
    if let Some(sinks) = shared.table.sinks(topic, connection) {
        for listed in sinks.iter() {
            listed.sink.message(channel, payload);
        }
    }
}

/// Keeps one connection as the table has it until it breaks, and says why; or
/// until it has carried nothing for a while.
async fn carry(
    shared: &Arc<Shared>,
    hub: &HubCall,
    connection: u64,
    mut stream: Connection,
    failures: &mut u32,
) -> Option<Error> {
    let place = hub.address.shown();
    let patience = shared.timeouts.command;
    let mut idle = false;
    loop {
        if hub.is_given_up(connection) {
            return Some(Error::new(ErrorKind::Unavailable, "the connection broke"));
        }
        move_on(shared, hub);
        let carried = lock(&hub.carried).clone();
        let changes = shared.table.changes(place, connection, &carried);
        let told = tell(shared, hub, connection, &mut stream, &changes).await;
        let elsewhere = match told {
            Ok(elsewhere) => elsewhere,
            Err(error) => return Some(translate(&error, patience)),
        };
        shared.table.has_settled();
        // It has answered.
        *failures = 0;
        if elsewhere {
            shared.routes.is_outdated();
            sleep(RETRY).await;
            hub.changed.notify_one();
        }
        let empty = lock(&hub.carried).is_empty();
        if empty && std::mem::replace(&mut idle, true) {
            return None;
        }
        idle &= empty;
        let pause = if idle { LINGER } else { HEARTBEAT };
        if timeout(pause, hub.changed.notified()).await.is_err()
            && let Err(error) = asking(shared, hub, cmd("PING").exec_async(&mut stream)).await
        {
            return Some(translate(&error, patience));
        }
    }
}

/// Says all that has changed. `true`: some is served elsewhere.
async fn tell(
    shared: &Shared,
    hub: &HubCall,
    connection: u64,
    stream: &mut Connection,
    changes: &Changes,
) -> RedisResult<bool> {
    for batch in batches(&changes.unsubscribe) {
        *lock(&hub.leaving) = batch.first().cloned();
        let answer = asking(shared, hub, say(stream, false, batch[0].kind, &batch)).await;
        // Over another connection it has not been asked for.
        *lock(&hub.leaving) = None;
        match answer {
            // A node that does not serve the slot any more has ended it itself.
            Err(error) if !is_answer(&error) => return Err(error),
            _ => {}
        }
        let mut carried = lock(&hub.carried);
        for topic in &batch {
            carried.remove(topic);
        }
    }
    shared.table.has_settled();
    let mut elsewhere = false;
    let mut batches = VecDeque::from(batches(&changes.subscribe));
    while let Some(batch) = batches.pop_front() {
        // Before it is: as soon as it is confirmed somebody may end it.
        lock(&hub.carried).extend(batch.iter().cloned());
        let Err(error) = asking(shared, hub, say(stream, true, batch[0].kind, &batch)).await else {
            continue;
        };
        if !is_answer(&error) {
            return Err(error);
        }
        for topic in &batch {
            lock(&hub.carried).remove(topic);
        }
        if batch.len() > 1 {
            // Which of them it is about is found out one by one.
            batches.extend(batch.into_iter().map(|topic| vec![topic]));
        } else if is_elsewhere(&error) {
            shared
                .table
                .postponed(&batch[0], connection, hub.sound_until());
            elsewhere = true;
        } else {
            let why = refusal(&batch[0], &error, shared.timeouts.command);
            shared.table.refused(&batch[0], connection, &why);
        }
    }
    Ok(elsewhere)
}

/// Waits for an answer, for as long as anything comes at all: behind many messages
/// it comes late, and a connection that is given up loses them.
async fn asking(
    shared: &Shared,
    hub: &HubCall,
    answer: impl Future<Output = RedisResult<()>>,
) -> RedisResult<()> {
    let asked = Instant::now();
    hub.asking.store(true, Ordering::SeqCst);
    let patience = shared.timeouts.command;
    let mut answer = pin!(answer);
    let answer = loop {
        match timeout(patience, &mut answer).await {
            Ok(answer) => break answer,
            Err(_) if hub.has_heard(patience) => {}
            Err(_) => break Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        }
    };
    hub.asking.store(false, Ordering::SeqCst);
    if answer.is_ok() {
        hub.is_sound(asked);
    }
    answer
}

/// Why a server does not take a subscription, for those who asked for it.
fn refusal(topic: &Topic, error: &RedisError, patience: Duration) -> Error {
    // The text of an unknown command says no more than this.
    if topic.kind == Kind::Sharded && code(error) == Some("ERR") {
        return Error::new(
            ErrorKind::Server,
            "the server knows no sharded channels: use Redis 7 or later, or subscribe without \
             `sharded`",
        );
    }
    translate(error, patience)
}

/// The server has answered, so the connection is as well as before.
fn is_answer(error: &RedisError) -> bool {
    code(error).is_some() && !is_about_the_server(error) || is_elsewhere(error)
}

/// Of one kind each, and not too many. The client awaits the confirmations of
/// several names only where they are no sharded ones.
fn batches(topics: &[Topic]) -> Vec<Vec<Topic>> {
    let mut batches = Vec::new();
    for kind in [Kind::Exact, Kind::Pattern, Kind::Sharded] {
        let of_kind: Vec<Topic> = topics
            .iter()
            .filter(|topic| topic.kind == kind)
            .cloned()
            .collect();
        let size = if kind == Kind::Sharded { 1 } else { BATCH };
        batches.extend(of_kind.chunks(size).map(<[Topic]>::to_vec));
    }
    batches
}

/// Subscribes to some names of a kind, or ends that, and waits until each is
/// confirmed.
async fn say(
    stream: &mut Connection,
    begin: bool,
    kind: Kind,
    topics: &[Topic],
) -> RedisResult<()> {
    let names: Vec<&[u8]> = topics.iter().map(|topic| &*topic.name).collect();
    match (kind, begin) {
        (Kind::Exact, true) => stream.client().subscribe(names).await,
        (Kind::Exact, false) => stream.client().unsubscribe(names).await,
        (Kind::Pattern, true) => stream.client().psubscribe(names).await,
        (Kind::Pattern, false) => stream.client().punsubscribe(names).await,
        (Kind::Sharded, true) => cmd("SSUBSCRIBE").arg(names).exec_async(stream).await,
        (Kind::Sharded, false) => cmd("SUNSUBSCRIBE").arg(names).exec_async(stream).await,
    }
}
