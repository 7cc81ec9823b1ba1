//! The harness keeps what it says.

use std::time::Duration;

use cacheable_tests::{RedisServer, wait_until};

fn answers(server: &RedisServer, within: Duration) -> bool {
    let client = redis::Client::open(server.url()).unwrap();
    let Ok(mut connection) = client.get_connection_with_timeout(within) else {
        return false;
    };
    connection.set_read_timeout(Some(within)).unwrap();
    redis::cmd("PING").exec(&mut connection).is_ok()
}

#[test]
fn a_server_is_killed_and_started_again_on_its_port() {
    let server = RedisServer::start();
    server.command::<()>(&["SET", "key", "value"]);
    assert_eq!(server.command::<String>(&["GET", "key"]), "value");
    server.kill();
    assert!(!answers(&server, Duration::from_secs(5)));
    server.restart();
    assert_eq!(server.command::<Option<String>>(&["GET", "key"]), None);
    server.restart();
    assert_eq!(server.command::<String>(&["PING"]), "PONG");
}

#[test]
fn a_paused_server_holds_its_connections() {
    let server = RedisServer::start();
    let paused = server.pause();
    assert!(!answers(&server, Duration::from_millis(100)));
    drop(paused);
    assert!(answers(&server, Duration::from_secs(30)));
}

#[test]
fn a_server_ends_with_its_value_even_when_paused() {
    let server = RedisServer::start();
    let port = server.port();
    std::mem::forget(server.pause());
    drop(server);
    wait_until("the port is free", Duration::from_secs(30), || {
        std::net::TcpListener::bind(("127.0.0.1", port)).is_ok()
    });
}

#[test]
fn arguments_reach_the_server_and_databases_are_apart() {
    let server = RedisServer::start_with(&["--maxmemory", "77mb"]);
    let limit: Vec<String> = server.command(&["CONFIG", "GET", "maxmemory"]);
    assert_eq!(limit[1], (77 * 1024 * 1024).to_string());
    server.command::<()>(&["SET", "key", "zero"]);
    let one = redis::Client::open(server.database_url(1)).unwrap();
    let found: Option<String> = redis::cmd("GET")
        .arg("key")
        .query(&mut one.get_connection().unwrap())
        .unwrap();
    assert_eq!(found, None);
    assert_ne!(server.namespace(), server.namespace());
}
