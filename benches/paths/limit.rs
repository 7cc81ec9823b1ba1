//! Whether something may be done once more.

use std::num::NonZero;
use std::time::Duration;

use benches::{Bench, Contender, Field, Path};
use cacheable_runtime::{Algorithm, RateLimiter, RatePolicy, Runtime};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter as Governor};
use redis::Script;
use redis::aio::MultiplexedConnection;

use crate::wire::{self, Server};

const TASKS: [u64; 2] = [1, 64];
const LIMIT: u64 = 100;
const WINDOW: Duration = Duration::from_mins(1);

/// So many callers are told apart.
const CALLERS: u64 = 10_000;

/// In the process's own memory.
pub(crate) fn embedded(bench: &mut Bench) {
    bench.path(&Path::new("limit/embedded").tasks(&TASKS), async || {
        let quota = Quota::per_minute(NonZero::new(LIMIT as u32).expect("it is more than 0"));
        let governor: &DefaultKeyedRateLimiter<u64> = Box::leak(Box::new(Governor::keyed(quota)));
        let limiter = Runtime::embedded().rate_limiter();
        let exact = policy(&limiter, Algorithm::Exact);
        let gcra = policy(&limiter, Algorithm::Gcra);
        Field {
            note: format!("{LIMIT} a minute, {CALLERS} callers"),
            contenders: vec![
                Contender::sync("governor", move |n| {
                    governor.check_key(&(n % CALLERS)).is_ok()
                }),
                Contender::new("GCRA", move |n| async move { check(gcra, n).await })
                    .against("governor"),
                Contender::new("exact", move |n| async move { check(exact, n).await })
                    .against("governor"),
            ],
        }
    });
}

/// In a server.
pub(crate) fn redis(bench: &mut Bench, server: &Server) {
    let path = Path::new("limit/redis").tasks(&TASKS).timed().on(server);
    bench.path(&path, async || {
        let by_hand = ByHand::on(server).await;
        let limiter = server.runtime().await.rate_limiter();
        let [exact, segmented, gcra] =
            [Algorithm::Exact, Algorithm::Segmented, Algorithm::Gcra].map(|a| policy(&limiter, a));
        Field {
            note: format!("{LIMIT} a minute, {CALLERS} callers"),
            contenders: vec![
                Contender::new("redis SET", move |n| by_hand.set(n)),
                Contender::new("redis INCR, PEXPIRE in a script", move |n| by_hand.count(n))
                    .against("redis SET"),
                Contender::new("exact", move |n| async move { check(exact, n).await })
                    .against("redis SET"),
                Contender::new(
                    "segmented",
                    move |n| async move { check(segmented, n).await },
                )
                .against("redis SET"),
                Contender::new("GCRA", move |n| async move { check(gcra, n).await })
                    .against("redis SET"),
            ],
        }
    });
}

/// Without what remembers denials, which would answer in the place of the
/// server.
fn policy(limiter: &RateLimiter, algorithm: Algorithm) -> &'static RatePolicy {
    let policy = limiter
        .policy(format!("{algorithm:?}"))
        .limit(LIMIT)
        .per(WINDOW);
    let policy = policy
        .algorithm(algorithm)
        .remember_denials(Duration::ZERO)
        .build();
    Box::leak(Box::new(policy.expect("it is a limit")))
}

async fn check(policy: &RatePolicy, number: u64) -> bool {
    let decision = policy.check((number % CALLERS).to_be_bytes()).await;
    decision.expect("the server answers").allowed
}

/// The floor, and what most write: a fixed window, which lets through twice
/// its limit.
struct ByHand {
    connection: MultiplexedConnection,
    count: Script,
}

const COUNT: &str = r"
local count = redis.call('INCR', KEYS[1])
if count == 1 then
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return count
";

impl ByHand {
    async fn on(server: &Server) -> &'static Self {
        Box::leak(Box::new(Self {
            connection: server.connect().await,
            count: Script::new(COUNT),
        }))
    }

    async fn set(&self, number: u64) {
        let key = format!("hand:set:{}", number % CALLERS);
        wire::set(&self.connection, &key, b"1").await;
    }

    async fn count(&self, number: u64) -> bool {
        let mut count = self.count.key(format!("hand:limit:{}", number % CALLERS));
        count.arg(WINDOW.as_millis() as u64);
        let count: redis::RedisResult<u64> = count.invoke_async(&mut self.connection.clone()).await;
        count.expect("the server answers") <= LIMIT
    }
}
