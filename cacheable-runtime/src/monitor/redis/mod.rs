//! Asking servers, over the connection that is not followed: one round trip
//! to each for one sample.

mod big_keys;

use std::sync::Arc;

use redis::{Pipeline, RedisError, RedisResult, Value};

use super::info;
use super::server::ServerStats;
use super::slow::SlowCommand;
use super::stats::Unavailable;
use crate::conn::{Lane, Link, Routes, TRACKED_KEYS_LIMIT, tracked_keys_limit};
use crate::error::{Error, ErrorKind};
use crate::sync::{BoxFuture, all};
use crate::time::{Clock, Millis};
pub(super) use big_keys::look;

/// What one server answered.
pub(super) struct Answer {
    pub(super) address: String,
    /// When, on this process's clock.
    pub(super) at: Millis,
    pub(super) parts: Result<Parts, Error>,
}

pub(super) type Parts = (
    Result<ServerStats, Unavailable>,
    Result<Vec<SlowCommand>, Unavailable>,
);

/// Entries of the slow log that are asked for. Each repeats up to four
/// kilobytes of arguments on the wire.
const SLOW: usize = 64;

/// Asks every server at once.
pub(super) async fn ask(routes: &Routes, clock: &Clock) -> Vec<Answer> {
    let links = routes.links();
    if links.is_empty() {
        // Nobody has told yet who is in the cluster.
        let error = routes.trouble().unwrap_or_else(|| {
            Error::new(ErrorKind::Unavailable, "no node of the cluster is known")
        });
        return vec![Answer {
            address: routes.server(),
            at: clock.moment().monotonic,
            parts: Err(error),
        }];
    }
    let one = |link: Arc<Link>| -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            let parts = parts(&link).await;
            Answer {
                address: link.server().to_owned(),
                at: clock.moment().monotonic,
                parts,
            }
        })
    };
    all(links.into_iter().map(one).collect()).await
}

async fn parts(link: &Link) -> Result<Parts, Error> {
    let mut commands = Pipeline::with_capacity(3);
    // One section cannot be asked for beside another before Redis 7.
    commands.cmd("INFO").arg("all");
    commands.cmd("SLOWLOG").arg("GET").arg(SLOW);
    let [name, words @ ..] = TRACKED_KEYS_LIMIT;
    commands.cmd(name).arg(&words);
    commands.ignore_errors();
    let answers: Vec<RedisResult<Value>> = link.pipeline(Lane::Removals, &commands).await?;
    let mut answers = answers.into_iter();
    let mut next = || answers.next().unwrap_or(Ok(Value::Nil));
    let mut server = match next() {
        Ok(answer) => Ok(info::parse(&text(answer))),
        Err(error) => Err(refused(&error, "INFO")),
    };
    let log = match next() {
        Ok(answer) => Ok(slow_commands(&answer)),
        Err(error) => Err(refused(&error, "SLOWLOG")),
    };
    if let Ok(server) = &mut server {
        let settings = next().unwrap_or(Value::Nil);
        server.clients.tracked_keys_limit = tracked_keys_limit(settings);
    }
    Ok((server, log))
}

/// An answer in any form that texts have; nothing of one in another form.
fn text(answer: Value) -> String {
    match answer {
        Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Value::VerbatimString { text, .. } | Value::SimpleString(text) => text,
        _ => String::new(),
    }
}

/// The entries that are of a form that is known.
fn slow_commands(answer: &Value) -> Vec<SlowCommand> {
    let Value::Array(entries) = answer else {
        return Vec::new();
    };
    entries.iter().filter_map(slow_command).collect()
}

fn slow_command(entry: &Value) -> Option<SlowCommand> {
    let Value::Array(parts) = entry else {
        return None;
    };
    let [
        Value::Int(id),
        Value::Int(at),
        Value::Int(micros),
        Value::Array(words),
        ..,
    ] = &parts[..]
    else {
        return None;
    };
    let number = |number: i64| u64::try_from(number).ok();
    let words = words.iter().map(|word| match word {
        Value::BulkString(bytes) => &bytes[..],
        _ => &[],
    });
    Some(SlowCommand::new(
        number(*id)?,
        number(*at)?,
        number(*micros)?,
        words,
    ))
}

/// An error of a server, by its code alone: its text may repeat anything.
fn refused(error: &RedisError, command: &str) -> Unavailable {
    let code = info::named_code(error.code().unwrap_or("ERR"));
    Unavailable::refused(code, refusal(code, command))
}

fn refusal(code: &str, command: &str) -> Error {
    let category = command.to_ascii_lowercase().replace(' ', "|");
    let message = match code {
        "NOPERM" => format!(
            "NOPERM: the user of REDIS_URL may not run {command}: allow it with \
             `ACL SETUSER <user> +{category}`"
        ),
        "ERR" => format!("ERR: the server does not know {command}, or has it under another name"),
        code => format!("the server answered {command} with {code}"),
    };
    Error::new(ErrorKind::Server, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_in_another_form_are_passed_over() {
        let answer = b"*5\r\n\
            *6\r\n:7\r\n:100\r\n:2500\r\n*3\r\n$3\r\nset\r\n$1\r\nk\r\n$1\r\nv\r\n$1\r\na\r\n$1\r\nb\r\n\
            *2\r\n:8\r\n:1\r\n:9\r\n\
            *4\r\n:-1\r\n:1\r\n:1\r\n*0\r\n\
            $1\r\n";
        // The last is cut off, so it is put right here.
        let answer = [&answer[..answer.len() - 4], b"$1\r\nx\r\n"].concat();
        let value = redis::parse_redis_value(&answer).unwrap();
        let commands = slow_commands(&value);
        assert_eq!(commands.len(), 1);
        assert_eq!((commands[0].id, &*commands[0].name), (7, "SET"));
        assert_eq!(commands[0].arguments, 2);
        assert!(slow_commands(&Value::Nil).is_empty());
    }
}
