//! On a server: one key for each limit of each id, and one script.
//!
//! A key is `limit:{hash of the id}:what the policy is`. The hash is what the
//! slot of a cluster goes by, so all limits of one id are in one slot, and no
//! id can choose its slot or meet another's.

use once_cell::sync::Lazy;
use redis::cmd;

use super::memory::Ask;
use super::policy::Spec;
use super::rule::{Rule, Verdict};
use crate::conn::{Lane, Leg, Lua};
use crate::error::{Error, ErrorKind};
use crate::primitives::{Server, name};

struct Scripts {
    check: Lua,
    exact: Lua,
    gcra: Lua,
    refund: Lua,
}

static SCRIPTS: Lazy<Scripts> = Lazy::new(|| Scripts {
    check: Lua::new(include_str!("lua/check.lua")),
    exact: Lua::new(include_str!("lua/exact.lua")),
    gcra: Lua::new(include_str!("lua/gcra.lua")),
    refund: Lua::new(include_str!("lua/refund.lua")),
});

/// The key of each limit that is asked.
pub(super) fn keys(namespace: &str, id: &[u8], specs: &[&Spec]) -> Vec<String> {
    let id = name::digest(id);
    let key = |spec: &&Spec| [namespace, "limit:{", &id, "}:", &spec.place].concat();
    specs.iter().map(key).collect()
}

/// What the histories say of a call, and when, in microseconds since the epoch.
/// An allowed one `counts`. All keys are in one slot.
pub(super) async fn check(
    server: &Server,
    keys: &[String],
    asks: &[Ask<'_>],
    counts: bool,
) -> Result<(u64, Vec<Verdict>), Error> {
    let leg = server.routes.of(&keys[0])?;
    let mut answer: Vec<i64> = Vec::new();
    if let [ask] = asks
        && let Some(script) = alone(ask.rule)
    {
        let [cost, counts] = [ask.cost, u64::from(counts)].map(|number| number.to_string());
        let [_, capacity, window, grain] = numbers(ask.rule);
        let arguments = [&cost, &counts, &capacity, &window, &grain].map(String::as_bytes);
        answer = leg.script(Lane::Removals, script, keys, &arguments).await?;
    }
    if answer.is_empty() {
        answer = check_all(&leg, keys, asks, counts).await?;
    }
    // Durations: none is negative.
    let mut answer = answer.into_iter().map(u64::try_from);
    let mut next = || answer.next().and_then(Result::ok).ok_or_else(occupied);
    let now = next()?;
    let mut verdicts = Vec::with_capacity(asks.len());
    for _ in asks {
        verdicts.push(Verdict {
            fits: next()? == 1,
            remaining: next()?,
            reset: next()?,
            full: next()?,
        });
    }
    Ok((now, verdicts))
}

/// The script for one limit of this kind, where there is a quicker one. It may
/// leave the question to the other one.
fn alone(rule: &Rule) -> Option<&'static Lua> {
    match rule.identity().0 {
        'x' => Some(&SCRIPTS.exact),
        'g' => Some(&SCRIPTS.gcra),
        _ => None,
    }
}

async fn check_all(
    leg: &Leg,
    keys: &[String],
    asks: &[Ask<'_>],
    counts: bool,
) -> Result<Vec<i64>, Error> {
    let cost = asks.first().map_or(0, |ask| ask.cost);
    let mut arguments = vec![cost.to_string(), u8::from(counts).to_string()];
    for ask in asks {
        arguments.extend(numbers(ask.rule));
        arguments.push(u8::from(ask.shadow).to_string());
    }
    let arguments: Vec<&[u8]> = arguments.iter().map(String::as_bytes).collect();
    leg.script(Lane::Removals, &SCRIPTS.check, keys, &arguments)
        .await
}

pub(super) async fn refund(
    server: &Server,
    key: &str,
    rule: &Rule,
    units: u64,
) -> Result<u64, Error> {
    let mut arguments = vec![units.to_string()];
    arguments.extend(numbers(rule));
    let arguments: Vec<&[u8]> = arguments.iter().map(String::as_bytes).collect();
    let leg = server.routes.of(key)?;
    let back: i64 = leg
        .script(Lane::Removals, &SCRIPTS.refund, &[key], &arguments)
        .await?;
    u64::try_from(back).map_err(|_| occupied())
}

/// Whether there was something.
pub(super) async fn reset(server: &Server, key: &str) -> Result<bool, Error> {
    let mut unlink = cmd("UNLINK");
    unlink.arg(key);
    server.routes.of(key)?.query(Lane::Removals, &unlink).await
}

fn numbers(rule: &Rule) -> [String; 4] {
    [
        rule.identity().0.to_string(),
        rule.capacity.to_string(),
        rule.window.to_string(),
        rule.grain.to_string(),
    ]
}

/// Not a failure of the server: to allow or deny on account of it would go on
/// for ever.
fn occupied() -> Error {
    Error::new(
        ErrorKind::Conflict,
        "another program keeps something else under the key of this limit: call `reset` to remove \
         it, or write a `namespace` that is used by nothing else",
    )
}
