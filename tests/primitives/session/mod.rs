//! The scenarios of `session`.

mod crash;
mod damage;
mod faults;
mod fixation;
mod life;
mod lists;
mod rotation;
mod rules;
mod secrets;
mod tower;
mod wire;
mod writes;

use std::collections::BTreeMap;
use std::time::Duration;

use cacheable_runtime::{Runtime, SessionToken};
use cacheable_tests::RedisServer;
use serde::{Deserialize, Serialize};

/// What a program keeps in a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Cart {
    name: String,
    count: u32,
    items: BTreeMap<String, u32>,
}

fn cart(name: &str) -> Cart {
    Cart {
        name: name.to_owned(),
        count: 1,
        items: BTreeMap::from([("apple".to_owned(), 2)]),
    }
}

/// Long enough that nothing expires while a busy machine runs a test.
const IDLE: Duration = Duration::from_secs(600);

/// A token that looks right, and that nobody has made.
fn unknown(letter: &str) -> SessionToken {
    SessionToken::parse(&letter.repeat(64)).unwrap()
}

/// A runtime on a server of the test's own, and nothing else there.
async fn on(server: &RedisServer) -> Runtime {
    on_with(&server.url()).await
}

async fn on_with(url: &str) -> Runtime {
    let builder = Runtime::builder().redis(url).require_connection();
    builder.build().await.unwrap()
}

/// All keys of sessions on a server.
fn keys(server: &RedisServer) -> Vec<String> {
    let mut keys: Vec<String> = server.command(&["KEYS", "session:*"]);
    keys.sort();
    keys
}

/// The keys of sessions, without those about users.
fn records(server: &RedisServer) -> Vec<String> {
    let about_users = |key: &String| key.ends_with(":index") || key.ends_with(":generation");
    let mut keys = keys(server);
    keys.retain(|key| !about_users(key));
    keys
}
