//! Many messages, in order.

use std::env;
use std::process::Command;

use cacheable_runtime::{ErrorKind, Event, Runtime};
use cacheable_tests::RedisServer;

use super::{message, next, on};

const MANY: u32 = 100_000;

/// Publishes numbers over a connection of its own, many at once.
fn publish(server: &RedisServer, channel: &str, numbers: std::ops::Range<u32>, padding: usize) {
    let mut connection = server.connect();
    let numbers: Vec<u32> = numbers.collect();
    for some in numbers.chunks(500) {
        let mut pipeline = redis::pipe();
        for number in some {
            let mut payload = number.to_le_bytes().to_vec();
            payload.resize(4 + padding, 0);
            pipeline.cmd("PUBLISH").arg(channel).arg(payload).ignore();
        }
        pipeline.exec(&mut connection).unwrap();
    }
}

fn number(payload: &[u8]) -> u32 {
    u32::from_le_bytes(payload[..4].try_into().unwrap())
}

/// P2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_all_arrive_in_order_on_a_quiet_connection() {
    let server = RedisServer::start();
    let runtime = on(&server.url()).await;
    let wide = runtime.pubsub().subscriber().capacity(MANY as usize);
    let mut subscription = wide.subscribe_bytes("p2").await.unwrap();
    let publisher = std::thread::spawn(move || {
        publish(&server, "p2", 0..MANY, 0);
        server
    });
    for expected in 0..MANY {
        assert_eq!(number(&message(&mut subscription).await), expected);
    }
    publisher.join().unwrap();
}

/// P2
#[tokio::test]
async fn p2_all_arrive_in_order_in_a_process() {
    let runtime = Runtime::embedded();
    let mut subscription = runtime.pubsub().subscribe::<u32>("p2").await.unwrap();
    for chunk in 0..MANY / 1000 {
        for number in chunk * 1000..(chunk + 1) * 1000 {
            assert_eq!(runtime.pubsub().publish("p2", &number).await.unwrap(), 1);
        }
        for number in chunk * 1000..(chunk + 1) * 1000 {
            assert_eq!(message(&mut subscription).await, number);
        }
    }
}

/// P10: 400 MB go by while a subscriber sleeps.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p10_memory_stays_bounded_and_what_is_lost_is_counted() {
    const MESSAGES: u32 = 400_000;
    if !is_alone("p10_memory_stays_bounded_and_what_is_lost_is_counted") {
        return;
    }
    let server = RedisServer::start();
    // A server gives up on a machine that is too slow for it.
    let unlimited = "pubsub 0 0 0";
    server.command::<()>(&["CONFIG", "SET", "client-output-buffer-limit", unlimited]);
    let runtime = on(&server.url()).await;
    let mut sleeps = runtime.pubsub().subscribe_bytes("p10").await.unwrap();
    let before = resident();
    let publisher = std::thread::spawn(move || {
        publish(&server, "p10", 0..MESSAGES, 1000);
        server
    });
    let server = tokio::task::spawn_blocking(|| publisher.join().unwrap());
    let server = server.await.unwrap();
    // All has come in when what is published now has. The server's answer comes
    // behind all that, which a busy machine may not have read in one timeout.
    let mut attempts = 0..12;
    let mut fence = loop {
        match runtime.pubsub().subscribe::<u8>("fence").await {
            Err(error) if error.kind() == ErrorKind::Timeout && attempts.next().is_some() => {}
            subscribed => break subscribed.unwrap(),
        }
    };
    runtime.pubsub().publish("fence", &1).await.unwrap();
    message(&mut fence).await;
    let grown = resident().saturating_sub(before);
    println!("{} MiB more", grown >> 20);
    assert!(grown < 50 << 20, "{grown} bytes");
    let (mut heard, mut lost, mut gaps) = (0, 0, 0);
    let mut newest = None;
    while newest != Some(MESSAGES - 1) {
        match next(&mut sleeps).await {
            Event::Message { message, .. } => {
                heard += 1;
                newest = Some(number(&message));
            }
            Event::Lagged(count) => lost += count,
            Event::Gap { .. } => gaps += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((heard, lost, gaps), (1024, u64::from(MESSAGES) - 1024, 0));
    drop(server);
}

/// Whether this is a process in which no other test runs, whose memory is that
/// of the test. If not, it runs the test in one.
fn is_alone(test: &str) -> bool {
    const ALONE: &str = "CACHEABLE_TEST_ALONE";
    if env::var_os(ALONE).is_some() {
        return true;
    }
    let module = module_path!();
    let (_, module) = module.split_once("::").expect("it is in a crate");
    let mut alone = Command::new(env::current_exe().unwrap());
    alone.arg(format!("{module}::{test}"));
    let output = alone.args(["--exact", "--nocapture"]).env(ALONE, "1");
    let output = output.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(" 1 passed"), "{said}\n{errors}");
    println!("{said}");
    false
}

/// The memory of this process.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = status.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}
