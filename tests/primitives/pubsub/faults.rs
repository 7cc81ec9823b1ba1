//! Servers and networks that fail.

use std::time::{Duration, Instant};

use cacheable_runtime::{DurableEvent, ErrorKind, Event, Runtime, StartAt, Subscription};
use cacheable_tests::store::PATIENCE;
use cacheable_tests::{Proxy, RedisServer, eventually, wait_until};
use tokio::time::timeout;

use super::{kept, listening, message, next, on, read, version};

/// Kills the connections that listen and publishes at once, before they can
/// come back.
fn publish_unheard(server: &RedisServer, channel: &str, numbers: std::ops::Range<u32>) -> u64 {
    let mut pipeline = redis::pipe();
    pipeline.cmd("CLIENT").arg("KILL").arg("TYPE").arg("pubsub");
    for number in numbers {
        let payload = [0xce, 0, 0, 0, u8::try_from(number).unwrap()];
        pipeline.cmd("PUBLISH").arg(channel).arg(&payload);
    }
    let answers: Vec<u64> = pipeline.query(&mut server.connect()).unwrap();
    answers[1..].iter().sum()
}

/// P3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p3_a_gap_is_told_before_any_later_message() {
    let server = RedisServer::start();
    let runtime = on(&server.url()).await;
    let mut subscription = runtime.pubsub().subscribe::<u32>("p3").await.unwrap();
    let mut pattern = runtime
        .pubsub()
        .subscribe_pattern::<u32>("p*")
        .await
        .unwrap();
    for turn in 0..5 {
        runtime.pubsub().publish("p3", &turn).await.unwrap();
        assert_eq!(message(&mut subscription).await, turn);
        assert_eq!(message(&mut pattern).await, turn);
        // The control: without a word about it 200 messages would be missing.
        let killed = Instant::now();
        assert_eq!(publish_unheard(&server, "p3", 0..200), 0);
        for subscription in [&mut subscription, &mut pattern] {
            match next(subscription).await {
                // All that it had heard before was before.
                Event::Gap { since, .. } => assert!(since <= killed),
                other => panic!("{other:?} instead of a gap"),
            }
        }
    }
    runtime.pubsub().publish("p3", &1000).await.unwrap();
    assert_eq!(message(&mut subscription).await, 1000);
    assert_eq!(message(&mut pattern).await, 1000);
}

