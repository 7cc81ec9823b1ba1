//! A session under a new token.

use std::sync::Arc;
use std::time::Duration;

use cacheable_tests::Store;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{Cart, IDLE, cart};
use crate::on_every_store;

on_every_store!(
    at_a_sign_in_the_data_are_kept_and_the_old_token_ends_after_the_grace,
    in_the_life_of_a_session_the_old_token_leads_to_it_for_the_grace,
    without_a_grace_the_old_token_ends_at_once,
    requests_beside_a_rotation_see_the_session,
    requests_beside_a_sign_in_see_the_session_from_before,
    of_two_rotations_one_is_told_of_the_other,
    of_two_sign_ins_one_is_told_of_the_other,
    who_has_planted_a_token_sees_nothing_of_the_user,
);

const GRACE: Duration = Duration::from_secs(2);

/// S3
async fn at_a_sign_in_the_data_are_kept_and_the_old_token_ends_after_the_grace(store: Store) {
    let (runtime, time) = store.timed().await;
    let sessions = runtime.sessions().grace(GRACE);
    let before = sessions.create_anonymous(&cart("a"), IDLE).await.unwrap();
    time.pass(Duration::from_millis(50)).await;
    let after = sessions
        .rotate_as::<Cart>(&before.token, "user-1", IDLE)
        .await
        .unwrap();
    assert_ne!(after.token, before.token);
    assert_eq!((&*after.user_id, &after.data), ("user-1", &cart("a")));
    // It is another life.
    assert!(after.created_at > before.created_at && after.ends_at > before.ends_at);
    time.pass(GRACE + Duration::from_millis(100)).await;
    assert!(sessions.get::<Cart>(&before.token).await.unwrap().is_none());
    let got = sessions.get::<Cart>(&after.token).await.unwrap().unwrap();
    assert_eq!(
        (&*got.user_id, got.data.clone(), got.rotated),
        ("user-1", cart("a"), false)
    );
    let listed = sessions.list("user-1").await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].id, got.id());
}

/// S3
async fn in_the_life_of_a_session_the_old_token_leads_to_it_for_the_grace(store: Store) {
    let (runtime, time) = store.timed().await;
    let sessions = runtime.sessions().grace(GRACE);
    let mut before = sessions.create("u", &cart("a"), IDLE).await.unwrap();
    let after = sessions.rotate::<Cart>(&before.token).await.unwrap();
    assert_eq!((after.ends_at, after.version), (before.ends_at, 1));
    // A request that has read it before the rotation writes it after.
    before.data.count = 7;
    sessions.save(&mut before).await.unwrap();
    sessions
        .update(&before.token, |cart: &mut Cart| cart.count += 1)
        .await
        .unwrap();
    let got = sessions.get::<Cart>(&before.token).await.unwrap().unwrap();
    assert!(got.rotated && got.token == before.token);
    assert_eq!((got.data.count, got.id()), (8, after.id()));
    let got = sessions.get::<Cart>(&after.token).await.unwrap().unwrap();
    assert!(!got.rotated && got.data.count == 8);
    let third = sessions.rotate::<Cart>(&after.token).await.unwrap();
    let got = sessions.get::<Cart>(&before.token).await.unwrap().unwrap();
    assert_eq!(got.id(), third.id());
    time.pass(GRACE + Duration::from_millis(100)).await;
    for old in [&before.token, &after.token] {
        assert!(sessions.get::<Cart>(old).await.unwrap().is_none());
        assert!(sessions.extend(old, IDLE).await.unwrap_err().is_gone());
    }
    assert!(sessions.get::<Cart>(&third.token).await.unwrap().is_some());
    assert_eq!(sessions.list("u").await.unwrap().len(), 1);
}

async fn without_a_grace_the_old_token_ends_at_once(store: Store) {
    let runtime = store.runtime().await;
    let sessions = runtime.sessions().grace(Duration::ZERO);
    let first = sessions.create_anonymous(&cart("a"), IDLE).await.unwrap();
    let second = sessions
        .rotate_as::<Cart>(&first.token, "u", IDLE)
        .await
        .unwrap();
    let third = sessions.rotate::<Cart>(&second.token).await.unwrap();
    for old in [&first.token, &second.token] {
        assert!(sessions.get::<Cart>(old).await.unwrap().is_none());
    }
    assert!(sessions.get::<Cart>(&third.token).await.unwrap().is_some());
    // To sign out with an old token of the grace ends the session itself.
    let fourth = runtime
        .sessions()
        .rotate::<Cart>(&third.token)
        .await
        .unwrap();
    assert!(sessions.delete(&third.token).await.unwrap());
    assert!(sessions.get::<Cart>(&fourth.token).await.unwrap().is_none());
}

