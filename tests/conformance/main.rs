//! What every store keeps to. One list of cases runs over each store; a new
//! store is one module in `on_every_store`.

mod attributes;
mod cut_short;
mod fence;
mod flight;
mod freshness;
mod handle_clear;
mod handle_keys;
mod handle_load;
mod handle_values;
mod interleavings;
mod local;
mod source;
mod standstills;
mod tags;

pub(crate) use cacheable_tests::store as stores;

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
        #[tokio::test]
        async fn $case() {
            super::$case(crate::stores::Store::$store()).await;
        }
    };
}
use on_every_store;
