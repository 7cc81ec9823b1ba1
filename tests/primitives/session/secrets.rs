//! Where a token must not be.

use std::fmt::Write;

use cacheable_runtime::{Runtime, SessionToken};
use cacheable_tests::{Log, RedisServer, Store};

use super::{Cart, IDLE, cart, on, records, unknown};
use crate::on_every_store;

on_every_store!(tokens_have_nothing_in_common);

/// S1; a million of them is a test of the token itself.
async fn tokens_have_nothing_in_common(store: Store) {
    let sessions = store.runtime().await.sessions();
    let mut tokens = Vec::new();
    for _ in 0..300 {
        let session = sessions.create("u", &1_u8, IDLE).await.unwrap();
        tokens.push(session.token.expose().to_owned());
    }
    for part in [0..8, 20..28, 56..64] {
        let mut parts: Vec<&str> = tokens.iter().map(|token| &token[part.clone()]).collect();
        parts.sort_unstable();
        parts.dedup();
        // 48 bits each.
        assert_eq!(parts.len(), tokens.len());
    }
}

/// All that can be called with a token, and what the errors say.
async fn everything(runtime: &Runtime) -> (Vec<SessionToken>, String) {
    let sessions = runtime.sessions();
    let mut said = String::new();
    let mut say = |what: &dyn std::fmt::Debug| {
        write!(said, "{what:?} {what:#?} ").unwrap();
    };
    let anonymous = sessions
        .create_anonymous(&cart("what-is-kept"), IDLE)
        .await
        .unwrap();
    let signed_in = sessions
        .rotate_as::<Cart>(&anonymous.token, "user@example.org", IDLE)
        .await
        .unwrap();
    let mut rotated = sessions.rotate::<Cart>(&signed_in.token).await.unwrap();
    let tokens = vec![
        anonymous.token.clone(),
        signed_in.token.clone(),
        rotated.token.clone(),
        unknown("Q"),
    ];
    say(&(&sessions, &anonymous, &signed_in, &rotated, &tokens));
    say(&sessions.save(&mut rotated).await);
    for token in &tokens {
        say(&sessions.get::<Cart>(token).await);
        say(&sessions.get::<u8>(token).await);
        say(&sessions.set(token, &cart("what-is-kept"), None).await);
        say(&sessions.update(token, |_: &mut Cart| {}).await);
        say(&sessions.extend(token, IDLE).await);
        say(&sessions.rotate::<Cart>(token).await.map(drop));
        say(&sessions.rotate_as::<Cart>(token, "v", IDLE).await.map(drop));
        say(&sessions.revoke_all_but("user@example.org", token).await);
    }
    say(&sessions.list("user@example.org").await);
    for token in &tokens {
        say(&sessions.delete(token).await);
        if let Err(error) = sessions.extend(token, IDLE).await {
            say(&error.to_string());
        }
    }
    say(&SessionToken::parse(&tokens[0].expose()[1..]));
    say(&sessions.revoke_all("user@example.org").await);
    (tokens, said)
}

/// S18
#[tokio::test]
async fn what_is_said_and_logged_holds_no_token() {
    let (log, _taking) = Log::of_this_thread();
    let server = RedisServer::start();
    let runtime = on(&server).await;
    let (mut tokens, mut said) = everything(&runtime).await;
    let here = everything(&Runtime::embedded()).await;
    tokens.extend(here.0);
    said += &here.1;
    // Something about a session to log: its use cannot be noted.
    let sessions = runtime.sessions();
    let token = sessions.create("u", &1_u8, IDLE).await.unwrap().token;
    for key in records(&server) {
        server.command::<()>(&["PEXPIRE", &key, "60000"]);
    }
    server.command::<()>(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    assert!(sessions.get::<u8>(&token).await.unwrap().is_some());
    tokens.push(token);
    let logged = log.text();
    assert!(logged.contains("was not noted"), "{logged}");
    said += &logged;
    for token in &tokens {
        assert!(!said.contains(token.expose()));
        assert!(!said.contains(&token.expose()[..16]));
    }
    for secret in ["what-is-kept", "user@example.org"] {
        assert!(!said.contains(secret), "{secret}");
    }
}
