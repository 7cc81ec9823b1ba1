//! Locks, limits, sessions, messages and figures: what the scenarios of each
//! promise, over every store where it applies.

mod limiter;
mod lock;
mod monitor;
mod pubsub;
mod session;

/// Makes each case, an `async fn(Store)`, a test on every store. On a cluster
/// they take as long again, so there they run with the feature `cluster`.
macro_rules! on_every_store {
    ($($case:ident),+ $(,)?) => {
        mod embedded {
            $(crate::on_every_store!(@ embedded, $case);)+
        }
        mod redis {
            $(crate::on_every_store!(@ redis, $case);)+
        }
        #[cfg(feature = "cluster")]
        mod cluster {
            $(crate::on_every_store!(@ cluster, $case);)+
        }
    };
    (@ $store:ident, $case:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            super::$case(cacheable_tests::Store::$store()).await;
        }
    };
}
use on_every_store;
