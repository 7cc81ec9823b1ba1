//! One connection that hears what is published on a server.
//!
//! Its task says one thing at a time and waits for the answer, so a
//! confirmation that comes meanwhile belongs to what was said. The heartbeat
//! finds out a network that has gone silent.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, PushInfo, PushKind, RedisError, RedisResult,
    Value, cmd,
};
use tokio::time::timeout;

use super::super::fault::{code, is_about_the_server, is_elsewhere, translate};
use super::super::supervise::{attempt_patience, backoff};
use super::table::HubCall;
use super::{Kind, Shared, Topic};
use crate::error::{Error, ErrorKind};
use crate::sync::unique;

/// How often an idle connection is asked whether it is still there.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How long a connection is kept that carries nothing.
const LINGER: Duration = Duration::from_secs(1);

/// So many names in one command.
const BATCH: usize = 128;

/// When to ask again for what was found to be elsewhere.
const RETRY: Duration = Duration::from_millis(100);

pub(super) async fn run(shared: Arc<Shared>, hub: Arc<HubCall>) {
    let place = hub.address.shown();
    let mut failures = 0_u32;
    loop {
        if shared.table.is_closed() || shared.table.is_idle(place, false) {
            if shared.table.is_idle(place, true) {
                return;
            }
            continue;
        }
        let connection = unique();
        match connect(&shared, &hub, connection, failures).await {
            Ok((stream, at)) => {
                let why = tokio::select! {
                    why = carry(&shared, &hub, connection, stream, &mut failures) => why,
                    why = hub.address.left(&at) => Some(why),
                };
                shared.table.lost(connection);
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
                shared.table.unreachable(place, &error);
                failures = failures.saturating_add(1);
            }
        }
        if shared.table.is_closed() || shared.table.is_idle(place, false) {
            continue;
        }
        move_on(&shared, place);
        // A server that goes away as soon as it is reached is left alone as one
        // that cannot be.
        drop(timeout(backoff(failures), closed(&shared, &hub)).await);
    }
}

/// Waits until nothing is wanted any more.
async fn closed(shared: &Shared, hub: &HubCall) {
    while !shared.table.is_closed() {
        hub.changed.notified().await;
    }
}

