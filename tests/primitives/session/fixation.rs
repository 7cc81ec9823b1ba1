//! A token that a client has made up.

use std::time::Duration;

use cacheable_runtime::Sessions;
use cacheable_tests::{RedisServer, Store};

use super::{Cart, IDLE, cart, keys, on, unknown};
use crate::on_every_store;

on_every_store!(a_token_that_nobody_has_made_stays_unknown);

/// S2
async fn a_token_that_nobody_has_made_stays_unknown(store: Store) {
    let runtime = store.runtime().await;
    try_all(&runtime.sessions()).await;
}

/// S2
#[tokio::test]
async fn nothing_is_kept_under_it() {
    let server = RedisServer::start();
    let runtime = on(&server).await;
    try_all(&runtime.sessions()).await;
    assert_eq!(keys(&server), [""; 0]);
}

async fn try_all(sessions: &Sessions) {
    for letter in ["A", "_", "7"] {
        let token = unknown(letter);
        assert!(sessions.get::<Cart>(&token).await.unwrap().is_none());
        let refused = [
            sessions.set(&token, &cart("x"), IDLE).await.err(),
            sessions.set(&token, &cart("x"), None).await.err(),
            sessions.extend(&token, Duration::from_secs(9)).await.err(),
            sessions.update(&token, |_: &mut Cart| {}).await.err(),
            sessions.rotate::<Cart>(&token).await.err(),
            sessions.rotate_as::<Cart>(&token, "u", IDLE).await.err(),
        ];
        for (number, error) in refused.into_iter().enumerate() {
            assert!(error.is_some_and(|error| error.is_gone()), "{number}");
        }
        assert!(!sessions.delete(&token).await.unwrap());
        assert!(sessions.get::<Cart>(&token).await.unwrap().is_none());
    }
    assert_eq!(sessions.list("u").await.unwrap(), []);
}
