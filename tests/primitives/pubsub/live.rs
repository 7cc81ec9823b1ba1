//! Who hears what.

use cacheable_runtime::{ErrorKind, Event, Overflow};
use cacheable_tests::store::PATIENCE;
use cacheable_tests::{Store, eventually};
use serde::{Deserialize, Serialize};

use super::{fence, hears_nothing, message, next};

crate::on_every_store!(
    a_message_arrives_with_its_channel,
    p1_what_is_published_after_the_confirmation_is_heard,
    p11_each_of_several_subscribers_has_every_message_and_the_last_one_ends_it,
    p12_a_channel_and_a_pattern_that_matches_it_each_hear_a_message,
    p14_any_bytes_survive,
    p14_a_channel_is_meant_as_it_is_written,
    p15_nobody_listens_is_no_error,
    p16_sharded_channels_are_channels_of_their_own,
    patterns_match_alike,
    environments_do_not_hear_one_another,
    what_is_no_message_of_the_type_is_told_without_its_contents,
    names_that_cannot_be_used_are_refused,
    a_stream_is_a_stream,
);

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Order {
    id: u64,
    note: Option<String>,
}

async fn a_message_arrives_with_its_channel(store: Store) {
    let here = store.runtime().await;
    let there = store.beside(&here).await;
    let mut orders = here.pubsub().subscribe::<Order>("orders").await.unwrap();
    let order = Order {
        id: 7,
        note: Some("fragile".to_owned()),
    };
    let heard = there.pubsub().publish("orders", &order).await.unwrap();
    // In a cluster it is those of one node alone.
    assert!(heard <= 1);
    match next(&mut orders).await {
        Event::Message {
            channel, message, ..
        } => assert_eq!((channel.as_str(), message), ("orders", order)),
        other => panic!("{other:?}"),
    }
}

