//! Messages that are kept.

use std::time::Duration;

use cacheable_runtime::{DurableEvent, ErrorKind, MessageId, StartAt};
use cacheable_tests::Store;
use cacheable_tests::store::PATIENCE;
use tokio::time::timeout;

use super::{kept, read};

crate::on_every_store!(
    a_subscriber_begins_where_it_says,
    messages_come_in_the_order_of_their_ids_from_many_publishers,
    one_that_was_away_reads_on_where_it_was,
    p5_what_is_not_kept_any_more_is_told_before_what_is,
    a_stream_that_was_begun_anew_is_told,
    a_reader_who_is_slow_loses_nothing_that_is_kept,
    any_bytes_are_kept,
    what_is_no_message_of_the_type_is_told_with_its_id,
    streams_that_cannot_be_used_are_refused,
    a_future_that_is_dropped_takes_no_message_along,
);

async fn a_subscriber_begins_where_it_says(store: Store) {
    let here = store.runtime().await;
    let there = store.beside(&here).await;
    let (here, there) = (
        here.pubsub().durable("begins"),
        there.pubsub().durable("begins"),
    );
    // Before there is a stream, too.
    let mut early = here.subscribe::<u32>(StartAt::Now).await.unwrap();
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(there.publish(&number).await.unwrap());
    }
    let mut now = here.subscribe::<u32>(StartAt::Now).await.unwrap();
    let mut all = here.subscribe::<u32>(StartAt::Beginning).await.unwrap();
    let mut some = here.subscribe::<u32>(StartAt::After(ids[2])).await.unwrap();
    ids.push(there.publish(&5).await.unwrap());
    for number in 0..6 {
        assert_eq!(kept(&mut early).await, number);
        match read(&mut all).await {
            DurableEvent::Message { id, message, .. } => {
                assert_eq!((id, message), (ids[number as usize], number));
            }
            other => panic!("{other:?}"),
        }
    }
    for number in 3..6 {
        assert_eq!(kept(&mut some).await, number);
    }
    assert_eq!(kept(&mut now).await, 5);
    now.quit().await;
    now.quit().await;
    assert!(now.next().await.is_none() && now.reason().is_none());
}

async fn messages_come_in_the_order_of_their_ids_from_many_publishers(store: Store) {
    const PUBLISHERS: u32 = 4;
    const EACH: u32 = 200;
    let here = store.runtime().await;
    let mut readers = Vec::new();
    for _ in 0..2 {
        let stream = here.pubsub().durable("many");
        readers.push(stream.subscribe::<(u32, u32)>(StartAt::Now).await.unwrap());
    }
    let mut publishers = tokio::task::JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let stream = store.beside(&here).await.pubsub().durable("many");
        publishers.spawn(async move {
            for number in 0..EACH {
                stream.publish(&(publisher, number)).await.unwrap();
            }
        });
    }
    let mut orders = Vec::new();
    for reader in &mut readers {
        let (mut order, mut last) = (Vec::new(), None);
        let mut each = [0; PUBLISHERS as usize];
        for _ in 0..PUBLISHERS * EACH {
            match read(reader).await {
                DurableEvent::Message { id, message, .. } => {
                    assert!(Some(id) > last);
                    last = Some(id);
                    // Those of one publisher are in its order.
                    let (publisher, number) = message;
                    assert_eq!(each[publisher as usize], number);
                    each[publisher as usize] += 1;
                    order.push(message);
                }
                other => panic!("{other:?}"),
            }
        }
        orders.push(order);
    }
    assert_eq!(orders[0], orders[1]);
    publishers.join_all().await;
}

async fn one_that_was_away_reads_on_where_it_was(store: Store) {
    let here = store.runtime().await;
    let stream = here.pubsub().durable("away");
    let mut consumer = stream.subscribe::<u32>(StartAt::Now).await.unwrap();
    let mut handled: Option<String> = None;
    let mut expected = 0;
    for turn in 0..3 {
        for number in turn * 10..turn * 10 + 10 {
            stream.publish(&number).await.unwrap();
        }
        // It handles some, and keeps the id of the last one as text.
        for _ in 0..5 {
            match read(&mut consumer).await {
                DurableEvent::Message { id, message, .. } => {
                    assert_eq!(message, expected);
                    expected += 1;
                    handled = Some(id.to_string());
                }
                other => panic!("{other:?}"),
            }
        }
        let id: MessageId = handled.take().unwrap().parse().unwrap();
        drop(consumer);
        consumer = stream.subscribe(StartAt::After(id)).await.unwrap();
    }
    for number in expected..30 {
        assert_eq!(kept(&mut consumer).await, number);
    }
}

