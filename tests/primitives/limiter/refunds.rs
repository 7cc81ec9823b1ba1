//! What is given back.

use std::time::Duration;

use cacheable_tests::Store;

use super::{ALGORITHMS, MINUTE, WINDOW, asking, policy};

async fn a_refund_takes_back_the_latest(store: Store) {
    let (runtime, time) = store.timed().await;
    for algorithm in ALGORITHMS {
        let policy = asking(&runtime, "api", 10, MINUTE * 60).algorithm(algorithm);
        let policy = policy.build().unwrap();
        assert_eq!(policy.refund("id", 5).await.unwrap(), 0);
        assert!(policy.check_n("id", 6).await.unwrap().allowed);
        time.pass(Duration::from_millis(20)).await;
        assert!(policy.check_n("id", 4).await.unwrap().allowed);
        let full = policy.peek("id").await.unwrap();
        assert!(!full.allowed && full.remaining == 0);
        assert_eq!(policy.refund("id", 3).await.unwrap(), 3);
        let after = policy.peek("id").await.unwrap();
        assert_eq!(after.remaining, 3, "{algorithm:?}");
        // The oldest come back when they would have.
        let between = full.reset_at.duration_since(after.reset_at);
        let between = between.unwrap_or_else(|error| error.duration());
        assert!(
            between < Duration::from_millis(2),
            "{algorithm:?} {between:?}"
        );
        assert_eq!(policy.refund("id", 0).await.unwrap(), 0);
        // There is no more than there is.
        assert_eq!(policy.refund("id", u64::MAX).await.unwrap(), 7);
        let all = policy.peek("id").await.unwrap();
        assert_eq!((all.remaining, all.full_after), (10, Duration::ZERO));
        assert!(policy.check_n("id", 10).await.unwrap().allowed);
    }
}

async fn what_has_left_the_window_is_not_given_back(store: Store) {
    let (runtime, time) = store.timed().await;
    for algorithm in ALGORITHMS {
        let policy = asking(&runtime, "api", 10, WINDOW / 4).algorithm(algorithm);
        let policy = policy.build().unwrap();
        assert!(policy.check_n("id", 10).await.unwrap().allowed);
        // A segment is one twentieth of it.
        time.pass(WINDOW / 3).await;
        assert_eq!(policy.refund("id", 10).await.unwrap(), 0, "{algorithm:?}");
        assert_eq!(policy.peek("id").await.unwrap().remaining, 10);
    }
}

async fn a_reset_forgets_one_id_of_one_policy(store: Store) {
    let runtime = store.runtime().await;
    let beside = store.beside(&runtime).await;
    let other = policy(&runtime, "other", 5, MINUTE);
    assert!(other.check("id").await.unwrap().allowed);
    for algorithm in ALGORITHMS {
        let of = |runtime| {
            let builder = asking(runtime, "api", 5, MINUTE * 60).algorithm(algorithm);
            builder.build().unwrap()
        };
        let (policy, there) = (of(&runtime), of(&beside));
        assert!(!policy.reset("id").await.unwrap());
        assert!(policy.check_n("id", 5).await.unwrap().allowed);
        assert!(there.check("id 2").await.unwrap().allowed);
        assert!(!there.check("id").await.unwrap().allowed);
        assert!(there.reset("id").await.unwrap());
        assert_eq!(policy.check("id").await.unwrap().remaining, 4);
        assert_eq!(policy.peek("id 2").await.unwrap().remaining, 4);
        assert!(there.reset("id").await.unwrap());
        assert!(!policy.reset("id").await.unwrap());
    }
    assert_eq!(other.peek("id").await.unwrap().remaining, 4);
}

crate::on_every_store! {
    a_refund_takes_back_the_latest,
    what_has_left_the_window_is_not_given_back,
    a_reset_forgets_one_id_of_one_policy,
}
