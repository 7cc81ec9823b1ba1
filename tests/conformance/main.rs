//! What every store keeps to. One list of cases runs over each store; a new
//! store is one module in `on_every_store`.

mod attributes;
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
mod stores;
mod tags;

/// Makes each case, an `async fn(Store)`, a test on every store. On a cluster
/// they take as long again, so there they run when asked for: `-- --ignored`.
macro_rules! on_every_store {
    ($($case:ident),+ $(,)?) => {
        mod embedded {
            $(crate::on_every_store!(@ embedded, $case);)+
        }
        mod redis {
            $(crate::on_every_store!(@ redis, $case);)+
        }
        mod cluster {
            $(crate::on_every_store!(@ cluster, $case, #[ignore = "as long as all others"]);)+
        }
    };
    (@ $store:ident, $case:ident $(, #[$how:meta])?) => {
        #[tokio::test]
        $(#[$how])?
        async fn $case() {
            super::$case(crate::stores::Store::$store()).await;
        }
    };
}
use on_every_store;
