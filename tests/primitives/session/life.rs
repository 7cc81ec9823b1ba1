//! How long a session lives.

use std::time::{Duration, Instant, SystemTime};

use cacheable_runtime::ErrorKind;
use cacheable_tests::Store;
use cacheable_tests::store::PATIENCE;

use super::{Cart, IDLE, cart};
use crate::on_every_store;

on_every_store!(
    what_was_made_is_got,
    it_lives_while_it_is_used_and_ends_when_it_is_not,
    it_ends_at_last_however_much_it_is_used,
    it_cannot_be_extended_past_its_end,
    what_is_written_does_not_move_its_end,
    a_set_moves_its_end_if_it_is_told_to,
    an_extension_makes_it_no_shorter,
    to_delete_it_twice_is_told,
    arguments_that_cannot_be_used_are_refused,
);

/// S1
async fn what_was_made_is_got(store: Store) {
    let runtime = store.runtime().await;
    let sessions = runtime.sessions();
    let made = sessions.create("user-1", &cart("a"), IDLE).await.unwrap();
    let elsewhere = store.beside(&runtime).await.sessions();
    let got = elsewhere.get::<Cart>(&made.token).await.unwrap().unwrap();
    assert_eq!((&*got.user_id, &got.data), ("user-1", &cart("a")));
    assert_eq!(
        (got.version, got.rotated, got.is_anonymous()),
        (1, false, false)
    );
    assert_eq!(got.id(), made.id());
    assert_eq!(
        (got.created_at, got.ends_at),
        (made.created_at, made.ends_at)
    );
    // The end is told from what is left, to a millisecond.
    let moved = got.expires_at.duration_since(made.expires_at);
    assert!(moved.unwrap_or_else(|error| error.duration()) < Duration::from_millis(100));
    assert_eq!(
        made.expires_at.duration_since(made.created_at).unwrap(),
        IDLE
    );
    let week = Duration::from_secs(7 * 24 * 3600);
    assert_eq!(made.ends_at.duration_since(made.created_at).unwrap(), week);

    let nobodys = sessions.create_anonymous(&1_u8, IDLE).await.unwrap();
    let got = elsewhere.get::<u8>(&nobodys.token).await.unwrap().unwrap();
    assert!(got.is_anonymous() && got.user_id.is_empty());
    // Longer than the usual end, it may live as long as it was told.
    let long = Duration::from_secs(30 * 24 * 3600);
    let made = sessions.create("user-1", &1_u8, long).await.unwrap();
    assert_eq!(
        made.expires_at.duration_since(made.created_at).unwrap(),
        long
    );
}

/// S9
async fn it_lives_while_it_is_used_and_ends_when_it_is_not(store: Store) {
    let (runtime, time) = store.timed().await;
    let sessions = runtime.sessions();
    let idle = Duration::from_secs(2);
    let token = sessions.create("u", &1_u8, idle).await.unwrap().token;
    // Two and a half times as long as it would live unused.
    for _ in 0..10 {
        time.pass(Duration::from_millis(500)).await;
        assert!(sessions.get::<u8>(&token).await.unwrap().is_some());
    }
    time.pass(idle + Duration::from_millis(100)).await;
    assert!(sessions.get::<u8>(&token).await.unwrap().is_none());
    assert!(sessions.extend(&token, idle).await.unwrap_err().is_gone());
}

/// S10
async fn it_ends_at_last_however_much_it_is_used(store: Store) {
    let (runtime, time) = store.timed().await;
    let absolute = Duration::from_secs(3);
    let sessions = runtime.sessions().absolute(absolute);
    let began = Instant::now();
    let made = sessions.create("u", &1_u8, IDLE).await.unwrap();
    assert_eq!(made.ends_at, made.expires_at);
    let mut lived = Duration::ZERO;
    while sessions.get::<u8>(&made.token).await.unwrap().is_some() {
        // Unless it ends, for as long as there is patience.
        assert!(began.elapsed() < PATIENCE && lived < PATIENCE);
        time.pass(Duration::from_millis(200)).await;
        lived += Duration::from_millis(200);
    }
    assert!(lived.max(began.elapsed()) >= absolute, "{lived:?}");
}

/// S10
async fn it_cannot_be_extended_past_its_end(store: Store) {
    let (runtime, time) = store.timed().await;
    let sessions = runtime.sessions().absolute(Duration::from_secs(4));
    let made = sessions
        .create("u", &1_u8, Duration::from_secs(2))
        .await
        .unwrap();
    let expires = sessions.extend(&made.token, IDLE).await.unwrap();
    assert_eq!(expires, made.ends_at);
    assert!(expires > made.expires_at);
    sessions.set(&made.token, &2_u8, IDLE).await.unwrap();
    time.pass(Duration::from_millis(4100)).await;
    assert!(sessions.get::<u8>(&made.token).await.unwrap().is_none());
}