/// P5
async fn p5_what_is_not_kept_any_more_is_told_before_what_is(store: Store) {
    let here = store.runtime().await;
    let stream = here.pubsub().durable("trimmed").max_len(10);
    let first = stream.publish(&0_u32).await.unwrap();
    for number in 1..1000_u32 {
        stream.publish(&number).await.unwrap();
    }
    let mut consumer = stream
        .subscribe::<u32>(StartAt::After(first))
        .await
        .unwrap();
    let DurableEvent::Gap {
        after,
        before,
        lost,
        ..
    } = read(&mut consumer).await
    else {
        panic!("messages are missing");
    };
    assert_eq!(after, Some(first));
    let lost = u32::try_from(lost.expect("it is known")).unwrap();
    // A server keeps some more than it has to.
    assert!((700..=989).contains(&lost), "{lost}");
    match read(&mut consumer).await {
        DurableEvent::Message { id, message, .. } => {
            assert_eq!((id, message), (before, lost + 1));
        }
        other => panic!("{other:?}"),
    }
    for number in lost + 2..1000 {
        assert_eq!(kept(&mut consumer).await, number);
    }
    // Whoever begins at the oldest has lost nothing.
    let mut all = stream.subscribe::<u32>(StartAt::Beginning).await.unwrap();
    assert_eq!(kept(&mut all).await, lost + 1);
}

/// X5 for messages: what was kept is gone, as after `FLUSHALL`.
async fn a_stream_that_was_begun_anew_is_told(store: Store) {
    let (here, time) = store.timed().await;
    // All is read in that time, on a busy machine, too.
    let ttl = Duration::from_secs(3);
    let stream = here.pubsub().durable("anew").ttl(ttl);
    let mut live = stream.subscribe::<u32>(StartAt::Now).await.unwrap();
    let mut last = stream.publish(&0).await.unwrap();
    for number in 1..5 {
        last = stream.publish(&number).await.unwrap();
    }
    for number in 0..5 {
        assert_eq!(kept(&mut live).await, number);
    }
    time.pass(ttl).await;
    let next = stream.publish(&5).await.unwrap();
    assert!(next > last);
    let mut resumed = stream.subscribe::<u32>(StartAt::After(last)).await.unwrap();
    for consumer in [&mut live, &mut resumed] {
        match read(consumer).await {
            DurableEvent::Gap {
                after,
                before,
                lost,
                ..
            } => assert_eq!((after, before, lost), (Some(last), next, None)),
            other => panic!("{other:?}"),
        }
        assert_eq!(kept(consumer).await, 5);
    }
}

async fn a_reader_who_is_slow_loses_nothing_that_is_kept(store: Store) {
    let here = store.runtime().await;
    let stream = here.pubsub().durable("slow");
    let mut reader = stream.subscribe::<u32>(StartAt::Now).await.unwrap();
    for number in 0..3000 {
        stream.publish(&number).await.unwrap();
    }
    for number in 0..3000 {
        assert_eq!(kept(&mut reader).await, number);
    }
}

async fn any_bytes_are_kept(store: Store) {
    let here = store.runtime().await;
    let stream = here.pubsub().durable("bytes {of} any\0kind");
    let mut reader = stream.subscribe_bytes(StartAt::Now).await.unwrap();
    let large = vec![0xff; 10 << 20];
    for payload in [&b""[..], b"\0", b"\xff\xfe\r\n", &large] {
        stream.publish_bytes(payload).await.unwrap();
        assert!(kept(&mut reader).await == payload);
    }
}

async fn what_is_no_message_of_the_type_is_told_with_its_id(store: Store) {
    let here = store.runtime().await;
    let stream = here.pubsub().durable("typed");
    let mut reader = stream.subscribe::<u32>(StartAt::Now).await.unwrap();
    let sent = stream.publish("hunter2").await.unwrap();
    stream.publish(&1).await.unwrap();
    let event = read(&mut reader).await;
    let text = format!("{event:?} {reader:?} {stream:?}");
    assert!(!text.contains("hunter2"), "{text}");
    match event {
        DurableEvent::Undecodable { id, bytes, .. } => assert_eq!((id, bytes), (sent, 8)),
        other => panic!("{other:?}"),
    }
    assert_eq!(kept(&mut reader).await, 1);
}

async fn streams_that_cannot_be_used_are_refused(store: Store) {
    let pubsub = store.runtime().await.pubsub();
    let unnamed = pubsub.durable("");
    let refused = unnamed.subscribe::<u8>(StartAt::Now).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Argument);
    let year = Duration::from_secs(365 * 24 * 3600);
    for stream in [
        unnamed,
        pubsub.durable("none").max_len(0),
        pubsub.durable("none").ttl(Duration::ZERO),
        pubsub.durable("none").ttl(year * 11),
    ] {
        let refused = stream.publish(&1).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Argument, "{stream:?}");
    }
    let most = pubsub.durable("most").ttl(year * 10).max_len(u64::MAX >> 1);
    most.publish(&1).await.unwrap();
}

async fn a_future_that_is_dropped_takes_no_message_along(store: Store) {
    let here = store.runtime().await;
    let stream = here.pubsub().durable("cancelled");
    let mut reader = stream.subscribe::<u32>(StartAt::Now).await.unwrap();
    let publisher = tokio::spawn(async move {
        for number in 0..300 {
            stream.publish(&number).await.unwrap();
        }
    });
    let mut expected = 0;
    let all = async {
        while expected < 300 {
            let short = Duration::from_micros(100);
            match timeout(short, reader.next()).await {
                Err(_) => {}
                Ok(Some(DurableEvent::Message { message, .. })) => {
                    assert_eq!(message, expected);
                    expected += 1;
                }
                Ok(other) => panic!("{other:?}"),
            }
        }
    };
    timeout(PATIENCE, all).await.expect("all come in time");
    publisher.await.unwrap();
}
