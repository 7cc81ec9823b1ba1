//! What every store keeps to. One list of cases runs over each store; a new
//! store is one line in `on_every_store`.

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

/// Makes each case, an `async fn(Store)`, a test on every store.
macro_rules! on_every_store {
    ($($case:ident),+ $(,)?) => {
        on_every_store!(@ embedded: $($case),+);
        on_every_store!(@ redis: $($case),+);
        // They take as long again, so they run when asked for: `-- --ignored`.
        on_every_store!(@ cluster #[ignore = "as long as the rest"]: $($case),+);
    };
    (@ $store:ident $(#[$how:meta])?: $($case:ident),+) => {
        mod $store {
            $(
                #[tokio::test]
                $(#[$how])?
                async fn $case() {
                    super::$case(crate::stores::Store::$store()).await;
                }
            )+
        }
    };
}
use on_every_store;
