//! A client that ends between any two commands of a rotation.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use cacheable_runtime::{SessionToken, Sessions};
use cacheable_tests::{RedisServer, Store};

use super::{Cart, IDLE, cart, keys, on};
use crate::on_every_store;

on_every_store!(
    a_rotation_that_is_cut_short_leaves_a_session,
    a_sign_in_that_is_cut_short_leaves_a_session,
);

/// S5
async fn a_rotation_that_is_cut_short_leaves_a_session(store: Store) {
    let sessions = store.runtime().await.sessions();
    let cut = survives_at_every_point(&sessions, async |sessions, polls| {
        let token = sessions.create("u", &cart("a"), IDLE).await.unwrap().token;
        let done = cut_after(polls, sessions.rotate::<Cart>(&token)).await;
        (token, done.is_some())
    })
    .await;
    assert_eq!(cut.lost, 0);
}

/// S5
async fn a_sign_in_that_is_cut_short_leaves_a_session(store: Store) {
    let sessions = store.runtime().await.sessions();
    let cut = survives_at_every_point(&sessions, async |sessions, polls| {
        let token = sessions
            .create_anonymous(&cart("a"), IDLE)
            .await
            .unwrap()
            .token;
        let done = cut_after(polls, sessions.rotate_as::<Cart>(&token, "u", IDLE)).await;
        (token, done.is_some())
    })
    .await;
    assert_eq!(cut.lost, 0);
}

/// S5: that the two above can fail. Other libraries rotate like this.
#[tokio::test]
async fn to_delete_first_loses_sessions() {
    let server = RedisServer::start();
    let sessions = on(&server).await.sessions();
    let cut = survives_at_every_point(&sessions, async |sessions, polls| {
        let token = sessions.create("u", &cart("a"), IDLE).await.unwrap().token;
        let rotate = async {
            let old = sessions.get::<Cart>(&token).await.unwrap().unwrap();
            sessions.delete(&token).await.unwrap();
            sessions.create("u", &old.data, IDLE).await.unwrap();
        };
        let done = cut_after(polls, rotate).await;
        (token, done.is_some())
    })
    .await;
    assert!(cut.lost > 0 && cut.points > 3, "{cut:?}");
}

/// S5: what is left ends by itself.
#[tokio::test]
async fn what_is_left_of_a_sign_in_that_was_cut_short_expires() {
    let server = RedisServer::start();
    let sessions = on(&server).await.sessions();
    let cut = survives_at_every_point(&sessions, async |sessions, polls| {
        let token = sessions
            .create_anonymous(&cart("a"), IDLE)
            .await
            .unwrap()
            .token;
        let done = cut_after(polls, sessions.rotate_as::<Cart>(&token, "u", IDLE)).await;
        // The connection keeps the order, so this is after what was cut.
        sessions.list("v").await.unwrap();
        for key in keys(&server) {
            let left: i64 = server.command(&["PTTL", &key]);
            assert!(left > 0, "{key}: {left}");
        }
        (token, done.is_some())
    })
    .await;
    // It has three commands, so it was cut behind each of them.
    assert!(cut.points >= 3, "{cut:?}");
}

#[derive(Debug, Default)]
struct Cut {
    points: usize,
    /// How often neither the old token nor a new one led to a session.
    lost: usize,
}

/// Runs a rotation again and again, each time a point further, until it ends.
async fn survives_at_every_point(
    sessions: &Sessions,
    rotate: impl AsyncFn(&Sessions, usize) -> (SessionToken, bool),
) -> Cut {
    let mut cut = Cut::default();
    for polls in 0..1000 {
        sessions.revoke_all("u").await.unwrap();
        let (old, done) = rotate(sessions, polls).await;
        // The connection keeps the order of commands, so what was under way
        // has come to its end when this is answered. Another task may have to
        // be waited for before it is sent.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let by_old = sessions.get::<Cart>(&old).await.unwrap();
        let by_new = sessions.list("u").await.unwrap();
        if let Some(session) = &by_old {
            assert_eq!(session.data, cart("a"));
        }
        cut.points += 1;
        cut.lost += usize::from(by_old.is_none() && by_new.is_empty());
        if done {
            return cut;
        }
    }
    panic!("it does not end: {cut:?}");
}

/// Polls a future so often, and drops it then, wherever it is.
async fn cut_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
