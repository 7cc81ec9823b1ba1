//! A server that refuses, stands still or forgets.

use std::time::{Duration, Instant};

use cacheable_runtime::{ErrorKind, Runtime};

use cacheable_tests::{Of, Proxy, RedisServer, eventually};
use tokio::task::{JoinSet, block_in_place};

use super::{Cart, IDLE, cart, on, records};

const PATIENCE: Duration = Duration::from_secs(30);

/// X2
#[tokio::test]
async fn without_memory_writes_are_errors_and_ends_are_ends() {
    let server = RedisServer::start();
    let sessions = on(&server).await.sessions();
    let mut tokens = Vec::new();
    for user in ["u", "u", "v"] {
        tokens.push(sessions.create(user, &cart("a"), IDLE).await.unwrap().token);
    }
    server.command::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = [
        sessions.create("u", &cart("a"), IDLE).await.map(drop),
        sessions.set(&tokens[0], &cart("b"), None).await,
        sessions
            .update(&tokens[0], |_: &mut Cart| {})
            .await
            .map(drop),
    ];
    for refused in refused {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        assert!(error.to_string().contains("OOM"), "{error}");
    }
    assert!(sessions.get::<Cart>(&tokens[0]).await.unwrap().is_some());
    assert!(sessions.delete(&tokens[0]).await.unwrap());
    assert!(sessions.get::<Cart>(&tokens[0]).await.unwrap().is_none());
    assert_eq!(sessions.list("u").await.unwrap().len(), 1);
    assert_eq!(sessions.revoke_all("u").await.unwrap(), 1);
    assert!(sessions.get::<Cart>(&tokens[1]).await.unwrap().is_none());
    assert!(sessions.get::<Cart>(&tokens[2]).await.unwrap().is_some());
    server.command::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    sessions.set(&tokens[2], &cart("b"), None).await.unwrap();
}

