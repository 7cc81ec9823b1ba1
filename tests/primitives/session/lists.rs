//! The sessions of a user.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cacheable_runtime::{Session, Sessions};
use cacheable_tests::{RedisServer, Store};
use tokio::task::JoinSet;

use super::{IDLE, keys, on, records};
use crate::on_every_store;

on_every_store!(
    those_that_live_are_listed_and_no_others,
    a_thousand_are_revoked_and_one_is_kept,
    one_of_a_list_is_revoked,
    those_made_before_a_revocation_began_are_dead_after_it,
    revocation_reaches_what_was_rotated,
    kinds_do_not_know_each_other,
    the_name_of_a_user_is_no_pattern,
);

/// S13
async fn those_that_live_are_listed_and_no_others(store: Store) {
    let (runtime, time) = store.timed().await;
    let sessions = runtime.sessions();
    let mut made = Vec::new();
    for _ in 0..4 {
        made.push(sessions.create("u", &1_u8, IDLE).await.unwrap());
    }
    let short = Duration::from_millis(200);
    sessions.create("u", &1_u8, short).await.unwrap();
    sessions.create("v", &1_u8, IDLE).await.unwrap();
    sessions.delete(&made.remove(0).token).await.unwrap();
    time.pass(short * 2).await;
    let listed = sessions.list("u").await.unwrap();
    let mut ids: Vec<&str> = listed.iter().map(|info| &*info.id).collect();
    let mut expected: Vec<&str> = made.iter().map(Session::id).collect();
    ids.sort_unstable();
    expected.sort_unstable();
    assert_eq!(ids, expected);
    for info in &listed {
        let session = made.iter().find(|session| session.id() == info.id).unwrap();
        assert_eq!(
            (info.created_at, info.ends_at),
            (session.created_at, session.ends_at)
        );
        let used = info.last_used_at.unwrap();
        assert!(used < info.created_at + Duration::from_secs(5));
        assert!(!format!("{info:?}").contains(session.token.expose()));
    }
    assert_eq!(sessions.list("nobody").await.unwrap(), []);
}

/// S14
async fn a_thousand_are_revoked_and_one_is_kept(store: Store) {
    let runtime = store.runtime().await;
    let sessions = runtime.sessions();
    let mut makers = JoinSet::new();
    for _ in 0..20 {
        let sessions = sessions.clone();
        makers.spawn(async move {
            let mut tokens = Vec::new();
            for _ in 0..50 {
                tokens.push(sessions.create("u", &1_u8, IDLE).await.unwrap().token);
            }
            tokens
        });
    }
    let mut tokens: Vec<_> = makers.join_all().await.into_iter().flatten().collect();
    let others = sessions.create("v", &1_u8, IDLE).await.unwrap().token;
    assert_eq!(sessions.list("u").await.unwrap().len(), 1000);
    let own = tokens.pop().unwrap();
    assert_eq!(sessions.revoke_all_but("u", &own).await.unwrap(), 999);
    for token in &tokens {
        assert!(sessions.get::<u8>(token).await.unwrap().is_none());
    }
    for token in [&own, &others] {
        assert!(sessions.get::<u8>(token).await.unwrap().is_some());
    }
    assert_eq!(sessions.list("u").await.unwrap().len(), 1);
    // What is kept can be used on, and revoked.
    sessions.update(&own, |n: &mut u8| *n = 2).await.unwrap();
    assert_eq!(sessions.revoke_all("u").await.unwrap(), 1);
    assert!(sessions.get::<u8>(&own).await.unwrap().is_none());
    assert!(
        sessions
            .update(&own, |_: &mut u8| {})
            .await
            .unwrap_err()
            .is_gone()
    );
    assert!(sessions.get::<u8>(&others).await.unwrap().is_some());
    // A user without any, and one whose session to keep has ended.
    assert_eq!(sessions.revoke_all("w").await.unwrap(), 0);
    let new = sessions.create("u", &1_u8, IDLE).await.unwrap().token;
    assert_eq!(sessions.revoke_all_but("u", &own).await.unwrap(), 1);
    assert!(sessions.get::<u8>(&new).await.unwrap().is_none());
}

