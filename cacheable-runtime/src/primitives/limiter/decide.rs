//! The way of one check: what is remembered, the store, and what happens when
//! the store does not answer.

use std::sync::Arc;
#[cfg(feature = "redis")]
use std::time::Duration;

use super::decision::{Decision, Source};
#[cfg(feature = "redis")]
use super::denials::Asked;
use super::memory::{Ask, Place};
use super::policy::Spec;
#[cfg(feature = "redis")]
use super::rule::Verdict;
#[cfg(feature = "redis")]
use super::{OnFailure, redis};
use crate::error::Error;
#[cfg(feature = "redis")]
use crate::error::ErrorKind;
use crate::primitives::Ground;
#[cfg(feature = "redis")]
use crate::primitives::Server;

/// What is asked.
#[derive(Clone, Copy)]
pub(super) struct Call {
    pub(super) cost: u64,
    /// An allowed call is counted.
    pub(super) counts: bool,
}

impl Call {
    /// Whether a call would be allowed.
    pub(super) const PEEK: Self = Self {
        cost: 1,
        counts: false,
    };

    fn of(self, spec: &Spec) -> Ask<'_> {
        Ask {
            policy: spec.hash,
            rule: &spec.rule,
            cost: self.cost,
            shadow: spec.shadow,
        }
    }
}

/// One policy.
pub(super) async fn one(
    ground: &Arc<Ground>,
    spec: &Spec,
    id: &[u8],
    call: Call,
) -> Result<Decision, Error> {
    spec.rule.check_cost(call.cost)?;
    #[cfg(feature = "redis")]
    if let Some(server) = ground.server() {
        return one_on_server(ground, server, spec, id, call).await;
    }
    let limits = &ground.limits;
    let (now, hash) = (|| ground.clock().micros(), limits.histories.hash(id));
    let ask = call.of(spec);
    let (now, verdict) = limits.histories.check(now, hash, &ask, call.counts);
    let decision = Decision::new(spec.limit, verdict, now, Source::Embedded);
    Ok(told(spec, decision, call))
}

/// Several, all or nothing.
pub(super) async fn all(
    ground: &Arc<Ground>,
    specs: &[&Spec],
    id: &[u8],
    call: Call,
) -> Result<Vec<Decision>, Error> {
    for spec in specs {
        spec.rule.check_cost(call.cost)?;
    }
    #[cfg(feature = "redis")]
    if let Some(server) = ground.server() {
        if let [spec] = specs {
            let decision = one_on_server(ground, server, spec, id, call).await?;
            return Ok(vec![decision]);
        }
        return all_on_server(ground, server, specs, id, call).await;
    }
    let limits = &ground.limits;
    let (now, hash) = (|| ground.clock().micros(), limits.histories.hash(id));
    let asks: Vec<Ask<'_>> = specs.iter().map(|spec| call.of(spec)).collect();
    let (now, verdicts) = limits.histories.check_all(now, hash, &asks, call.counts);
    let decide = |(spec, verdict): (&&Spec, _)| {
        let decision = Decision::new(spec.limit, verdict, now, Source::Embedded);
        told(spec, decision, call)
    };
    Ok(specs.iter().zip(verdicts).map(decide).collect())
}

pub(super) async fn refund(
    ground: &Arc<Ground>,
    spec: &Spec,
    id: &[u8],
    units: u64,
) -> Result<u64, Error> {
    if units == 0 {
        return Ok(0);
    }
    let place = place(ground, spec, id);
    let now = || ground.clock().micros();
    let histories = &ground.limits.histories;
    #[cfg(feature = "redis")]
    if let Some(server) = ground.server() {
        let key = redis::key(ground.namespace(), id, spec);
        let back = redis::refund(server, &key, &spec.rule, units);
        let back = in_time(ground, server, patience(ground, spec), back).await;
        // Also when nobody knows whether it was done.
        ground.limits.denials.remove(place);
        histories.refund(now, place, &spec.local, units);
        return back;
    }
    Ok(histories.refund(now, place, &spec.rule, units))
}

pub(super) async fn reset(ground: &Arc<Ground>, spec: &Spec, id: &[u8]) -> Result<bool, Error> {
    let place = place(ground, spec, id);
    let now = || ground.clock().micros();
    let histories = &ground.limits.histories;
    #[cfg(feature = "redis")]
    if let Some(server) = ground.server() {
        let key = redis::key(ground.namespace(), id, spec);
        let reset = redis::reset(server, &key);
        let reset = in_time(ground, server, patience(ground, spec), reset).await;
        ground.limits.denials.remove(place);
        histories.reset(now, place);
        return reset;
    }
    Ok(histories.reset(now, place))
}

fn place(ground: &Ground, spec: &Spec, id: &[u8]) -> Place {
    Place {
        id: ground.limits.histories.hash(id),
        policy: spec.hash,
    }
}

/// What the caller is told of a decision, which is counted.
fn told(spec: &Spec, mut decision: Decision, call: Call) -> Decision {
    if spec.shadow && !decision.allowed {
        decision.allowed = true;
        decision.shadowed = true;
        decision.retry_after = None;
    }
    if call.counts {
        spec.counters.decided(&decision);
    }
    decision
}