/// P4
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p4_durable_messages_arrive_over_a_gap_in_order() {
    let server = RedisServer::start();
    let (runtime, other) = (on(&server.url()).await, on(&server.url()).await);
    let mut reader = runtime
        .pubsub()
        .durable("p4")
        .subscribe::<u32>(StartAt::Now)
        .await
        .unwrap();
    let stream = other.pubsub().durable("p4");
    let publisher = tokio::spawn(async move {
        for number in 0..1000 {
            stream.publish(&number).await.unwrap();
        }
    });
    for number in 0..1000 {
        if number % 100 == 50 {
            server.command::<i64>(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        }
        assert_eq!(kept(&mut reader).await, number);
    }
    publisher.await.unwrap();
}

/// P5, and what a server that has lost its data does to a stream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p5_a_reader_that_was_cut_off_for_too_long_is_told() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let (runtime, other) = (on(&proxy.url()).await, on(&server.url()).await);
    let stream = other.pubsub().durable("p5").max_len(10);
    let mut reader = runtime
        .pubsub()
        .durable("p5")
        .subscribe::<u32>(StartAt::Now)
        .await
        .unwrap();
    let mut newest = stream.publish(&0).await.unwrap();
    assert_eq!(kept(&mut reader).await, 0);
    proxy.refuse();
    for number in 1..=1000 {
        newest = stream.publish(&number).await.unwrap();
    }
    proxy.forward();
    let DurableEvent::Gap {
        lost: Some(lost), ..
    } = read(&mut reader).await
    else {
        panic!("messages are missing");
    };
    assert!((700..=990).contains(&lost), "{lost}");
    for number in u32::try_from(lost).unwrap() + 1..=1000 {
        assert_eq!(kept(&mut reader).await, number);
    }
    server.restart();
    eventually("the stream begins anew", PATIENCE, async || {
        stream.publish(&7).await.is_ok()
    })
    .await;
    match read(&mut reader).await {
        DurableEvent::Gap { after, lost, .. } => {
            assert_eq!((after, lost), (Some(newest), None));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(kept(&mut reader).await, 7);
}

/// P6
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p6_all_is_heard_again_after_a_restart() {
    const EACH: usize = 500;
    let server = RedisServer::start();
    let runtime = on(&server.url()).await;
    let (mut channels, mut patterns) = (Vec::new(), Vec::new());
    for number in 0..EACH {
        let pubsub = runtime.pubsub();
        let channel = format!("channel:{number}");
        channels.push(pubsub.subscribe::<u32>(&channel).await.unwrap());
        let pattern = format!("pattern:{number}:*");
        patterns.push(pubsub.subscribe_pattern::<u32>(&pattern).await.unwrap());
    }
    let live = || {
        let mut words = vec!["PUBSUB".to_owned(), "NUMSUB".to_owned()];
        words.extend((0..EACH).map(|number| format!("channel:{number}")));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let subscribed: Vec<(String, usize)> = server.command(&words);
        let patterns: usize = server.command(&["PUBSUB", "NUMPAT"]);
        subscribed.iter().all(|(_, count)| *count == 1) && patterns == EACH
    };
    assert!(live());
    server.restart();
    // The scenario allows 5 s; this machine may be busy with other tests.
    let began = Instant::now();
    wait_until("all is heard again", Duration::from_secs(15), live);
    println!("{} subscriptions in {:?}", 2 * EACH, began.elapsed());
    assert_eq!(listening(&server), 1);
    eventually("messages are taken again", PATIENCE, async || {
        runtime.health().is_ok()
    })
    .await;
    for (number, (channel, pattern)) in channels.iter_mut().zip(&mut patterns).enumerate() {
        assert!(matches!(next(channel).await, Event::Gap { .. }));
        assert!(matches!(next(pattern).await, Event::Gap { .. }));
        if number % 50 == 0 {
            let pubsub = runtime.pubsub();
            let name = format!("channel:{number}");
            pubsub.publish(&name, &1).await.unwrap();
            let name = format!("pattern:{number}:x");
            pubsub.publish(&name, &2).await.unwrap();
            assert_eq!((message(channel).await, message(pattern).await), (1, 2));
        }
    }
}

/// P8
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p8_what_is_ended_during_a_reconnect_stays_ended() {
    let server = RedisServer::start();
    let proxy = Proxy::to(&server);
    let runtime = on(&proxy.url()).await;
    let mut stays = runtime.pubsub().subscribe::<u32>("stays").await.unwrap();
    let ends = runtime.pubsub().subscribe::<u32>("ends").await.unwrap();
    let mut quits = runtime.pubsub().subscribe::<u32>("quits").await.unwrap();
    proxy.refuse();
    wait_until("the connection is gone", PATIENCE, || {
        listening(&server) == 0
    });
    drop(ends);
    quits.quit().await;
    proxy.forward();
    assert!(matches!(next(&mut stays).await, Event::Gap { .. }));
    let heard: Vec<(String, u64)> = server.command(&["PUBSUB", "NUMSUB", "stays", "ends", "quits"]);
    let heard: Vec<u64> = heard.into_iter().map(|(_, count)| count).collect();
    assert_eq!(heard, [1, 0, 0]);
}

/// The server ends a connection that it cannot get rid of its messages over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_gives_up_on_a_subscriber_makes_a_gap() {
    let server = RedisServer::start();
    let runtime = on(&server.url()).await;
    let mut subscription = runtime.pubsub().subscribe_bytes("p").await.unwrap();
    let limit = "pubsub 100kb 0 0";
    server.command::<()>(&["CONFIG", "SET", "client-output-buffer-limit", limit]);
    // All at once, so that it cannot get rid of some before.
    let mut pipeline = redis::pipe();
    pipeline.atomic();
    for _ in 0..100 {
        pipeline
            .cmd("PUBLISH")
            .arg("p")
            .arg(vec![0_u8; 8 << 10])
            .ignore();
    }
    pipeline.exec(&mut server.connect()).unwrap();
    while !matches!(next(&mut subscription).await, Event::Gap { .. }) {}
    runtime.pubsub().publish_bytes("p", b"small").await.unwrap();
    assert_eq!(message(&mut subscription).await, b"small");
}

/// P1: also a subscriber of a channel that is just being subscribed to again
/// waits for the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p1_no_confirmation_is_taken_for_granted_during_a_reconnect() {
    let server = RedisServer::start();
    let builder = Runtime::builder().redis(server.url()).require_connection();
    let builder = builder.command_timeout(Duration::from_millis(500));
    let runtime = builder.build().await.unwrap();
    let mut first = runtime.pubsub().subscribe::<u32>("p1").await.unwrap();
    server.kill();
    eventually("it is noticed", PATIENCE, async || {
        runtime.health().is_err()
    })
    .await;
    // The heartbeat of the other connection, too.
    eventually("nobody is taken in", PATIENCE, async || {
        let second = runtime.pubsub().subscribe::<u32>("p1").await;
        second.is_err_and(|error| error.is_unavailable())
    })
    .await;
    server.restart();
    assert!(matches!(next(&mut first).await, Event::Gap { .. }));
    // Whoever was not there before has missed nothing.
    let mut second = runtime.pubsub().subscribe::<u32>("p1").await.unwrap();
    server.command::<u64>(&["PUBLISH", "p1", "\u{5}"]);
    assert_eq!(
        (message(&mut first).await, message(&mut second).await),
        (5, 5)
    );
}