/// X3: to be refused is not to be gone.
#[tokio::test]
async fn a_server_that_takes_no_writes_still_knows_who_is_signed_in() {
    let server = RedisServer::start();
    let sessions = on(&server).await.sessions();
    let token = sessions.create("u", &cart("a"), IDLE).await.unwrap().token;
    let key = records(&server).remove(0);
    // So that its use would be noted.
    server.command::<()>(&["PEXPIRE", &key, "60000"]);
    server.command::<()>(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    let refused = [
        sessions.create("u", &cart("a"), IDLE).await.err(),
        sessions.set(&token, &cart("b"), None).await.err(),
        sessions.extend(&token, IDLE).await.err(),
        sessions.delete(&token).await.err(),
        sessions.rotate::<Cart>(&token).await.err(),
        sessions.revoke_all("u").await.err(),
    ];
    for (number, error) in refused.into_iter().enumerate() {
        let error = error.unwrap();
        assert!(
            !error.is_gone() && !error.is_conflict(),
            "{number}: {error}"
        );
        assert!(
            error.to_string().contains("NOREPLICAS"),
            "{number}: {error}"
        );
    }
    let got = sessions.get::<Cart>(&token).await.unwrap().unwrap();
    assert_eq!(got.data, cart("a"));
    server.command::<()>(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    assert!(sessions.delete(&token).await.unwrap());
}

/// X3
#[tokio::test]
async fn a_server_that_cannot_save_still_knows_who_is_signed_in() {
    let server = RedisServer::start();
    let sessions = on(&server).await.sessions();
    let token = sessions.create("u", &cart("a"), IDLE).await.unwrap().token;
    server.command::<()>(&["CONFIG", "SET", "save", "1 1"]);
    server.lose_directory();
    let refuses = || {
        let _: redis::RedisResult<()> = redis::cmd("BGSAVE").query(&mut server.connect());
        let set: redis::RedisResult<()> = redis::cmd("SET")
            .arg(&["a", "b"])
            .query(&mut server.connect());
        set.is_err()
    };
    eventually("the server takes no writes", PATIENCE, async || refuses()).await;
    let error = sessions.create("u", &cart("a"), IDLE).await.unwrap_err();
    assert!(error.to_string().contains("MISCONF"), "{error}");
    let error = sessions.set(&token, &cart("b"), None).await.unwrap_err();
    assert!(
        !error.is_gone() && error.to_string().contains("MISCONF"),
        "{error}"
    );
    let got = sessions.get::<Cart>(&token).await.unwrap().unwrap();
    assert_eq!(got.data, cart("a"));
}

/// X4
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_writes_stand_still_no_call_takes_longer_than_its_timeout() {
    let server = RedisServer::start();
    let timeout = Duration::from_secs(1);
    let builder = Runtime::builder()
        .redis(server.url())
        .command_timeout(timeout);
    let runtime = builder.require_connection().build().await.unwrap();
    let sessions = runtime.sessions();
    let token = sessions.create("u", &0_u64, IDLE).await.unwrap().token;
    block_in_place(|| server.command::<()>(&["CLIENT", "PAUSE", "10000", "WRITE"]));
    let mut calls = JoinSet::new();
    for number in 0..6 {
        let (sessions, token) = (sessions.clone(), token.clone());
        calls.spawn(async move {
            let began = Instant::now();
            let error = match number {
                0 => sessions.create("u", &1_u64, IDLE).await.map(drop),
                1 => sessions
                    .update(&token, |n: &mut u64| *n += 1)
                    .await
                    .map(drop),
                2 => sessions.extend(&token, IDLE).await.map(drop),
                3 => sessions.rotate::<u64>(&token).await.map(drop),
                4 => sessions.rotate_as::<u64>(&token, "v", IDLE).await.map(drop),
                _ => sessions.revoke_all("w").await.map(drop),
            };
            (error.unwrap_err(), began.elapsed())
        });
    }
    for (error, took) in calls.join_all().await {
        assert!(error.is_unavailable(), "{error}");
        // Ten seconds, had it waited for the server.
        assert!(took < Duration::from_secs(6), "{took:?}");
    }
    block_in_place(|| server.command::<()>(&["CLIENT", "UNPAUSE"]));
    // Whatever was carried out in the end: a session is there or is not.
    eventually("it is answered again", PATIENCE, async || {
        sessions.get::<u64>(&token).await.is_ok()
    })
    .await;
    let new = sessions.create("x", &1_u64, IDLE).await.unwrap().token;
    assert!(sessions.get::<u64>(&new).await.unwrap().is_some());
    for user in ["u", "v"] {
        for info in sessions.list(user).await.unwrap() {
            assert!(sessions.revoke(user, &info.id).await.unwrap());
        }
        assert_eq!(sessions.list(user).await.unwrap(), []);
    }
}

/// X5
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_forgets_everything_leaves_nobody_signed_in() {
    let server = RedisServer::start();
    let sessions = on(&server).await.sessions();
    let mut users = JoinSet::new();
    for number in 0..10 {
        let (sessions, user) = (sessions.clone(), format!("user-{number}"));
        users.spawn(async move {
            let token = sessions.create(&user, &0_u64, IDLE).await.unwrap().token;
            let mut written = 0;
            loop {
                match sessions.update(&token, |n: &mut u64| *n += 1).await {
                    Ok(session) => {
                        written += 1;
                        assert_eq!(session.data, written);
                    }
                    Err(error) => {
                        assert!(error.is_gone(), "{error}");
                        return (user, token);
                    }
                }
            }
        });
    }
    while block_in_place(|| records(&server).len()) < 10 {
        tokio::task::yield_now().await;
    }
    block_in_place(|| server.command::<()>(&["FLUSHALL"]));
    for (user, token) in users.join_all().await {
        assert!(sessions.get::<u64>(&token).await.unwrap().is_none());
        assert!(!sessions.delete(&token).await.unwrap());
        assert_eq!(sessions.list(&user).await.unwrap(), []);
        let new = sessions.create(&user, &1_u64, IDLE).await.unwrap().token;
        assert!(sessions.get::<u64>(&new).await.unwrap().is_some());
    }
}

/// X4: that a session is in use is noted if there is time for it.
#[tokio::test]
async fn on_a_slow_server_a_get_does_not_wait_to_be_noted() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    // Enough for one answer and not for two.
    let (delay, timeout) = (Duration::from_millis(2500), Duration::from_millis(4500));
    let builder = Runtime::builder()
        .redis(proxy.url())
        .command_timeout(timeout);
    let runtime = builder.require_connection().build().await.unwrap();
    let sessions = runtime.sessions();
    let token = sessions.create("u", &1_u8, IDLE).await.unwrap().token;
    sessions.get::<u8>(&token).await.unwrap().unwrap();
    let key = records(&server).remove(0);
    server.command::<()>(&["PEXPIRE", &key, "60000"]);
    proxy.delay(Of::All, delay);
    let got = sessions.get::<u8>(&token).await.unwrap().unwrap();
    assert_eq!(got.data, 1);
    proxy.forward();
    // The next one does it.
    eventually("its use is noted", PATIENCE, async || {
        let got = sessions.get::<u8>(&token).await;
        got.is_ok() && server.command::<i64>(&["PTTL", &key]) > 500_000
    })
    .await;
}

/// X3: a sign-out with an old token that fails halfway can be tried again.
#[tokio::test]
async fn a_deletion_by_an_old_token_that_fails_is_no_deletion() {
    let server = RedisServer::start();
    let sessions = on(&server).await.sessions();
    let old = sessions.create("u", &1_u8, IDLE).await.unwrap();
    let key = records(&server).remove(0);
    let new = sessions.rotate::<u8>(&old.token).await.unwrap().token;
    let head: Vec<u8> = server.command(&["HGET", &key, "h"]);
    // The second of the two steps cannot be done.
    let set = |head: &[u8]| {
        let mut set = redis::cmd("HSET");
        set.arg(&key).arg("h").arg(head);
        set.exec(&mut server.connect()).unwrap();
    };
    let leads_to = head.windows(2).rposition(|pair| pair[1] == b':').unwrap();
    set(&[&head[..leads_to], b"nowhere"].concat());
    sessions.delete(&old.token).await.unwrap_err();
    assert!(sessions.get::<u8>(&new).await.unwrap().is_some());
    set(&head);
    assert!(sessions.delete(&old.token).await.unwrap());
    assert!(sessions.get::<u8>(&new).await.unwrap().is_none());
    assert!(sessions.get::<u8>(&old.token).await.unwrap().is_none());
    assert!(!sessions.delete(&old.token).await.unwrap());
    // What is left goes by itself.
    let left: i64 = server.command(&["PTTL", &key]);
    assert!(left > 0, "{left}");
}

/// X3: whatever a server refuses of it, a revocation does not leave the others
/// signed in and the one to keep not.
#[tokio::test]
async fn a_revocation_that_is_half_refused_keeps_nobody_else() {
    let server = RedisServer::start();
    let sessions = on(&server).await.sessions();
    for refused in ["-set", "-hset"] {
        let own = sessions.create(refused, &1_u8, IDLE).await.unwrap().token;
        let other = sessions.create(refused, &1_u8, IDLE).await.unwrap().token;
        server.command::<()>(&[
            "ACL", "SETUSER", "limited", "on", ">pw", "~*", "+@all", refused,
        ]);
        let url = server.url().replacen("redis://", "redis://limited:pw@", 1);
        let restricted = super::on_with(&url).await.sessions();
        restricted.revoke_all_but(refused, &own).await.unwrap_err();
        server.command::<()>(&["ACL", "DELUSER", "limited"]);
        let own = sessions.get::<u8>(&own).await.unwrap().is_some();
        let other = sessions.get::<u8>(&other).await.unwrap().is_some();
        assert!(own || !other, "{refused}");
    }
}