async fn one_of_a_list_is_revoked(store: Store) {
    let runtime = store.runtime().await;
    let sessions = runtime.sessions();
    let phone = sessions.create("u", &1_u8, IDLE).await.unwrap();
    let laptop = sessions.create("u", &1_u8, IDLE).await.unwrap();
    // Nobody ends the sessions of somebody else.
    assert!(!sessions.revoke("v", phone.id()).await.unwrap());
    for id in ["", "index", "*", &"A".repeat(43)] {
        assert!(!sessions.revoke("u", id).await.unwrap());
    }
    assert!(sessions.revoke("u", phone.id()).await.unwrap());
    assert!(!sessions.revoke("u", phone.id()).await.unwrap());
    assert!(sessions.get::<u8>(&phone.token).await.unwrap().is_none());
    assert!(sessions.get::<u8>(&laptop.token).await.unwrap().is_some());
}

/// S15
async fn those_made_before_a_revocation_began_are_dead_after_it(store: Store) {
    let runtime = store.runtime().await;
    let sessions = runtime.sessions();
    for round in 0..5 {
        let user = format!("user-{round}");
        let made = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let mut makers = JoinSet::new();
        for _ in 0..8 {
            let (sessions, user) = (store.beside(&runtime).await.sessions(), user.clone());
            let (made, stop) = (Arc::clone(&made), Arc::clone(&stop));
            makers.spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let token = sessions.create(&user, &1_u8, IDLE).await.unwrap().token;
                    made.lock().unwrap().push(token);
                }
            });
        }
        while made.lock().unwrap().len() < 40 {
            tokio::task::yield_now().await;
        }
        let before = made.lock().unwrap().clone();
        sessions.revoke_all(&user).await.unwrap();
        stop.store(true, Ordering::SeqCst);
        for token in &before {
            assert!(sessions.get::<u8>(token).await.unwrap().is_none());
        }
        makers.join_all().await;
        // Those that live are those of the list: none has slipped through.
        let mut living = 0;
        let made = made.lock().unwrap().clone();
        for token in &made {
            living += usize::from(sessions.get::<u8>(token).await.unwrap().is_some());
        }
        assert_eq!(sessions.list(&user).await.unwrap().len(), living);
        assert!(living < made.len());
    }
}

async fn revocation_reaches_what_was_rotated(store: Store) {
    let runtime = store.runtime().await;
    let sessions = runtime.sessions();
    let old = sessions.create("u", &1_u8, IDLE).await.unwrap().token;
    let new = sessions.rotate::<u8>(&old).await.unwrap().token;
    // The old token names the same session.
    assert_eq!(sessions.revoke_all_but("u", &old).await.unwrap(), 0);
    assert!(sessions.get::<u8>(&new).await.unwrap().is_some());
    sessions.revoke_all("u").await.unwrap();
    for token in [&old, &new] {
        assert!(sessions.get::<u8>(token).await.unwrap().is_none());
    }
    // One user's after another's, in one browser.
    let first = sessions.create("u", &1_u8, IDLE).await.unwrap().token;
    let second = sessions.rotate_as::<u8>(&first, "v", IDLE).await.unwrap();
    assert_eq!(sessions.list("u").await.unwrap(), []);
    assert_eq!(sessions.list("v").await.unwrap()[0].id, second.id());
}

/// S16: an index that is gone hides no session from a revocation.
#[tokio::test]
async fn an_index_that_is_lost_saves_no_session() {
    let server = RedisServer::start();
    let sessions = on(&server).await.sessions();
    let token = sessions.create("u", &1_u8, IDLE).await.unwrap().token;
    let index = keys(&server);
    let index = index.iter().find(|key| key.ends_with(":index")).unwrap();
    server.command::<()>(&["DEL", index]);
    // What goes by the index finds nothing: this is what is guarded against.
    for info in sessions.list("u").await.unwrap() {
        sessions.revoke("u", &info.id).await.unwrap();
    }
    assert!(sessions.get::<u8>(&token).await.unwrap().is_some());
    sessions.revoke_all("u").await.unwrap();
    assert!(sessions.get::<u8>(&token).await.unwrap().is_none());
    // Nor does a session that is made after that wake it up.
    let new = sessions.create("u", &1_u8, IDLE).await.unwrap().token;
    assert!(sessions.get::<u8>(&token).await.unwrap().is_none());
    assert!(sessions.get::<u8>(&new).await.unwrap().is_some());
}