/// P1
async fn p1_what_is_published_after_the_confirmation_is_heard(store: Store) {
    let here = store.runtime().await;
    let there = store.beside(&here).await;
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..10 {
        let (here, there) = (here.pubsub(), there.pubsub());
        tasks.spawn(async move {
            // Sometimes the subscription before has just ended, or is shared.
            for turn in 0..1000_u32 {
                let channel = format!("p1:{}", (turn + task) % 7);
                let mut subscription = here.subscribe::<(u32, u32)>(&channel).await.unwrap();
                there.publish(&channel, &(task, turn)).await.unwrap();
                while message(&mut subscription).await != (task, turn) {}
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
}

/// P11
async fn p11_each_of_several_subscribers_has_every_message_and_the_last_one_ends_it(store: Store) {
    let here = store.runtime().await;
    let there = store.beside(&here).await;
    let mut first = here.pubsub().subscribe::<u32>("shared").await.unwrap();
    let mut second = here.pubsub().subscribe::<u32>("shared").await.unwrap();
    for number in 0..100 {
        there.pubsub().publish("shared", &number).await.unwrap();
    }
    for number in 0..100 {
        assert_eq!(message(&mut first).await, number);
        assert_eq!(message(&mut second).await, number);
    }
    drop(first);
    there.pubsub().publish("shared", &100).await.unwrap();
    assert_eq!(message(&mut second).await, 100);
    drop(second);
    eventually("nobody listens any more", PATIENCE, async || {
        there.pubsub().publish("shared", &101).await.unwrap() == 0
    })
    .await;
    // And it can be begun anew.
    let mut third = here.pubsub().subscribe::<u32>("shared").await.unwrap();
    there.pubsub().publish("shared", &102).await.unwrap();
    assert_eq!(message(&mut third).await, 102);
}

/// P12
async fn p12_a_channel_and_a_pattern_that_matches_it_each_hear_a_message(store: Store) {
    let here = store.runtime().await;
    let there = store.beside(&here).await;
    let mut exact = here.pubsub().subscribe::<u32>("p12:a").await.unwrap();
    let mut pattern = here
        .pubsub()
        .subscribe_pattern::<u32>("p12:*")
        .await
        .unwrap();
    let mut wider = here.pubsub().subscribe_pattern::<u32>("p1*").await.unwrap();
    for number in 0..50 {
        there.pubsub().publish("p12:a", &number).await.unwrap();
        for subscription in [&mut exact, &mut pattern, &mut wider] {
            assert_eq!(message(subscription).await, number);
        }
    }
    for subscription in [&mut exact, &mut pattern, &mut wider] {
        hears_nothing(&here, subscription).await;
    }
    there.pubsub().publish("p12:b", &50).await.unwrap();
    match next(&mut pattern).await {
        Event::Message { channel, .. } => assert_eq!(channel, "p12:b"),
        other => panic!("{other:?}"),
    }
    hears_nothing(&here, &mut exact).await;
}

/// P14
async fn p14_any_bytes_survive(store: Store) {
    let here = store.runtime().await;
    let there = store.beside(&here).await;
    let mut bytes = here.pubsub().subscribe_bytes("bytes").await.unwrap();
    let large: Vec<u8> = (0..10 << 20).map(|number: u32| number as u8).collect();
    for payload in [&b""[..], b"\0", b"a\0b\r\n$5\r\n", b"\xff\xfe\x80", &large] {
        there
            .pubsub()
            .publish_bytes("bytes", payload)
            .await
            .unwrap();
        assert!(message(&mut bytes).await == payload);
    }
    let too_large = vec![0; 31 << 20];
    let refused = there.pubsub().publish_bytes("bytes", &too_large).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::TooLarge);
    let refused = there.pubsub().publish("bytes", &too_large).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::TooLarge);
    hears_nothing(&here, &mut bytes).await;
}

/// P14
async fn p14_a_channel_is_meant_as_it_is_written(store: Store) {
    let here = store.runtime().await;
    let names = [
        "a*", "a?", "a[bc]", "a\\*", "ab", "{a}b", "ä ö", "a\nb", "*",
    ];
    let mut subscriptions = Vec::new();
    for name in names {
        subscriptions.push(here.pubsub().subscribe::<String>(name).await.unwrap());
    }
    for name in names {
        here.pubsub().publish(name, name).await.unwrap();
    }
    for (name, subscription) in names.iter().zip(&mut subscriptions) {
        assert_eq!(&message(subscription).await, name);
        hears_nothing(&here, subscription).await;
    }
}

/// P15
async fn p15_nobody_listens_is_no_error(store: Store) {
    let here = store.runtime().await;
    assert_eq!(here.pubsub().publish("nobody", &1).await.unwrap(), 0);
    assert_eq!(here.pubsub().publish_bytes("nobody", b"").await.unwrap(), 0);
}

/// P16
async fn p16_sharded_channels_are_channels_of_their_own(store: Store) {
    let here = store.runtime().await;
    let there = store.beside(&here).await;
    let sharded = here.pubsub().subscribe_sharded::<u32>("p16").await;
    let mut sharded = match sharded {
        Ok(sharded) => sharded,
        // Before Redis 7.
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Server);
            assert!(error.to_string().contains("no sharded channels"), "{error}");
            let error = here.pubsub().publish_sharded("p16", &1).await.unwrap_err();
            assert!(error.to_string().contains("no sharded channels"), "{error}");
            return;
        }
    };
    let mut plain = here.pubsub().subscribe::<u32>("p16").await.unwrap();
    let mut pattern = here
        .pubsub()
        .subscribe_pattern::<u32>("p16*")
        .await
        .unwrap();
    for number in 0..50 {
        let heard = there.pubsub().publish_sharded("p16", &number).await;
        assert_eq!(heard.unwrap(), 1);
        there
            .pubsub()
            .publish("p16", &(100 + number))
            .await
            .unwrap();
    }
    for number in 0..50 {
        assert_eq!(message(&mut sharded).await, number);
        assert_eq!(message(&mut plain).await, 100 + number);
        assert_eq!(message(&mut pattern).await, 100 + number);
    }
    assert_eq!(there.pubsub().publish_sharded("p1", &0).await.unwrap(), 0);
    hears_nothing(&here, &mut plain).await;
    sharded.quit().await;
    assert_eq!(there.pubsub().publish_sharded("p16", &0).await.unwrap(), 0);
}

