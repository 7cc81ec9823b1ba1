//! On a server: one key for each limit of each id, and one script.
//!
//! A key is `limit:{hash of the id}:what the policy is`. The hash is what the
//! slot of a cluster goes by, so all limits of one id are in one slot, and no
//! id can choose its slot or meet another's.

use once_cell::sync::Lazy;
use redis::cmd;

use super::memory::Ask;
use super::policy::Spec;
use super::rule::{AUTOMATIC_EXACT, Kind, Rule, Verdict};
use crate::conn::{Lane, Lua};
use crate::error::{Error, ErrorKind};
use crate::primitives::{Server, name};

struct Scripts {
    check: Lua,
    exact: Lua,
    segmented: Lua,
    gcra: Lua,
    refund: Lua,
}

static SCRIPTS: Lazy<Scripts> = Lazy::new(|| Scripts {
    check: Lua::new(include_str!("lua/check.lua")),
    exact: Lua::new(include_str!("lua/exact.lua")),
    segmented: Lua::new(include_str!("lua/segmented.lua")),
    gcra: Lua::new(include_str!("lua/gcra.lua")),
    refund: Lua::new(include_str!("lua/refund.lua")),
});

/// The key of a limit.
pub(super) fn key(namespace: &str, id: &[u8], spec: &Spec) -> String {
    const BESIDE: usize = "limit:{}:".len() + 32;
    let mut key = String::with_capacity(namespace.len() + BESIDE + spec.place.len());
    key.push_str(namespace);
    key.push_str("limit:{");
    name::append_digest(&mut key, id);
    key.push_str("}:");
    key.push_str(&spec.place);
    key
}

/// What a history says of a call, and when, in microseconds since the epoch. An
/// allowed one `counts`.
pub(super) async fn check(
    server: &Server,
    key: &str,
    ask: &Ask<'_>,
    counts: bool,
) -> Result<(u64, Verdict), Error> {
    if let Some(script) = alone(ask.rule) {
        let Rule {
            capacity,
            window,
            grain,
            ..
        } = *ask.rule;
        let asked = doubles([ask.cost, u64::from(counts), capacity, window, grain]);
        let leg = server.routes.of(key)?;
        let answer: Vec<u8> = leg
            .script(Lane::Removals, script, &[key], &[asked.as_flattened()])
            .await?;
        if !answer.is_empty() {
            let mut answer = Answer::new(&answer);
            return Ok((answer.number()?, answer.verdict()?));
        }
    }
    let (now, verdicts) = check_all(server, &[key], std::slice::from_ref(ask), counts).await?;
    let verdict = verdicts.into_iter().next();
    Ok((now, verdict.expect("one for each that is asked")))
}

/// The script for one limit of this kind, where there is a quicker one. It may
/// leave the question to the other one.
fn alone(rule: &Rule) -> Option<&'static Lua> {
    match rule.kind {
        Kind::Exact if rule.capacity <= AUTOMATIC_EXACT => Some(&SCRIPTS.exact),
        // A log that is longer than a script reads in one go.
        Kind::Exact => None,
        Kind::Segmented => Some(&SCRIPTS.segmented),
        Kind::Gcra => Some(&SCRIPTS.gcra),
    }
}

/// The same for several, all or nothing. All keys are in one slot.
pub(super) async fn check_all(
    server: &Server,
    keys: &[&str],
    asks: &[Ask<'_>],
    counts: bool,
) -> Result<(u64, Vec<Verdict>), Error> {
    let cost = asks.first().map_or(0, |ask| ask.cost);
    let call = doubles([cost, u64::from(counts)]);
    let mut rules = Vec::with_capacity(asks.len() * (2 + 3 * 8));
    for ask in asks {
        rules.extend([kind(ask.rule), u8::from(ask.shadow)]);
        let Rule {
            capacity,
            window,
            grain,
            ..
        } = *ask.rule;
        rules.extend(doubles([capacity, window, grain]).as_flattened());
    }
    let mut arguments = vec![call.as_flattened()];
    arguments.extend(rules.chunks(2 + 3 * 8));
    let answer: Vec<u8> = server
        .routes
        .of(keys[0])?
        .script(Lane::Removals, &SCRIPTS.check, keys, &arguments)
        .await?;
    let mut answer = Answer::new(&answer);
    let now = answer.number()?;
    let verdicts: Result<_, Error> = asks.iter().map(|_| answer.verdict()).collect();
    Ok((now, verdicts?))
}

pub(super) async fn refund(
    server: &Server,
    key: &str,
    rule: &Rule,
    units: u64,
) -> Result<u64, Error> {
    let mut argument = vec![kind(rule)];
    let numbers = [units, rule.capacity, rule.window, rule.grain];
    argument.extend(doubles(numbers).as_flattened());
    let leg = server.routes.of(key)?;
    let back: i64 = leg
        .script(Lane::Removals, &SCRIPTS.refund, &[key], &[&argument])
        .await?;
    u64::try_from(back).map_err(|_| occupied())
}

/// Whether there was something.
pub(super) async fn reset(server: &Server, key: &str) -> Result<bool, Error> {
    let mut unlink = cmd("UNLINK");
    unlink.arg(key);
    server.routes.of(key)?.query(Lane::Removals, &unlink).await
}

/// The byte that a history of this kind begins with.
fn kind(rule: &Rule) -> u8 {
    rule.identity().0 as u8
}

/// As scripts read numbers, and calculate with them. Those that they have to be
/// exact about are below 2^53.
fn doubles<const N: usize>(numbers: [u64; N]) -> [[u8; 8]; N] {
    numbers.map(|number| (number as f64).to_le_bytes())
}

/// The numbers that a script answers, in one text: each text of an answer costs
/// its reader.
struct Answer<'a>(std::slice::Iter<'a, [u8; 8]>);

impl<'a> Answer<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self(text.as_chunks().0.iter())
    }

    /// None is negative, unless something else is under the key.
    #[allow(clippy::cast_sign_loss, reason = "a negative one is an error")]
    fn number(&mut self) -> Result<u64, Error> {
        let number = self.0.next().map(|bytes| f64::from_le_bytes(*bytes));
        match number {
            Some(number) if number >= 0.0 => Ok(number as u64),
            _ => Err(occupied()),
        }
    }

    fn verdict(&mut self) -> Result<Verdict, Error> {
        Ok(Verdict {
            fits: self.number()? == 1,
            remaining: self.number()?,
            reset: self.number()?,
            full: self.number()?,
        })
    }
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