/// Has others carry what is served elsewhere by now.
fn move_on(shared: &Arc<Shared>, place: &str) {
    let place_of = |topic: &Topic, from: &str| shared.routes.place_of(topic, Some(from));
    for hub in shared.table.replace(place, place_of) {
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
    failures: u32,
) -> Result<(MultiplexedConnection, ConnectionInfo), Error> {
    let patience = attempt_patience(shared.timeouts.connect, failures);
    let (to, listed) = (Arc::clone(hub), Arc::downgrade(shared));
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(Some(shared.timeouts.command))
        .set_push_sender(move |push: PushInfo| {
            if let Some(shared) = listed.upgrade() {
                heard(&shared, &to, connection, &push);
            }
            Ok::<_, redis::aio::SendError>(())
        });
    let attempt = async {
        let at = hub.address.locate(patience).await?;
        let open = async {
            let client = Client::open(at.clone())?;
            client
                .get_multiplexed_async_connection_with_config(&config)
                .await
        };
        let stream = tokio::select! {
            stream = open => stream,
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
    let topic = |kind, name: &[u8]| Topic {
        kind,
        name: name.into(),
    };
    match (&push.kind, &*push.data) {
        (PushKind::Disconnection, _) => {
            shared.table.lost(connection);
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
        // Unasked, when its slot is moved. The client takes it for an answer to
        // what it asked last, so nothing more is asked over this connection.
        (PushKind::SUnsubscribe, [Value::BulkString(name), ..]) => {
            if shared
                .table
                .is_carried(&topic(Kind::Sharded, name), connection)
            {
                shared.table.lost(connection);
                hub.give_up(connection);
            }
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

fn hand_out(shared: &Shared, topic: &Topic, connection: u64, channel: &[u8], payload: &[u8]) {
    // The lock is not held while they are told.
    if let Some(sinks) = shared.table.sinks(topic, connection) {
        for (_, sink) in sinks.iter() {
            sink.message(channel, payload);
        }
    }
}

/// Keeps one connection as the table has it until it breaks, and says why; or
/// until it has carried nothing for a while.
async fn carry(
    shared: &Arc<Shared>,
    hub: &HubCall,
    connection: u64,
    mut stream: MultiplexedConnection,
    failures: &mut u32,
) -> Option<Error> {
    let place = hub.address.shown();
    let patience = shared.timeouts.command;
    let mut carried: HashSet<Topic> = HashSet::new();
    let mut idle = false;
    loop {
        if shared.table.is_closed() {
            return None;
        }
        if hub.is_given_up(connection) {
            return Some(Error::new(ErrorKind::Unavailable, "the connection broke"));
        }
        move_on(shared, place);
        let changes = shared.table.changes(place, connection, &carried);
        for batch in batches(&changes.unsubscribe) {
            if let Err(error) = say(&mut stream, false, batch[0].kind, &batch).await {
                return Some(translate(&error, patience));
            }
            for topic in &batch {
                carried.remove(topic);
            }
        }
        let mut elsewhere = false;
        for batch in batches(&changes.subscribe) {
            let kind = batch[0].kind;
            let mut answer = say(&mut stream, true, kind, &batch).await;
            let mut asked = vec![batch];
            if asked[0].len() > 1 && answer.as_ref().is_err_and(is_answer) {
                // Which of them it is about is found out one by one.
                asked = asked[0].iter().map(|topic| vec![topic.clone()]).collect();
                answer = Ok(());
                for one in &asked {
                    let alone = say(&mut stream, true, kind, one).await;
                    elsewhere |= take(shared, connection, one, &alone);
                    answer = answer.and(alone.or_else(|error| {
                        if is_answer(&error) {
                            Ok(())
                        } else {
                            Err(error)
                        }
                    }));
                }
            } else {
                elsewhere |= take(shared, connection, &asked[0], &answer);
            }
            match answer {
                Err(error) if !is_answer(&error) => return Some(translate(&error, patience)),
                _ => carried.extend(asked.into_iter().flatten()),
            }
        }
        // It has answered.
        *failures = 0;
        if elsewhere {
            shared.routes.is_outdated();
            tokio::time::sleep(RETRY).await;
            hub.changed.notify_one();
        }
        if carried.is_empty() && std::mem::replace(&mut idle, true) {
            return None;
        }
        idle &= carried.is_empty();
        let pause = if idle { LINGER } else { HEARTBEAT };
        if timeout(pause, hub.changed.notified()).await.is_err()
            && let Err(error) = cmd("PING").exec_async(&mut stream).await
        {
            return Some(translate(&error, patience));
        }
    }
}

/// What was subscribed to, by what came of it. `true`: some is elsewhere.
fn take(shared: &Shared, connection: u64, topics: &[Topic], answer: &RedisResult<()>) -> bool {
    let Err(error) = answer else {
        return false;
    };
    if is_elsewhere(error) {
        for topic in topics {
            shared.table.postponed(topic, connection);
        }
        return true;
    }
    if is_answer(error) {
        let why = translate(error, shared.timeouts.command);
        for topic in topics {
            shared.table.refused(topic, connection, &why);
        }
    }
    false
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
    stream: &mut MultiplexedConnection,
    begin: bool,
    kind: Kind,
    topics: &[Topic],
) -> RedisResult<()> {
    let names: Vec<&[u8]> = topics.iter().map(|topic| &*topic.name).collect();
    match (kind, begin) {
        (Kind::Exact, true) => stream.subscribe(names).await,
        (Kind::Exact, false) => stream.unsubscribe(names).await,
        (Kind::Pattern, true) => stream.psubscribe(names).await,
        (Kind::Pattern, false) => stream.punsubscribe(names).await,
        (Kind::Sharded, true) => cmd("SSUBSCRIBE").arg(names).exec_async(stream).await,
        (Kind::Sharded, false) => cmd("SUNSUBSCRIBE").arg(names).exec_async(stream).await,
    }
}