/// P15
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p15_what_could_not_be_published_is_an_error() {
    let server = RedisServer::start();
    let builder = Runtime::builder().redis(server.url()).require_connection();
    let builder = builder.command_timeout(Duration::from_millis(300));
    let runtime = builder.build().await.unwrap();
    let pubsub = runtime.pubsub();
    let stream = pubsub.durable("p15");
    {
        let _paused = server.pause();
        let error = pubsub.publish("p15", &1).await.unwrap_err();
        assert!(error.is_unavailable(), "{error}");
        let error = stream.publish(&1).await.unwrap_err();
        assert!(error.is_unavailable(), "{error}");
    }
    server.kill();
    for _ in 0..20 {
        let error = pubsub.publish("p15", &1).await.unwrap_err();
        assert!(error.is_unavailable(), "{error}");
        let error = pubsub.subscribe::<u8>("p15").await.unwrap_err();
        assert!(error.is_unavailable(), "{error}");
        let error = stream.publish(&1).await.unwrap_err();
        assert!(error.is_unavailable(), "{error}");
    }
}

/// X2, X3: what a server refuses is told as what it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x2_a_server_that_is_full_refuses_what_is_kept_and_passes_on_the_rest() {
    let server = RedisServer::start();
    let runtime = on(&server.url()).await;
    let pubsub = runtime.pubsub();
    let mut live = pubsub.subscribe::<u32>("live").await.unwrap();
    let stream = pubsub.durable("x2");
    let mut reader = stream.subscribe::<u32>(StartAt::Now).await.unwrap();
    stream.publish(&1).await.unwrap();
    assert_eq!(kept(&mut reader).await, 1);
    for (setting, on, off, code) in [
        ("maxmemory", "1", "0", "OOM"),
        ("min-replicas-to-write", "1", "0", "NOREPLICAS"),
    ] {
        server.command::<()>(&["CONFIG", "SET", setting, on]);
        let error = stream.publish(&0).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        assert!(error.to_string().starts_with(code), "{error}");
        assert_eq!(pubsub.publish("live", &2).await.unwrap(), 1);
        assert_eq!(message(&mut live).await, 2);
        server.command::<()>(&["CONFIG", "SET", setting, off]);
    }
    stream.publish(&2).await.unwrap();
    assert_eq!(kept(&mut reader).await, 2);
}

/// X4
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x4_no_call_takes_longer_than_its_timeout_while_writes_are_paused() {
    let server = RedisServer::start();
    let builder = Runtime::builder().redis(server.url()).require_connection();
    let builder = builder.command_timeout(Duration::from_millis(300));
    let runtime = builder.build().await.unwrap();
    let stream = runtime.pubsub().durable("x4");
    let mut reader = stream.subscribe::<u32>(StartAt::Now).await.unwrap();
    server.command::<()>(&["CLIENT", "PAUSE", "3000", "WRITE"]);
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(2500) {
        let call = Instant::now();
        assert!(stream.publish(&1).await.is_err());
        assert!(call.elapsed() < Duration::from_secs(2));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    eventually("writes are taken again", PATIENCE, async || {
        stream.publish(&2).await.is_ok()
    })
    .await;
    // What timed out may have been published all the same.
    while kept(&mut reader).await != 2 {}
}

/// X6
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x6_the_server_keeps_one_script() {
    let server = RedisServer::start();
    let runtime = on(&server.url()).await;
    let scripts = || -> u64 {
        let info: String = server.command(&["INFO", "memory"]);
        let mut lines = info.lines();
        let count = lines.find_map(|line| line.strip_prefix("number_of_cached_scripts:"));
        count.unwrap().trim().parse().unwrap()
    };
    let pubsub = runtime.pubsub();
    pubsub.durable("first").publish(&0).await.unwrap();
    let before = scripts();
    for number in 0..1000_u64 {
        let stream = pubsub.durable(&format!("s{number}"));
        let stream = stream.max_len(number + 1);
        stream
            .ttl(Duration::from_secs(number + 1))
            .publish(&number)
            .await
            .unwrap();
    }
    assert_eq!(scripts(), before);
    // And one that has forgotten it is given it again.
    server.command::<()>(&["SCRIPT", "FLUSH"]);
    pubsub.durable("first").publish(&0).await.unwrap();
}

/// Every key has a time to live, and is named as it should be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_ends_by_itself() {
    let server = RedisServer::start();
    let builder = Runtime::builder().redis(server.url()).namespace("shop");
    let runtime = builder.require_connection().build().await.unwrap();
    let stream = runtime.pubsub().durable("orders");
    let stream = stream.ttl(Duration::from_secs(100));
    stream.publish("a book").await.unwrap();
    let keys: Vec<String> = server.command(&["KEYS", "*stream*"]);
    assert_eq!(keys, ["shop:stream:{orders}"]);
    let left: i64 = server.command(&["PTTL", &keys[0]]);
    assert!((1..=100_000).contains(&left), "{left}");
    // Also what is older than that goes, whatever number may be kept.
    let stream = stream.ttl(Duration::from_millis(200)).max_len(1_000_000);
    for number in 0..500 {
        stream.publish(&number).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(150)).await;
    stream.publish(&500).await.unwrap();
    tokio::time::sleep(Duration::from_millis(150)).await;
    stream.publish(&501).await.unwrap();
    let length: u64 = server.command(&["XLEN", &keys[0]]);
    assert!(length < 250, "{length}");
}

