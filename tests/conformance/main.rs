//! What every store must do, seen through the handle that users have.
//!
//! The cases and the stores are listed once each. A new store is a word here
//! and a function in `stores.rs`.

mod clearing;
mod keys;
mod loading;
mod loading_apart;
mod stores;
mod values;

macro_rules! conformance {
    (stores: $($store:ident)+; cases: $cases:tt) => {
        $(conformance! { @store $store $cases })+
    };
    (@store $store:ident { $($area:ident { $($case:ident)+ })+ }) => {
        mod $store {
            $(conformance! { @area $store $area $($case)+ })+
        }
    };
    (@area $store:ident $area:ident $($case:ident)+) => {
        mod $area {
            $(
                #[tokio::test]
                async fn $case() {
                    crate::$area::$case(crate::stores::$store().await).await;
                }
            )+
        }
    };
}

conformance! {
    stores: embedded redis;
    cases: {
        values {
            come_back
            of_nothing
            are_replaced
            expire
            need_a_life
            of_another_type_are_a_miss
            over_the_limit_are_refused
            of_many_keys
            are_seen_by_every_handle
            are_inspected
        }
        keys {
            are_literal
            may_be_any_text
            are_checked
            of_the_runtime_are_refused
            of_a_namespace_are_its_own
        }
        clearing {
            removes_what_matches_and_counts
            reads_patterns_as_redis_does
            covers_thousands
            refuses_what_reaches_too_far
        }
        loading {
            happens_once
            is_shared_by_callers_who_ask_at_once
            keeps_no_error
            keeps_no_value_over_the_limit
            follows_the_policy
            treats_none_as_the_policy_says
            holds_a_lease
            replaces_what_cannot_be_read
            is_taken_over_when_its_caller_goes
            is_taken_over_when_it_panics
            of_another_key_does_not_wait
            of_its_own_key_runs_through
        }
        loading_apart {
            is_not_kept_after_a_removal
            is_not_kept_after_a_clear
            does_not_overwrite_a_later_set
            is_not_shared_with_callers_after_a_removal
            happens_once_between_two_runtimes
        }
    }
}