/// S16: nor does a mark of a generation that is gone.
#[tokio::test]
async fn a_mark_that_is_lost_ends_the_sessions_and_wakes_up_none() {
    let server = RedisServer::start();
    let sessions = on(&server).await.sessions();
    let revoked = sessions.create("u", &1_u8, IDLE).await.unwrap().token;
    let dump = records(&server).remove(0);
    let copy = format!("copy of {dump}");
    server.command::<()>(&["COPY", &dump, &copy]);
    sessions.revoke_all("u").await.unwrap();
    // The record comes back, as if it had not been removed.
    server.command::<()>(&["RENAME", &copy, &dump]);
    assert!(sessions.get::<u8>(&revoked).await.unwrap().is_none());
    let living = sessions.create("u", &1_u8, IDLE).await.unwrap().token;
    assert!(sessions.get::<u8>(&revoked).await.unwrap().is_none());
    let mark = keys(&server);
    let mark = mark
        .iter()
        .find(|key| key.ends_with(":generation"))
        .unwrap();
    server.command::<()>(&["DEL", mark]);
    for token in [&revoked, &living] {
        assert!(sessions.get::<u8>(token).await.unwrap().is_none());
    }
    let new = sessions.create("u", &1_u8, IDLE).await.unwrap().token;
    for token in [&revoked, &living] {
        assert!(sessions.get::<u8>(token).await.unwrap().is_none());
        assert!(sessions.extend(token, IDLE).await.unwrap_err().is_gone());
    }
    assert!(sessions.get::<u8>(&new).await.unwrap().is_some());
}

/// S23
async fn kinds_do_not_know_each_other(store: Store) {
    let runtime = store.runtime().await;
    let admin = runtime.sessions().prefix("admin").unwrap();
    let shop = runtime.sessions().prefix("shop").unwrap();
    let plain = runtime.sessions();
    let token = admin.create("u", &1_u8, IDLE).await.unwrap().token;
    let unknown_to = |sessions: Sessions| {
        let token = token.clone();
        async move {
            assert!(sessions.get::<u8>(&token).await.unwrap().is_none());
            assert!(!sessions.delete(&token).await.unwrap());
            assert_eq!(sessions.list("u").await.unwrap(), []);
            assert_eq!(sessions.revoke_all("u").await.unwrap(), 0);
        }
    };
    unknown_to(shop).await;
    unknown_to(plain).await;
    assert!(admin.get::<u8>(&token).await.unwrap().is_some());
}

/// S23
async fn the_name_of_a_user_is_no_pattern(store: Store) {
    let runtime = store.runtime().await;
    let sessions = runtime.sessions();
    let token = sessions.create("user-1", &1_u8, IDLE).await.unwrap().token;
    for pattern in [
        "*",
        "user-?",
        "user-[0-9]",
        "user-1*",
        "{user-1}",
        "user-1:",
        "\0",
        "ü",
    ] {
        assert_eq!(sessions.list(pattern).await.unwrap(), []);
        let theirs = sessions.create(pattern, &2_u8, IDLE).await.unwrap();
        assert_eq!(theirs.user_id, pattern);
        assert_eq!(sessions.list(pattern).await.unwrap().len(), 1);
        assert_eq!(sessions.revoke_all(pattern).await.unwrap(), 1);
    }
    assert!(sessions.get::<u8>(&token).await.unwrap().is_some());
}