#[cfg(feature = "redis")]
async fn one_on_server(
    ground: &Arc<Ground>,
    server: &Server,
    spec: &Spec,
    id: &[u8],
    call: Call,
) -> Result<Decision, Error> {
    let place = place(ground, spec, id);
    let denials = &ground.limits.denials;
    // A single denial decides on all, but what others would say is not known.
    if call.counts
        && let Some(denied) = denials.get(place, spec, call.cost)
    {
        return Ok(told(spec, denied, call));
    }
    let asked = denials.ask();
    let (key, ask) = (redis::key(ground.namespace(), id, spec), call.of(spec));
    let answer = redis::check(server, &key, &ask, call.counts);
    match in_time(ground, server, patience(ground, spec), answer).await {
        Ok((now, verdict)) => Ok(by_server(ground, spec, place, call, asked, now, verdict)),
        Err(error) => {
            let each = without_server(ground, &[spec], id, call, &error)?;
            Ok(each.into_iter().next().expect("one was asked"))
        }
    }
}

#[cfg(feature = "redis")]
async fn all_on_server(
    ground: &Arc<Ground>,
    server: &Server,
    specs: &[&Spec],
    id: &[u8],
    call: Call,
) -> Result<Vec<Decision>, Error> {
    let asked = ground.limits.denials.ask();
    let asks: Vec<Ask<'_>> = specs.iter().map(|spec| call.of(spec)).collect();
    let key = |spec: &&Spec| redis::key(ground.namespace(), id, spec);
    let keys: Vec<String> = specs.iter().map(key).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let answer = redis::check_all(server, &keys, &asks, call.counts);
    // The shortest: whoever asks several waits for one answer.
    let patience = specs.iter().map(|spec| patience(ground, spec)).min();
    let answer = in_time(ground, server, patience.unwrap_or_default(), answer).await;
    let (now, verdicts) = match answer {
        Ok(answer) => answer,
        Err(error) => return without_server(ground, specs, id, call, &error),
    };
    let decide = |(spec, verdict): (&&Spec, _)| {
        let place = place(ground, spec, id);
        by_server(ground, spec, place, call, asked, now, verdict)
    };
    Ok(specs.iter().zip(verdicts).map(decide).collect())
}

/// What the caller is told of a decision by the server, which is remembered if
/// it denies.
#[cfg(feature = "redis")]
fn by_server(
    ground: &Ground,
    spec: &Spec,
    place: Place,
    call: Call,
    asked: Asked,
    now: u64,
    verdict: Verdict,
) -> Decision {
    let decision = Decision::new(spec.limit, verdict, now, Source::Redis);
    if !decision.allowed && call.counts {
        let denials = &ground.limits.denials;
        denials.add(place, spec, call.cost, &decision, asked);
    }
    told(spec, decision, call)
}

/// What each policy says when the server does not: an error, if any returns it.
#[cfg(feature = "redis")]
fn without_server(
    ground: &Ground,
    specs: &[&Spec],
    id: &[u8],
    call: Call,
    error: &Error,
) -> Result<Vec<Decision>, Error> {
    let away = error.is_unavailable() || error.kind() == ErrorKind::Server;
    let returned = |spec: &&Spec| spec.on_failure == OnFailure::Error && !spec.shadow;
    if !away || specs.iter().any(returned) {
        for spec in specs {
            spec.counters.failed();
        }
        return Err(error.clone());
    }
    let now = || ground.clock().micros();
    let hash = ground.limits.histories.hash(id);
    // All or nothing holds here, too.
    let denies = |spec: &&Spec| spec.on_failure == OnFailure::Closed && !spec.shadow;
    let counts = call.counts && !specs.iter().any(denies);
    let local: Vec<Ask<'_>> = specs
        .iter()
        .filter(|spec| spec.on_failure == OnFailure::Local)
        .map(|spec| Ask {
            rule: &spec.local,
            ..call.of(spec)
        })
        .collect();
    let histories = &ground.limits.histories;
    let (now, local) = histories.check_all(now, hash, &local, counts);
    let mut local = local.into_iter();
    let decide = |spec: &&Spec| {
        let decision = match spec.on_failure {
            OnFailure::Local => Decision {
                failure: Some(error.clone()),
                ..Decision::new(
                    spec.local.capacity,
                    local.next().expect("one for each that is asked"),
                    now,
                    Source::Local,
                )
            },
            OnFailure::Error | OnFailure::Open => {
                Decision::failed(true, spec.limit, now, error.clone())
            }
            OnFailure::Closed => Decision::failed(false, spec.limit, now, error.clone()),
        };
        told(spec, decision, call)
    };
    Ok(specs.iter().map(decide).collect())
}

#[cfg(feature = "redis")]
fn patience(ground: &Ground, spec: &Spec) -> Duration {
    spec.timeout.unwrap_or(ground.patience().budget)
}

/// Waits no longer than this.
#[cfg(feature = "redis")]
async fn in_time<T>(
    ground: &Ground,
    server: &Server,
    patience: Duration,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    if let Ok(answer) = tokio::time::timeout(patience, answer).await {
        return answer;
    }
    // Whoever waits for less than others do cannot say that it is too slow for
    // them.
    if patience >= ground.patience().budget {
        server.routes.overdue();
    }
    Err(Error::new(
        ErrorKind::Timeout,
        format!("the server did not decide on a limit within {patience:?}"),
    ))
}