/// S11
async fn what_is_written_does_not_move_its_end(store: Store) {
    let (runtime, time) = store.timed().await;
    let sessions = runtime.sessions();
    let mut made = sessions.create("u", &cart("a"), IDLE).await.unwrap();
    let token = made.token.clone();
    // Less than what makes a `get` write.
    time.pass(Duration::from_millis(1500)).await;
    sessions.set(&token, &cart("b"), None).await.unwrap();
    sessions
        .update(&token, |cart: &mut Cart| cart.count += 1)
        .await
        .unwrap();
    let late = sessions.save(&mut made).await.unwrap_err();
    assert!(late.is_conflict());
    let mut got = sessions.get::<Cart>(&token).await.unwrap().unwrap();
    assert_eq!((&*got.data.name, got.data.count), ("b", 2));
    sessions.save(&mut got).await.unwrap();
    let got = sessions.get::<Cart>(&token).await.unwrap().unwrap();
    let moved = distance(got.expires_at, made.expires_at);
    // One and a half seconds, had any of them begun its time anew.
    assert!(moved < Duration::from_millis(700), "{moved:?}");
    assert_eq!((got.ends_at, got.version), (made.ends_at, 4));
}

async fn a_set_moves_its_end_if_it_is_told_to(store: Store) {
    let (runtime, _) = store.timed().await;
    let sessions = runtime.sessions();
    let made = sessions.create("u", &1_u8, IDLE).await.unwrap();
    sessions.set(&made.token, &2_u8, IDLE / 10).await.unwrap();
    let got = sessions.get::<u8>(&made.token).await.unwrap().unwrap();
    assert!(got.expires_at < made.expires_at - IDLE / 2);
    sessions.set(&made.token, &3_u8, IDLE * 2).await.unwrap();
    let got = sessions.get::<u8>(&made.token).await.unwrap().unwrap();
    assert!(got.expires_at > made.expires_at + IDLE / 2);
    assert_eq!(got.ends_at, made.ends_at);
}

async fn an_extension_makes_it_no_shorter(store: Store) {
    let (runtime, _) = store.timed().await;
    let sessions = runtime.sessions();
    let made = sessions.create("u", &1_u8, IDLE).await.unwrap();
    let shorter = sessions.extend(&made.token, IDLE / 100).await.unwrap();
    assert!(distance(shorter, made.expires_at) < Duration::from_millis(100));
    let longer = sessions.extend(&made.token, IDLE * 3).await.unwrap();
    assert!(longer > made.expires_at + IDLE);
    // Its next use makes it no shorter, either.
    let got = sessions.get::<u8>(&made.token).await.unwrap().unwrap();
    assert!(distance(got.expires_at, longer) < Duration::from_millis(100));
}

/// S12
async fn to_delete_it_twice_is_told(store: Store) {
    let runtime = store.runtime().await;
    let sessions = runtime.sessions();
    let token = sessions.create("u", &1_u8, IDLE).await.unwrap().token;
    assert!(sessions.delete(&token).await.unwrap());
    assert!(!sessions.delete(&token).await.unwrap());
    assert!(sessions.get::<u8>(&token).await.unwrap().is_none());
}

async fn arguments_that_cannot_be_used_are_refused(store: Store) {
    let runtime = store.runtime().await;
    let sessions = runtime.sessions();
    let token = sessions.create("u", &1_u8, IDLE).await.unwrap().token;
    let never = Duration::ZERO;
    let ages = Duration::MAX;
    let long = "x".repeat(2000);
    let refused = [
        sessions.create("", &1_u8, IDLE).await.err(),
        sessions.create(&long, &1_u8, IDLE).await.err(),
        sessions.create("u", &1_u8, never).await.err(),
        sessions.create("u", &1_u8, ages).await.err(),
        sessions.create_anonymous(&1_u8, never).await.err(),
        sessions.set(&token, &1_u8, never).await.err(),
        sessions.extend(&token, ages).await.err(),
        sessions
            .clone()
            .absolute(never)
            .create("u", &1_u8, IDLE)
            .await
            .err(),
        sessions
            .clone()
            .grace(ages)
            .rotate::<u8>(&token)
            .await
            .err(),
        sessions.list("").await.err(),
        sessions.revoke_all("").await.err(),
        sessions.revoke_all_but("v", &token).await.err(),
        sessions.clone().prefix("a:b").err(),
        sessions.clone().prefix("").err(),
    ];
    for (number, error) in refused.into_iter().enumerate() {
        let kind = error.map(|error| error.kind());
        assert_eq!(kind, Some(ErrorKind::Argument), "{number}");
    }
    let got = sessions.get::<u8>(&token).await.unwrap().unwrap();
    assert_eq!((got.data, got.version), (1, 1));
}

fn distance(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other)
        .unwrap_or_else(|error| error.duration())
}
