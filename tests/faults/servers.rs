//! The server fails.

use std::time::Duration;

use cacheable_tests::{Proxy, RedisServer};
use tokio::task::block_in_place;
use tokio::time::sleep;

use crate::drill::{Drill, again_and_again, lasting, short};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_started_again() {
    let server = RedisServer::start();
    let drill = Drill::on(&server, "SIGKILL and restart").await;
    let fault = async {
        block_in_place(|| server.kill());
        sleep(short()).await;
        block_in_place(|| server.restart());
    };
    drill.during(fault).await.recovers().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let drill = Drill::through(&proxy, "SIGSTOP").await;
    let fault = async {
        let paused = server.pause();
        sleep(lasting()).await;
        drop(paused);
    };
    drill.during(fault).await.recovers().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paused_for_everything() {
    paused("CLIENT PAUSE ALL", "ALL").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paused_for_writes() {
    paused("CLIENT PAUSE WRITE", "WRITE").await;
}

async fn paused(name: &'static str, mode: &str) {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let drill = Drill::through(&proxy, name).await;
    let fault = async {
        let length = lasting().as_millis().to_string();
        block_in_place(|| {
            server.command::<()>(&["CLIENT", "PAUSE", &length, mode]);
            // It is answered when the pause is over.
            server.command::<()>(&["SET", "after", "the pause"]);
        });
    };
    drill.during(fault).await.recovers().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_killed() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let drill = Drill::through(&proxy, "CLIENT KILL, repeated").await;
    let mut admin = server.connect();
    let mut kill = redis::cmd("CLIENT");
    kill.arg(&["KILL", "TYPE", "normal"]);
    let fault = again_and_again(short(), Duration::from_millis(20), || {
        kill.exec(&mut admin).unwrap();
    });
    drill.during(fault).await.recovers().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turned_into_a_replica() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let drill = Drill::through(&proxy, "REPLICAOF").await;
    let fault = async {
        // Nobody listens there: it keeps its data and takes no writes.
        block_in_place(|| server.command::<()>(&["REPLICAOF", "127.0.0.1", "1"]));
        sleep(lasting()).await;
        block_in_place(|| server.command::<()>(&["REPLICAOF", "NO", "ONE"]));
    };
    drill.during(fault).await.recovers().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloaded() {
    let server = RedisServer::start_with_debug_commands();
    let proxy = Proxy::to(&server);
    let drill = Drill::through(&proxy, "DEBUG RELOAD, repeated").await;
    let fault = again_and_again(short(), Duration::from_millis(100), || {
        server.command::<()>(&["DEBUG", "RELOAD"]);
    });
    drill.during(fault).await.recovers().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shut_out_by_another_password() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let drill = Drill::through(&proxy, "password changed").await;
    let mut admin = server.connect();
    let mut set_password = |password: &str| {
        let mut config = redis::cmd("CONFIG");
        config.arg(&["SET", "requirepass", password]);
        config.exec(&mut admin).unwrap();
        // Those that are there already would stay.
        let mut kill = redis::cmd("CLIENT");
        kill.arg(&["KILL", "TYPE", "normal"]);
        kill.exec(&mut admin).unwrap();
    };
    let fault = async {
        block_in_place(|| set_password("another"));
        sleep(lasting()).await;
        block_in_place(|| set_password(""));
    };
    drill.during(fault).await.recovers().await;
}