/// S23
#[tokio::test]
async fn keys_begin_as_they_should_and_all_of_them_end() {
    let server = RedisServer::start();
    let sessions = on(&server).await.sessions();
    let admin = sessions.clone().prefix("admin").unwrap();
    for sessions in [&sessions, &admin] {
        let before = sessions.create_anonymous(&1_u8, IDLE).await.unwrap().token;
        let token = sessions
            .rotate_as::<u8>(&before, "u*", IDLE)
            .await
            .unwrap()
            .token;
        let token = sessions.rotate::<u8>(&token).await.unwrap().token;
        sessions.extend(&token, IDLE).await.unwrap();
        let own = sessions.create("u*", &1_u8, IDLE).await.unwrap().token;
        sessions.revoke_all_but("u*", &own).await.unwrap();
    }
    let all: Vec<String> = server.command(&["KEYS", "*"]);
    let (ours, others): (Vec<_>, Vec<_>) = all.iter().partition(|key| key.starts_with("session:"));
    // The cache keeps a counter of its own.
    assert!(
        others.iter().all(|key| key.starts_with("tag:")),
        "{others:?}"
    );
    assert!(ours.len() > 6 && ours.iter().any(|key| key.starts_with("session:admin:")));
    for key in ours {
        let left: i64 = server.command(&["PTTL", key]);
        assert!(left > 0, "{key}: {left}");
        assert!(!key.contains("u*"), "{key}");
    }
}

/// S4: a list that began before a rotation, and ends after it, leaves the old
/// token its grace.
#[tokio::test]
async fn a_list_beside_a_rotation_leaves_the_grace() {
    let server = RedisServer::start();
    let sessions = on(&server).await.sessions();
    let before = sessions.create("u", &1_u8, IDLE).await.unwrap();
    let rotated = sessions.rotate::<u8>(&before.token).await.unwrap();
    let planted = sessions.create("u", &2_u8, IDLE).await.unwrap();
    let signed_in = sessions
        .rotate_as::<u8>(&planted.token, "v", IDLE)
        .await
        .unwrap();
    // As it was when the list began.
    let index = keys(&server)
        .into_iter()
        .find(|key| {
            let members: u64 = if key.ends_with(":index") {
                server.command(&["ZCARD", key])
            } else {
                0
            };
            members > 0
                && server
                    .command::<Option<f64>>(&["ZSCORE", key, rotated.id()])
                    .is_some()
        })
        .unwrap();
    for old in [before.id(), planted.id()] {
        server.command::<()>(&["ZADD", &index, "1e15", old]);
    }
    let listed = sessions.list("u").await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].id, rotated.id());
    for old in [&before.token, &planted.token] {
        assert!(sessions.get::<u8>(old).await.unwrap().unwrap().rotated);
    }
    assert_eq!(server.command::<u64>(&["ZCARD", &index]), 1);
    // Those that were revoked are removed, and so are old tokens of theirs.
    for old in [before.id(), planted.id()] {
        server.command::<()>(&["ZADD", &index, "1e15", old]);
    }
    sessions.revoke_all("u").await.unwrap();
    assert_eq!(records(&server).len(), 1);
    assert!(
        sessions
            .get::<u8>(&signed_in.token)
            .await
            .unwrap()
            .is_some()
    );
}

/// S16: a user who signs in again and again, and whose sessions expire, does
/// not fill the server.
#[tokio::test]
async fn an_index_does_not_grow_by_what_has_expired() {
    let server = RedisServer::start();
    let sessions = on(&server).await.sessions();
    let index = || {
        let keys = keys(&server);
        let index = keys.into_iter().find(|key| key.ends_with(":index"));
        index.unwrap()
    };
    for number in 0..3000 {
        sessions.create("u", &1_u8, IDLE).await.unwrap();
        if number % 100 == 99 {
            // The time of all of them is over, but for their end at last.
            let records = records(&server);
            let mut delete = vec!["DEL"];
            delete.extend(records.iter().map(String::as_str));
            server.command::<()>(&delete);
        }
    }
    let members: u64 = server.command(&["ZCARD", &index()]);
    assert!(members < 1500, "{members}");
}
