//! Streams that a server does not let be read or written.

use cacheable_runtime::{ErrorKind, MessageId, StartAt};
use cacheable_tests::store::PATIENCE;
use cacheable_tests::{RedisServer, Store};
use tokio::time::timeout;

use super::{kept, on, read};

crate::on_every_store!(an_id_that_no_message_can_follow_is_gone_on_from);

/// Nothing can come after it, so the stream that is there is another one.
async fn an_id_that_no_message_can_follow_is_gone_on_from(store: Store) {
    let stream = store.runtime().await.pubsub().durable("last");
    stream.publish(&1).await.unwrap();
    let last: MessageId = format!("{0}-{0}", u64::MAX).parse().unwrap();
    let mut reader = stream.subscribe::<u32>(StartAt::After(last)).await.unwrap();
    assert!(format!("{:?}", read(&mut reader).await).starts_with("Gap"));
    assert_eq!(kept(&mut reader).await, 1);
}

/// Wherever it is to begin: nobody waits for what will never come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_cannot_be_read_is_refused() {
    let server = RedisServer::start();
    let runtime = on(&server.url()).await;
    server.command::<()>(&["SET", "stream:{text}", "hunter2"]);
    server.command::<String>(&["XADD", "stream:{other}", "*", "field", "hunter2"]);
    let first: MessageId = "1-1".parse().unwrap();
    for name in ["text", "other"] {
        let stream = runtime.pubsub().durable(name);
        for start in [StartAt::Now, StartAt::Beginning, StartAt::After(first)] {
            let refused = stream.subscribe::<u8>(start).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Server, "{name} {start:?}");
            assert!(refused.to_string().contains("another program"), "{refused}");
        }
    }
}

/// What has become unreadable ends the subscription, and says why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_can_be_read_no_more_ends() {
    let server = RedisServer::start();
    let runtime = on(&server.url()).await;
    let stream = runtime.pubsub().durable("spoilt");
    let mut reader = stream.subscribe::<u32>(StartAt::Now).await.unwrap();
    stream.publish(&1).await.unwrap();
    assert_eq!(kept(&mut reader).await, 1);
    server.command::<String>(&["XADD", "stream:{spoilt}", "*", "field", "hunter2"]);
    let event = timeout(PATIENCE, reader.next()).await;
    assert!(event.expect("it ends").is_none());
    let reason = reader.reason().expect("it did not end by itself");
    assert_eq!(reason.kind(), ErrorKind::Server);
    assert!(!format!("{reason:?}").contains("hunter2"));
}

/// A right that is taken away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_may_read_no_more_is_told() {
    let server = RedisServer::start();
    let user = ["ACL", "SETUSER", "app", "on", ">pw", "~*", "&*", "+@all"];
    server.command::<()>(&user);
    let url = format!("redis://app:pw@127.0.0.1:{}/0", server.port());
    let runtime = on(&url).await;
    let stream = runtime.pubsub().durable("denied");
    let mut reader = stream.subscribe::<u32>(StartAt::Now).await.unwrap();
    stream.publish(&1).await.unwrap();
    assert_eq!(kept(&mut reader).await, 1);
    server.command::<()>(&["ACL", "SETUSER", "app", "-xrange"]);
    stream.publish(&2).await.unwrap();
    let event = timeout(PATIENCE, reader.next()).await;
    assert!(event.expect("it ends").is_none());
    let reason = reader.reason().expect("the server refuses it");
    assert!(reason.to_string().starts_with("NOPERM"), "{reason}");
    let start = StartAt::Beginning;
    let refused = stream.subscribe::<u32>(start).await.unwrap_err();
    assert!(refused.to_string().starts_with("NOPERM"), "{refused}");
}

/// An error means that nothing was kept: whoever publishes once more would
/// publish twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_rung_for_is_not_kept() {
    let server = RedisServer::start();
    let user = ["ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all"];
    server.command::<()>(&[&user[..], &["resetchannels"]].concat());
    let url = format!("redis://app:pw@127.0.0.1:{}/0", server.port());
    let runtime = on(&url).await;
    let error = runtime.pubsub().durable("mute").publish(&1).await;
    assert!(error.unwrap_err().to_string().starts_with("NOPERM"));
    let length: u64 = server.command(&["XLEN", "stream:{mute}"]);
    assert_eq!(length, 0);
}
