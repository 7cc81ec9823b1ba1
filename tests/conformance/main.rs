//! What every store keeps to. One list of cases runs over each store; a new
//! store is one line in `on_every_store`.

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
mod stores;
mod tags;

/// Makes each case, an `async fn(Store)`, a test on every store.
macro_rules! on_every_store {
    ($($case:ident),+ $(,)?) => {
        on_every_store!(@ embedded: $($case),+);
        on_every_store!(@ redis: $($case),+);
    };
    (@ $store:ident: $($case:ident),+) => {
        mod $store {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case(crate::stores::Store::$store()).await;
                }
            )+
        }
    };
}
use on_every_store;
