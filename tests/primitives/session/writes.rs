//! Writes that meet.

use cacheable_tests::{RedisServer, Store};
use tokio::task::JoinSet;

use super::{Cart, IDLE, cart, keys, on};
use crate::on_every_store;

on_every_store!(
    what_was_deleted_is_not_brought_back,
    two_that_write_different_fields_lose_neither,
    a_save_over_another_is_a_conflict,
    every_one_of_a_hundred_updates_counts,
);

/// S6
async fn what_was_deleted_is_not_brought_back(store: Store) {
    let runtime = store.runtime().await;
    let (one, other) = (runtime.sessions(), store.beside(&runtime).await.sessions());
    let token = one.create("u", &cart("a"), IDLE).await.unwrap().token;
    let mut loaded = one.get::<Cart>(&token).await.unwrap().unwrap();
    assert!(other.delete(&token).await.unwrap());
    let refused = [
        one.save(&mut loaded).await.err(),
        one.set(&token, &cart("b"), IDLE).await.err(),
        one.set(&token, &cart("b"), None).await.err(),
        one.update(&token, |_: &mut Cart| {}).await.err(),
        one.extend(&token, IDLE).await.err(),
        one.rotate::<Cart>(&token).await.err(),
    ];
    for (number, error) in refused.into_iter().enumerate() {
        assert!(error.is_some_and(|error| error.is_gone()), "{number}");
    }
    assert!(other.get::<Cart>(&token).await.unwrap().is_none());
}

/// S6: no key, neither one without fields nor one without an end.
#[tokio::test]
async fn no_key_is_left_of_it() {
    let server = RedisServer::start();
    let sessions = on(&server).await.sessions();
    let mut loaded = sessions.create_anonymous(&cart("a"), IDLE).await.unwrap();
    let token = loaded.token.clone();
    let key = keys(&server).remove(0);
    assert!(sessions.delete(&token).await.unwrap());
    assert!(sessions.save(&mut loaded).await.unwrap_err().is_gone());
    assert!(sessions.extend(&token, IDLE).await.unwrap_err().is_gone());
    assert!(
        sessions
            .set(&token, &cart("b"), IDLE)
            .await
            .unwrap_err()
            .is_gone()
    );
    assert_eq!(keys(&server), [""; 0]);
    // What a write that does not look would leave: this is what is looked for.
    server.command::<()>(&["HSET", &key, "d", "x"]);
    assert_eq!(keys(&server), [key]);
}

/// S8
async fn two_that_write_different_fields_lose_neither(store: Store) {
    let runtime = store.runtime().await;
    let (one, other) = (runtime.sessions(), store.beside(&runtime).await.sessions());
    for _ in 0..20 {
        let token = one.create("u", &cart("a"), IDLE).await.unwrap().token;
        let (renamed, counted) = tokio::join!(
            one.update(&token, |cart: &mut Cart| cart.name = "b".into()),
            other.update(&token, |cart: &mut Cart| cart.count = 9),
        );
        let (renamed, counted) = (renamed.unwrap(), counted.unwrap());
        assert_eq!(renamed.version.max(counted.version), 3);
        let got = one.get::<Cart>(&token).await.unwrap().unwrap();
        assert_eq!((&*got.data.name, got.data.count, got.version), ("b", 9, 3));
    }
}

/// S8
async fn a_save_over_another_is_a_conflict(store: Store) {
    let runtime = store.runtime().await;
    let (one, other) = (runtime.sessions(), store.beside(&runtime).await.sessions());
    let token = one.create("u", &cart("a"), IDLE).await.unwrap().token;
    let mut first = one.get::<Cart>(&token).await.unwrap().unwrap();
    let mut second = other.get::<Cart>(&token).await.unwrap().unwrap();
    first.data.name = "b".into();
    second.data.count = 9;
    one.save(&mut first).await.unwrap();
    assert!(other.save(&mut second).await.unwrap_err().is_conflict());
    // One that saves goes on with what it has.
    first.data.count = 3;
    one.save(&mut first).await.unwrap();
    let got = one.get::<Cart>(&token).await.unwrap().unwrap();
    assert_eq!((&*got.data.name, got.data.count, got.version), ("b", 3, 3));
    assert_eq!(first.version, 3);
}

/// S8
async fn every_one_of_a_hundred_updates_counts(store: Store) {
    let runtime = store.runtime().await;
    let token = runtime
        .sessions()
        .create("u", &0_u64, IDLE)
        .await
        .unwrap()
        .token;
    let mut writers = JoinSet::new();
    for _ in 0..20 {
        let sessions = store.beside(&runtime).await.sessions();
        let token = token.clone();
        writers.spawn(async move {
            for _ in 0..5 {
                sessions
                    .update(&token, |n: &mut u64| *n += 1)
                    .await
                    .unwrap();
            }
        });
    }
    writers.join_all().await;
    let got = runtime
        .sessions()
        .get::<u64>(&token)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((got.data, got.version), (100, 101));
}
