//! What another program has written, or another version of this one.

use std::collections::HashMap;

use cacheable_runtime::{ErrorKind, Sessions};
use cacheable_tests::{RedisServer, Store};
use serde::{Deserialize, Serialize};

use super::{Cart, IDLE, cart, on, records};
use crate::on_every_store;

on_every_store!(
    data_of_another_type_are_an_error,
    a_megabyte_is_kept_and_more_is_refused,
    bytes_that_are_no_text_come_back,
    what_an_older_program_does_not_know_survives_its_writes,
    a_name_that_was_changed_is_not_there_twice,
);

/// S19
#[tokio::test]
async fn garbage_is_an_error_and_no_missing_session() {
    let server = RedisServer::start();
    let sessions = on(&server).await.sessions();
    for damage in [
        &["HSET", "d", ""][..],
        &["HSET", "d", "garbage"],
        // Says that 2^32 - 1 values follow.
        &["HSET", "d", "\u{7f}\u{7f}\u{7f}"],
        &["HSET", "h", ""],
        &["HSET", "h", "garbage"],
        &["HSET", "h", &"garbage".repeat(10)],
        &["HDEL", "h"],
        &["HDEL", "d"],
        &["SET", "garbage"],
    ] {
        let made = sessions.create_anonymous(&cart("a"), IDLE).await.unwrap();
        let [key] = &records(&server)[..] else {
            panic!("there is one session");
        };
        let mut command = vec![damage[0], key];
        command.extend(&damage[1..]);
        server.command::<()>(&command);
        let error = sessions.get::<Cart>(&made.token).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Codec, "{damage:?}");
        let error = sessions.update(&made.token, |_: &mut Cart| {}).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Codec, "{damage:?}");
        let error = sessions.rotate::<Cart>(&made.token).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Codec, "{damage:?}");
        // It can still be got rid of.
        assert!(sessions.delete(&made.token).await.unwrap(), "{damage:?}");
        assert_eq!(records(&server), [""; 0], "{damage:?}");
    }
}

/// S19: a list is not stopped by one of its sessions.
#[tokio::test]
async fn garbage_is_left_out_of_a_list() {
    let server = RedisServer::start();
    let sessions = on(&server).await.sessions();
    sessions.create("u", &1_u8, IDLE).await.unwrap();
    let damaged = records(&server).remove(0);
    server.command::<()>(&["SET", &damaged, "garbage"]);
    let whole = sessions.create("u", &1_u8, IDLE).await.unwrap();
    let listed = sessions.list("u").await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].id, whole.id());
}

/// S19
async fn data_of_another_type_are_an_error(store: Store) {
    let sessions = store.runtime().await.sessions();
    let token = sessions.create("u", &cart("a"), IDLE).await.unwrap().token;
    let error = sessions.get::<u64>(&token).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Codec);
    let error = sessions.rotate::<u64>(&token).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Codec);
    let got = sessions.get::<Cart>(&token).await.unwrap().unwrap();
    assert_eq!((got.data, got.rotated), (cart("a"), false));
}

/// S20
async fn a_megabyte_is_kept_and_more_is_refused(store: Store) {
    let sessions = store.runtime().await.sessions();
    let large = "ü".repeat(500_000);
    let token = sessions.create("u", &large, IDLE).await.unwrap().token;
    let got = sessions.get::<String>(&token).await.unwrap().unwrap();
    assert!(got.data == large);
    let refuse = async |sessions: &Sessions, most: usize| {
        let larger = "x".repeat(most + 1);
        let refused = [
            sessions.create("u", &larger, IDLE).await.err(),
            sessions.set(&token, &larger, None).await.err(),
            sessions
                .update(&token, |data: &mut String| data.clone_from(&larger))
                .await
                .err(),
        ];
        for error in refused {
            assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::TooLarge));
        }
    };
    refuse(&sessions, 1024 * 1024).await;
    refuse(&sessions.clone().max_size(100), 100).await;
    let got = sessions.get::<String>(&token).await.unwrap().unwrap();
    assert!(got.data == large && got.version == 1);
}

/// S20
async fn bytes_that_are_no_text_come_back(store: Store) {
    let sessions = store.runtime().await.sessions();
    let bytes: Vec<u8> = (0..=255).rev().collect();
    let token = sessions
        .create("\u{1f600}", &bytes, IDLE)
        .await
        .unwrap()
        .token;
    let got = sessions.get::<Vec<u8>>(&token).await.unwrap().unwrap();
    assert_eq!((got.data, &*got.user_id), (bytes, "\u{1f600}"));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Old {
    theme: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    address: OldAddress,
    counts: HashMap<String, u32>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct OldAddress {
    city: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct New {
    theme: String,
    hint: Option<String>,
    address: NewAddress,
    counts: HashMap<String, u32>,
    scopes: Vec<String>,
    nothing: Option<u8>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct NewAddress {
    city: String,
    country: String,
}

/// S20
async fn what_an_older_program_does_not_know_survives_its_writes(store: Store) {
    let sessions = store.runtime().await.sessions();
    let new = || New {
        theme: "dark".into(),
        hint: Some("h".into()),
        address: NewAddress {
            city: "Bonn".into(),
            country: "de".into(),
        },
        counts: ["a", "b", "c"].map(|name| (name.to_owned(), 1)).into(),
        scopes: vec!["read".into()],
        nothing: None,
    };
    let token = sessions.create("u", &new(), IDLE).await.unwrap().token;
    let change = |old: &mut Old| {
        old.theme = "light".into();
        old.hint = None;
        old.address.city = "Köln".into();
        old.counts.remove("a");
        old.counts.insert("d".into(), 4);
    };
    let mut expected = new();
    expected.theme = "light".into();
    expected.hint = None;
    expected.address.city = "Köln".into();
    expected.counts.remove("a");
    expected.counts.insert("d".into(), 4);

    sessions.update(&token, change).await.unwrap();
    let got = sessions.get::<New>(&token).await.unwrap().unwrap();
    assert_eq!(got.data, expected);

    sessions.set(&token, &new(), None).await.unwrap();
    let mut old = sessions.get::<Old>(&token).await.unwrap().unwrap();
    change(&mut old.data);
    sessions.save(&mut old).await.unwrap();
    let got = sessions.get::<New>(&token).await.unwrap().unwrap();
    assert_eq!(got.data, expected);
    // Also through a rotation, and by a second save of the same.
    old.data.theme = "blue".into();
    sessions.save(&mut old).await.unwrap();
    let token = sessions.rotate::<Old>(&token).await.unwrap().token;
    let got = sessions.get::<New>(&token).await.unwrap().unwrap();
    assert_eq!(
        (&*got.data.theme, &*got.data.address.country),
        ("blue", "de")
    );
    // A `set` replaces all of it.
    sessions.set(&token, &old.data, None).await.unwrap();
    let error = sessions.get::<New>(&token).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Codec);
}

#[derive(Debug, Serialize, Deserialize)]
struct Before {
    nickname: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Renamed {
    #[serde(alias = "nickname")]
    name: String,
}

async fn a_name_that_was_changed_is_not_there_twice(store: Store) {
    let sessions = store.runtime().await.sessions();
    let before = Before {
        nickname: "a".into(),
    };
    let token = sessions.create("u", &before, IDLE).await.unwrap().token;
    let rename = |data: &mut Renamed| data.name.push('b');
    sessions.update(&token, rename).await.unwrap();
    sessions.update(&token, rename).await.unwrap();
    let got = sessions.get::<Renamed>(&token).await.unwrap().unwrap();
    assert_eq!(got.data.name, "abb");
}