/// Another program's key is left as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_ours_is_not_touched() {
    let server = RedisServer::start();
    let runtime = on(&server.url()).await;
    server.command::<()>(&["SET", "stream:{text}", "hunter2"]);
    server.command::<String>(&["XADD", "stream:{other}", "*", "field", "hunter2"]);
    for name in ["text", "other"] {
        let stream = runtime.pubsub().durable(name);
        let errors = [
            stream.publish(&1).await.unwrap_err(),
            stream.subscribe::<u8>(StartAt::Now).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Server);
            assert!(error.to_string().contains("another program"), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }
    let length: u64 = server.command(&["XLEN", "stream:{other}"]);
    assert_eq!(length, 1);
}

/// A server that lets a user hear some channels alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_refuses_ends_only_that() {
    let server = RedisServer::start();
    let user = [
        "ACL",
        "SETUSER",
        "app",
        "on",
        ">pw",
        "~*",
        "+@all",
        "resetchannels",
    ];
    let allow = |channels: &[&str]| server.command::<()>(&[&user[..], channels].concat());
    allow(&["&a", "&b"]);
    let url = format!("redis://app:pw@127.0.0.1:{}/0", server.port());
    let runtime = on(&url).await;
    let pubsub = runtime.pubsub();
    let mut a = pubsub.subscribe::<u32>("a").await.unwrap();
    let mut b = pubsub.subscribe::<u32>("b").await.unwrap();
    let refused = pubsub.subscribe::<u32>("c").await.unwrap_err();
    assert!(refused.to_string().starts_with("NOPERM"), "{refused}");
    let refused = pubsub.publish("c", &1).await.unwrap_err();
    assert!(refused.to_string().starts_with("NOPERM"), "{refused}");
    // The others were not disturbed.
    pubsub.publish("a", &1).await.unwrap();
    assert_eq!(message(&mut a).await, 1);
    // A right that is taken away ends the connection, and then that one alone.
    allow(&["&a"]);
    assert_eq!(timeout(PATIENCE, ended(&mut b)).await, Ok(()));
    let reason = b.reason().expect("the server refuses it");
    assert!(reason.to_string().starts_with("NOPERM"), "{reason}");
    assert!(matches!(next(&mut a).await, Event::Gap { .. }));
    pubsub.publish("a", &2).await.unwrap();
    assert_eq!(message(&mut a).await, 2);
}

async fn ended(subscription: &mut Subscription<u32>) {
    while subscription.next().await.is_some() {}
}

/// A server before 7 has no sharded channels, and keeps messages all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_rings_for_a_stream_is_sharded_where_that_can_be() {
    let server = RedisServer::start();
    let runtime = on(&server.url()).await;
    let stream = runtime.pubsub().durable("ring");
    let mut reader = stream.subscribe::<u32>(StartAt::Now).await.unwrap();
    let (sharded, plain) = ("SHARDNUMSUB", "NUMSUB");
    let expected = if version(&server) >= 7 {
        sharded
    } else {
        plain
    };
    let heard: Vec<(String, u64)> = server.command(&["PUBSUB", expected, "stream:{ring}"]);
    assert_eq!(heard[0].1, 1);
    // The ring is heard: nothing else would make it look within 5 s.
    for number in 0..50 {
        stream.publish(&number).await.unwrap();
        let read = timeout(Duration::from_secs(4), kept(&mut reader)).await;
        assert_eq!(read, Ok(number));
    }
}
