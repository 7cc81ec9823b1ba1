//! Limits on how often something is done.

mod clocks;
mod decisions;
mod failures;
mod keys;
mod layer;
mod oracle;
mod refunds;
mod remembered;
mod several;

use std::time::{Duration, SystemTime};

use cacheable_runtime::{Algorithm, Decision, RatePolicy, RatePolicyBuilder, Runtime};
use cacheable_tests::RedisServer;
use cacheable_tests::store::PATIENCE;

const ALGORITHMS: [Algorithm; 3] = [Algorithm::Exact, Algorithm::Segmented, Algorithm::Gcra];

/// Long enough to see what is denied in it on a busy machine, short enough to
/// be waited for.
const WINDOW: Duration = Duration::from_secs(1);

/// In which nothing comes back while a test runs.
const MINUTE: Duration = Duration::from_secs(60);

/// The moment of a decision by a store.
fn decided(decision: &Decision) -> SystemTime {
    decision.reset_at - decision.reset_after
}

/// A policy that remembers nothing in this process, so that the store decides
/// each time.
fn asking(runtime: &Runtime, name: &str, limit: u64, window: Duration) -> RatePolicyBuilder {
    let builder = runtime.rate_limiter().policy(name);
    builder
        .limit(limit)
        .per(window)
        .remember_denials(Duration::ZERO)
}

fn policy(runtime: &Runtime, name: &str, limit: u64, window: Duration) -> RatePolicy {
    asking(runtime, name, limit, window).build().unwrap()
}

/// On a server of the test's own, with time enough for a busy machine.
async fn on(server: &RedisServer) -> Runtime {
    let builder = Runtime::builder().redis(server.url()).budget(PATIENCE);
    builder.require_connection().build().await.unwrap()
}

/// How many of so many calls are allowed.
async fn allowed(policy: &RatePolicy, id: &str, calls: usize) -> u64 {
    let mut allowed = 0;
    for _ in 0..calls {
        allowed += u64::from(policy.check(id).await.unwrap().allowed);
    }
    allowed
}