/// S4
async fn requests_beside_a_rotation_see_the_session(store: Store) {
    beside(store, false).await;
}

/// S4
async fn requests_beside_a_sign_in_see_the_session_from_before(store: Store) {
    beside(store, true).await;
}

async fn beside(store: Store, sign_in: bool) {
    let runtime = store.runtime().await;
    let sessions = runtime.sessions();
    let elsewhere = store.beside(&runtime).await.sessions();
    for round in 0..10 {
        let user = format!("user-{round}");
        let before = if sign_in {
            sessions.create_anonymous(&cart("a"), IDLE).await.unwrap()
        } else {
            sessions.create(&user, &cart("a"), IDLE).await.unwrap()
        };
        let start = Arc::new(Barrier::new(21));
        let mut requests = JoinSet::new();
        for _ in 0..20 {
            let (start, elsewhere) = (Arc::clone(&start), elsewhere.clone());
            let token = before.token.clone();
            requests.spawn(async move {
                start.wait().await;
                let mut seen = Vec::new();
                for _ in 0..5 {
                    seen.push(elsewhere.get::<Cart>(&token).await.unwrap());
                }
                seen
            });
        }
        start.wait().await;
        let after = if sign_in {
            sessions.rotate_as::<Cart>(&before.token, &user, IDLE).await
        } else {
            sessions.rotate::<Cart>(&before.token).await
        };
        let after = after.unwrap();
        for seen in requests.join_all().await.into_iter().flatten() {
            let seen = seen.expect("there is a session all the time");
            assert_eq!(
                (&seen.data, seen.user_id),
                (&cart("a"), before.user_id.clone())
            );
        }
        let listed = sessions.list(&user).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].id, after.id());
    }
}

/// S4
async fn of_two_rotations_one_is_told_of_the_other(store: Store) {
    let runtime = store.runtime().await;
    let sessions = runtime.sessions();
    let token = sessions.create("u", &cart("a"), IDLE).await.unwrap().token;
    let (one, other) = tokio::join!(
        sessions.rotate::<Cart>(&token),
        sessions.rotate::<Cart>(&token)
    );
    let (won, lost) = match (one, other) {
        (Ok(won), Err(lost)) | (Err(lost), Ok(won)) => (won, lost),
        both => panic!("{both:?}"),
    };
    assert!(lost.is_conflict());
    assert_eq!(sessions.list("u").await.unwrap()[0].id, won.id());
}

/// S4
async fn of_two_sign_ins_one_is_told_of_the_other(store: Store) {
    let runtime = store.runtime().await;
    let sessions = runtime.sessions();
    let before = sessions.create_anonymous(&cart("a"), IDLE).await.unwrap();
    let (one, other) = tokio::join!(
        sessions.rotate_as::<Cart>(&before.token, "u", IDLE),
        sessions.rotate_as::<Cart>(&before.token, "u", IDLE)
    );
    let (won, lost) = match (one, other) {
        (Ok(won), Err(lost)) | (Err(lost), Ok(won)) => (won, lost),
        both => panic!("{both:?}"),
    };
    assert!(lost.is_conflict());
    let listed = sessions.list("u").await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].id, won.id());
}

/// S3: in the grace, too.
async fn who_has_planted_a_token_sees_nothing_of_the_user(store: Store) {
    let runtime = store.runtime().await;
    let sessions = runtime.sessions();
    let planted = sessions.create_anonymous(&cart("a"), IDLE).await.unwrap();
    let users = sessions
        .rotate_as::<Cart>(&planted.token, "user-1", IDLE)
        .await
        .unwrap();
    sessions
        .update(&users.token, |cart: &mut Cart| cart.name = "secret".into())
        .await
        .unwrap();
    let seen = sessions.get::<Cart>(&planted.token).await.unwrap().unwrap();
    assert!(seen.rotated && seen.is_anonymous());
    assert_eq!(seen.data, cart("a"));
    let refused = [
        sessions.set(&planted.token, &cart("x"), None).await.err(),
        sessions.extend(&planted.token, IDLE).await.err(),
        sessions
            .update(&planted.token, |_: &mut Cart| {})
            .await
            .err(),
    ];
    for error in refused {
        assert!(error.unwrap().is_gone());
    }
    let again = sessions.rotate::<Cart>(&planted.token).await.unwrap_err();
    assert!(again.is_conflict());
    assert!(sessions.delete(&planted.token).await.unwrap());
    let users = sessions.get::<Cart>(&users.token).await.unwrap().unwrap();
    assert_eq!(users.data.name, "secret");
}