async fn patterns_match_alike(store: Store) {
    let here = store.runtime().await;
    let cases = [
        ("*", "aa ab abc a*c a]c b"),
        ("a*", "aa ab abc a*c a]c"),
        ("a?", "aa ab"),
        ("a[a-b]", "aa ab"),
        ("a[b-a]", "aa ab"),
        ("a[^b]", "aa"),
        ("a\\*c", "a*c"),
        ("a[\\]b]c", "abc a]c"),
        ("a[b", "ab"),
        ("*b*", "ab abc b"),
        ("[^a]", "b"),
    ];
    for (turn, (pattern, expected)) in cases.into_iter().enumerate() {
        let pubsub = here.pubsub();
        let pattern = format!("?{turn}:{pattern}");
        let mut subscription = pubsub.subscribe_pattern::<String>(&pattern).await.unwrap();
        for name in ["aa", "ab", "abc", "a*c", "a]c", "b"] {
            let channel = format!("t{turn}:{name}");
            pubsub.publish(&channel, name).await.unwrap();
        }
        let mut expected: Vec<&str> = expected.split(' ').collect();
        let mut heard = Vec::new();
        for _ in &expected {
            heard.push(message(&mut subscription).await);
        }
        // What goes over different nodes of a cluster has no order.
        expected.sort_unstable();
        heard.sort_unstable();
        assert_eq!(heard, expected, "{pattern}");
        hears_nothing(&here, &mut subscription).await;
    }
}

async fn environments_do_not_hear_one_another(store: Store) {
    let here = store.runtime().await;
    let elsewhere = store.neighbour().runtime().await;
    let mut all = here.pubsub().subscribe_pattern::<u32>("*").await.unwrap();
    let mut one = here.pubsub().subscribe::<u32>("env").await.unwrap();
    elsewhere.pubsub().publish("env", &1).await.unwrap();
    fence(&elsewhere).await;
    here.pubsub().publish("env", &2).await.unwrap();
    assert_eq!(message(&mut all).await, 2);
    assert_eq!(message(&mut one).await, 2);
}

async fn what_is_no_message_of_the_type_is_told_without_its_contents(store: Store) {
    let here = store.runtime().await;
    let mut orders = here.pubsub().subscribe::<Order>("orders").await.unwrap();
    here.pubsub().publish("orders", "hunter2").await.unwrap();
    here.pubsub().publish_bytes("orders", b"").await.unwrap();
    for expected in [8, 0] {
        let event = next(&mut orders).await;
        let text = format!("{event:?}");
        match event {
            Event::Undecodable { channel, bytes, .. } => {
                assert_eq!((channel.as_str(), bytes), ("orders", expected));
            }
            other => panic!("{other:?}"),
        }
        assert!(!text.contains("hunter2"), "{text}");
    }
    // What is heard is not shown either.
    let mut texts = here.pubsub().subscribe::<String>("texts").await.unwrap();
    here.pubsub().publish("texts", "hunter2").await.unwrap();
    let text = format!("{:?} {texts:?}", next(&mut texts).await);
    assert!(
        text.contains("texts") && !text.contains("hunter2"),
        "{text}"
    );
    // It goes on afterwards.
    let order = Order { id: 1, note: None };
    here.pubsub().publish("orders", &order).await.unwrap();
    assert_eq!(message(&mut orders).await, order);
}

async fn names_that_cannot_be_used_are_refused(store: Store) {
    let pubsub = store.runtime().await.pubsub();
    let long = "x".repeat(1025);
    for name in ["", "lock:a", "limit:a", "session:a", "stream:{a}", &long] {
        let refusals = [
            pubsub.publish(name, &1).await.err(),
            pubsub.publish_sharded(name, &1).await.err(),
            pubsub.subscribe::<u8>(name).await.err(),
            pubsub.subscribe_pattern::<u8>(name).await.err(),
            pubsub.subscribe_sharded::<u8>(name).await.err(),
        ];
        for refusal in refusals {
            assert_eq!(refusal.unwrap().kind(), ErrorKind::Argument, "{name}");
        }
    }
    let nothing = pubsub.subscriber().capacity(0).overflow(Overflow::Close);
    let refusal = nothing.subscribe::<u8>("a").await.unwrap_err();
    assert_eq!(refusal.kind(), ErrorKind::Argument);
}

/// As other crates see it.
async fn a_stream_is_a_stream(store: Store) {
    use futures_core::Stream;
    use std::future::poll_fn;
    use std::pin::Pin;

    let here = store.runtime().await;
    let mut subscription = here.pubsub().subscribe::<u32>("stream").await.unwrap();
    here.pubsub().publish("stream", &5).await.unwrap();
    let mut next = async || poll_fn(|cx| Pin::new(&mut subscription).poll_next(cx)).await;
    match next().await {
        Some(Event::Message { message, .. }) => assert_eq!(message, 5),
        other => panic!("{other:?}"),
    }
    subscription.quit().await;
    assert!(subscription.next().await.is_none());
}
