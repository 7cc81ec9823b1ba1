//! The walk over the keys of servers, in steps that hold nobody up.

use std::sync::Arc;
use std::time::Instant;

use redis::{Cmd, Pipeline, RedisError, RedisResult, Value, cmd};

use super::super::big_keys::{BigKeys, BigKeysReport, Largest};
use super::super::info::named_code;
use super::refusal;
use crate::conn::{Lane, Link, Routes};
use crate::error::{Error, ErrorKind};

/// One server after another: they may share a machine.
pub(in super::super) async fn look(routes: &Routes, how: &BigKeys) -> Result<BigKeysReport, Error> {
    let links = routes.links();
    // In vain over the others while one is away, which is the longer work.
    if let Some(error) = routes.trouble() {
        return Err(error);
    }
    let mut largest = Largest::new(how.top);
    let mut report = BigKeysReport::default();
    for link in links {
        walk(&link, how, &mut largest, &mut report).await?;
    }
    report.keys = largest.into_keys();
    Ok(report)
}

async fn walk(
    link: &Arc<Link>,
    how: &BigKeys,
    largest: &mut Largest,
    report: &mut BigKeysReport,
) -> Result<(), Error> {
    let incarnation = link.incarnation()?;
    let mut cursor = 0_u64;
    loop {
        let began = Instant::now();
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("COUNT").arg(how.step);
        if let Some(pattern) = &how.matching {
            scan.arg("MATCH").arg(pattern);
        }
        let keys;
        (cursor, keys) = found(link, scan).await?;
        // A step finds a few more at times.
        for some in keys.chunks(how.step as usize) {
            measure(link, how, some, largest, report).await?;
        }
        // A cursor means nothing to another server, and this address may lead
        // to another one now.
        if link.incarnation()? != incarnation {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the connection was lost while keys were looked at: begin again",
            ));
        }
        if cursor == 0 {
            return Ok(());
        }
        tokio::time::sleep(how.pause.max(began.elapsed())).await;
    }
}

async fn measure(
    link: &Link,
    how: &BigKeys,
    keys: &[Vec<u8>],
    largest: &mut Largest,
    report: &mut BigKeysReport,
) -> Result<(), Error> {
    if keys.is_empty() {
        return Ok(());
    }
    let mut commands = Pipeline::with_capacity(keys.len());
    for key in keys {
        let command = commands.cmd("MEMORY").arg("USAGE").arg(key);
        command.arg("SAMPLES").arg(how.samples);
    }
    commands.ignore_errors();
    let answers: Vec<RedisResult<Value>> = link.pipeline(Lane::Removals, &commands).await?;
    for (key, answer) in keys.iter().zip(answers) {
        match answer {
            Ok(Value::Int(bytes)) => {
                let bytes = u64::try_from(bytes).unwrap_or(0);
                report.looked_at += 1;
                report.bytes = report.bytes.saturating_add(bytes);
                largest.add(bytes, key, link.server());
            }
            // It is gone by now.
            Ok(_) => {}
            Err(error) => match named_code(error.code().unwrap_or("ERR")) {
                // It is on another node of the cluster by now, or on its way.
                "MOVED" | "ASK" | "TRYAGAIN" => {}
                code => return Err(refusal(code, "MEMORY USAGE")),
            },
        }
    }
    Ok(())
}

/// The next cursor, and the keys of this step.
async fn found(link: &Link, scan: Cmd) -> Result<(u64, Vec<Vec<u8>>), Error> {
    let mut commands = Pipeline::with_capacity(1);
    commands.add_command(scan).ignore_errors();
    let answers: Vec<RedisResult<Value>> = link.pipeline(Lane::Removals, &commands).await?;
    let answer = answers.into_iter().next().unwrap_or(Ok(Value::Nil));
    let answer = answer.map_err(|error| refused(&error, "SCAN"))?;
    redis::from_redis_value(answer).map_err(|_| {
        Error::new(
            ErrorKind::Server,
            "the server answered SCAN in a form that is not known",
        )
    })
}

/// By its code alone: the text may repeat a key.
fn refused(error: &RedisError, command: &str) -> Error {
    refusal(named_code(error.code().unwrap_or("ERR")), command)
}
