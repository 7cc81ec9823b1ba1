//! What the user of the address may not do, and what becomes of it.

use cacheable_runtime::{Builder, Error, ErrorKind, Runtime};
use cacheable_tests::RedisServer;

use crate::service::{PATIENCE, Service};

/// Over a user that may do all but this.
fn without(server: &RedisServer, denied: &[&str]) -> Builder {
    let user = [
        "ACL", "SETUSER", "app", "on", ">hunter2", "~*", "&*", "+@all",
    ];
    server.command::<()>(&[&user[..], denied].concat());
    let url = format!("redis://app:hunter2@127.0.0.1:{}/", server.port());
    Runtime::builder()
        .redis(url)
        .budget(PATIENCE)
        .require_connection()
}

#[track_caller]
fn is_refused(built: Result<Runtime, Error>) {
    let error = built.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server);
    let said = error.to_string();
    assert!(said.contains("NOPERM"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[tokio::test]
async fn who_may_load_no_scripts_or_run_none_or_ask_for_no_time_is_not_connected() {
    for denied in ["-script", "-evalsha", "-time"] {
        let server = RedisServer::start();
        is_refused(without(&server, &[denied]).build().await);
    }
}

/// Nothing else of `CLIENT` is needed: neither its name nor the end of another.
#[tokio::test]
async fn who_may_not_close_connections_is_connected_again() {
    for allowed in [
        &["+client|tracking"][..],
        &["+client|tracking", "+client|info"],
    ] {
        let server = RedisServer::start();
        let denied = [&["-client"], allowed].concat();
        let service = Service::with(without(&server, &denied)).await;
        service.loaded(1).await;
        server.command::<u64>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        service.heals(1).await;
        let before = service.counts().hits_local;
        service.read(1).await.unwrap();
        assert_eq!(service.counts().hits_local, before + 1, "it is followed");
    }
}

#[tokio::test]
async fn who_may_not_ask_about_the_server_is_served() {
    let server = RedisServer::start();
    let service = Service::with(without(&server, &["-info", "-config"])).await;
    service.loaded(1).await;
    assert_eq!(service.read(1).await.unwrap(), 1);
    assert_eq!(service.loads(), 1);
    // In the form that all servers read, which has no `#!lua`.
    let other = Service::with(without(&server, &["+info", "+config"])).await;
    assert_eq!(other.read(1).await.unwrap(), 1);
    assert_eq!(other.loads(), 0);
}
