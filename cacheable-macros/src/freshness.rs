//! How old a value may get, when it is loaded again, and how long that may take.

use proc_macro2::Span;
use syn::{Expr, LitFloat};

use crate::args::{CacheableArgs, Slot};
use crate::check;
use crate::diag::Errors;
use crate::item::Function;

/// What the caller gets when the body's time is up and no old value can stand in.
pub(crate) enum Late {
    /// An expression of the error type.
    Error(Expr),
    /// `None`, if the return type has one.
    Absent,
}

/// Whether one of the arguments is there that have a value loaded again while callers are
/// answered with it.
pub(crate) fn refreshes(args: &CacheableArgs) -> bool {
    !(args.stale_while_revalidate.is_absent()
        && args.refresh_ahead.is_absent()
        && args.beta.is_absent())
}

/// The same of the arguments that were meant, so that what needs them is not reported too.
pub(crate) fn may_refresh(args: &CacheableArgs, errors: &Errors) -> bool {
    let meant = ["stale_while_revalidate", "refresh_ahead", "beta"];
    refreshes(args) || meant.iter().any(|name| errors.was_meant(name))
}

/// What one argument needs or excludes of the others.
pub(crate) fn together(args: &CacheableArgs, errors: &mut Errors) {
    if let (Some(_), Some(name)) = (args.refresh_ahead.name(), args.beta.name()) {
        errors.at(
            name,
            "`beta` contradicts `refresh_ahead`, as each says when a value is loaded again before \
             its end; remove one of the two",
        );
    }
    let may_fail = !args.stale_if_error.is_absent() || errors.was_meant("stale_if_error");
    if let Some(name) = args.retry_after.name()
        && !may_fail
        && !may_refresh(args, errors)
    {
        errors.at(
            name,
            "`retry_after` has nothing to act on, as it is how long a failed load is not repeated \
             while an old value stands in; write `stale_if_error = \"1h\"` beside it, or remove it",
        );
    }
    if let Some(name) = args.timeout_error.name()
        && args.load_timeout.is_absent()
        && !errors.was_meant("load_timeout")
    {
        errors.at(
            name,
            "`timeout_error` has nothing to act on, as it is returned when the time of \
             `load_timeout` is up; write `load_timeout = \"2s\"` beside it, or remove it",
        );
    }
}

/// What a method under `load_timeout` returns when its time is up.
pub(crate) fn late(args: &CacheableArgs, function: &Function, errors: &mut Errors) -> Option<Late> {
    let written = function.output().and_then(check::last_segment);
    let returns = |name: &str| written.is_some_and(|written| written == name);
    let timeout = args.load_timeout.name();
    match (timeout, args.timeout_error.name()) {
        (_, Some(name)) if returns("Option") => {
            errors.at(
                name,
                "`timeout_error` is for a `Result`, and this function returns an `Option`, which \
                 is `None` when the time is up; remove it",
            );
            None
        }
        (Some(_), Some(_)) => args.timeout_error.get().cloned().map(Late::Error),
        (Some(name), None) if returns("Result") && !errors.was_meant("timeout_error") => {
            errors.at(
                name,
                "`load_timeout` ends the body when its time is up, and the error that the caller \
                 gets then is not named; write `timeout_error = Error::Timeout` beside it, an \
                 expression of this function's error type",
            );
            None
        }
        (Some(_), None) => Some(Late::Absent),
        (None, _) => None,
    }
}

/// A share between 0 and 1, without the two.
pub(crate) fn refresh_ahead(slot: &Slot<Expr>, errors: &mut Errors) -> Option<LitFloat> {
    let expr = slot.get()?;
    let value = check::number(expr).filter(|share| *share > 0.0 && *share < 1.0);
    if value.is_none() {
        errors.at(
            expr,
            "`refresh_ahead` is the share of the `ttl` after which a hit has the value loaded \
             again, a number between 0 and 1; write `refresh_ahead = 0.8`",
        );
    }
    value.map(float)
}

/// A number above 0.
pub(crate) fn beta(slot: &Slot<Expr>, errors: &mut Errors) -> Option<LitFloat> {
    let expr = slot.get()?;
    let value = check::number(expr).filter(|beta| *beta > 0.0 && beta.is_finite());
    if value.is_none() {
        errors.at(
            expr,
            "`beta` is how early chance has a value loaded again, a number above 0; write \
             `beta = 1.0`, or a greater one for earlier",
        );
    }
    value.map(float)
}

pub(crate) fn float(value: f64) -> LitFloat {
    LitFloat::new(&format!("{value:?}f64"), Span::mixed_site())
}
