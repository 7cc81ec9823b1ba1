//! Lives as they are written: `3600`, `"1h 30m"`, an expression.

use syn::{BinOp, Expr, Ident, Lit, UnOp};

use crate::args::Slot;
use crate::diag::Errors;

/// How long something lives.
pub(crate) enum Life {
    Millis(u64),
    /// An expression that evaluates to `Duration`.
    Computed(Expr),
}

/// Reads one argument.
pub(crate) fn life(slot: &Slot<Expr>, errors: &mut Errors) -> Option<Life> {
    let (name, expr) = (slot.name()?, slot.get()?);
    let read = match expr {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(written) => text(&written.value()),
            Lit::Int(_) => seconds(integer(expr).unwrap_or(i128::MAX)),
            Lit::Float(_) => Err(Refusal::Unreadable("seconds are whole".to_owned())),
            _ => Err(Refusal::Unreadable("it is no time".to_owned())),
        },
        _ => match integer(expr) {
            Some(number) => seconds(number),
            None => return Some(Life::Computed(expr.clone())),
        },
    };
    let refusal = match read {
        Ok(millis) => return Some(Life::Millis(millis)),
        Err(refusal) => refusal,
    };
    let Usage {
        useless,
        seconds,
        text,
        removable,
    } = usage(name);
    let mut fix = format!("write `{name} = {seconds}` for seconds, or `{name} = \"{text}\"`");
    if removable && matches!(refusal, Refusal::Zero | Refusal::Negative) {
        fix.push_str(", or remove it");
    }
    match refusal {
        Refusal::Zero => errors.at(expr, format_args!("`{name}` is zero, so {useless}; {fix}")),
        Refusal::Negative => errors.at(
            expr,
            format_args!("`{name}` is negative, so {useless}; {fix}"),
        ),
        Refusal::TooLong => errors.at(
            expr,
            format_args!("`{name}` is longer than 100 years; {fix}"),
        ),
        Refusal::Unreadable(reason) => errors.at(
            expr,
            format_args!("`{name}` cannot be read, as {reason}; {fix} (`w d h m s ms`)"),
        ),
    }
    None
}

/// What an argument is for, where that shows in a message.
struct Usage {
    /// What comes of nothing.
    useless: &'static str,
    seconds: u32,
    text: &'static str,
    removable: bool,
}

fn usage(name: &Ident) -> Usage {
    let (useless, seconds, text, removable) = match name.to_string().as_str() {
        "stale_while_revalidate" => ("no old value would be answered with", 600, "10m", true),
        "stale_if_error" => ("no old value would stand in for an error", 3600, "1h", true),
        "retry_after" => ("every call would ask a failing source", 30, "500ms", true),
        "load_timeout" => ("no body would be in time", 2, "500ms", true),
        _ => ("nothing would be read back", 3600, "1h 30m", false),
    };
    Usage {
        useless,
        seconds,
        text,
        removable,
    }
}

/// The value of an integer, or of arithmetic on integers alone, such as `60 * 60`.
fn integer(expr: &Expr) -> Option<i128> {
    match expr {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(value) => value.base10_parse().ok(),
            _ => None,
        },
        Expr::Paren(paren) => integer(&paren.expr),
        Expr::Group(group) => integer(&group.expr),
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => {
            integer(&unary.expr)?.checked_neg()
        }
        Expr::Binary(binary) => {
            let (left, right) = (integer(&binary.left)?, integer(&binary.right)?);
            match binary.op {
                BinOp::Add(_) => left.checked_add(right),
                BinOp::Sub(_) => left.checked_sub(right),
                BinOp::Mul(_) => left.checked_mul(right),
                BinOp::Div(_) => left.checked_div(right),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Nobody means more, and every sum of times stays far inside 64 bits.
const LONGEST_MILLIS: u64 = 100 * 365 * DAY;

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;

/// From the longest to the shortest, each with the spellings that are read.
const UNITS: [(u64, &[&str]); 6] = [
    (WEEK, &["w", "week", "weeks"]),
    (DAY, &["d", "day", "days"]),
    (HOUR, &["h", "hr", "hrs", "hour", "hours"]),
    (MINUTE, &["m", "min", "mins", "minute", "minutes"]),
    (SECOND, &["s", "sec", "secs", "second", "seconds"]),
    (1, &["ms", "milli", "millis", "millisecond", "milliseconds"]),
];

/// Why a life cannot be used.
#[derive(Debug, PartialEq)]
pub(crate) enum Refusal {
    Zero,
    Negative,
    TooLong,
    Unreadable(String),
}

/// Whole seconds, as in `ttl = 3600`.
pub(crate) fn seconds(seconds: i128) -> Result<u64, Refusal> {
    if seconds < 0 {
        return Err(Refusal::Negative);
    }
    let millis = u64::try_from(seconds)
        .ok()
        .and_then(|seconds| seconds.checked_mul(SECOND));
    within(millis)
}

/// Text such as `"1h 30m"`, `"90s"` or `"250ms"`.
pub(crate) fn text(text: &str) -> Result<u64, Refusal> {
    let mut rest = text.trim();
    if rest.starts_with('-') {
        return Err(Refusal::Negative);
    }
    if rest.is_empty() {
        return Err(Refusal::Unreadable("it is empty".to_owned()));
    }
    let mut total = Some(0_u64);
    let mut last = u64::MAX;
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit());
        let after = after.trim_start();
        let (unit, after) = split(after, char::is_alphabetic);
        if number.is_empty() {
            return Err(Refusal::Unreadable(format!("`{rest}` has no number")));
        }
        if unit.is_empty() {
            let reason = match after.chars().next() {
                Some(c @ ('.' | ',')) => format!("`{number}{c}` is not a whole number"),
                Some(c) => format!("`{c}` is neither a number nor a unit"),
                None => format!("`{number}` has no unit"),
            };
            return Err(Refusal::Unreadable(reason));
        }
        let Some((millis, _)) = UNITS
            .iter()
            .find(|(_, names)| names.contains(&unit.to_ascii_lowercase().as_str()))
        else {
            return Err(Refusal::Unreadable(format!("`{unit}` is not a unit")));
        };
        if *millis >= last {
            let reason =
                format!("units go from long to short, each once, so `{unit}` is misplaced");
            return Err(Refusal::Unreadable(reason));
        }
        last = *millis;
        let part = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*millis));
        total = total
            .zip(part)
            .and_then(|(total, part)| total.checked_add(part));
        rest = after.trim_start();
    }
    within(total)
}

fn within(millis: Option<u64>) -> Result<u64, Refusal> {
    match millis {
        Some(0) => Err(Refusal::Zero),
        Some(millis) if millis <= LONGEST_MILLIS => Ok(millis),
        _ => Err(Refusal::TooLong),
    }
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text.split_at(end)
}
