//! The stream, over the embedded store: when it samples, and when it ends.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use futures_core::Stream;
use tokio::time::{Instant, advance, timeout};

use crate::{ManualClock, Monitor, Policy, Runtime};

const SECOND: Duration = Duration::from_secs(1);

async fn read(runtime: &Runtime, key: &str) {
    let policy = Policy::new(60 * SECOND);
    let load = async || Ok::<_, ()>(6);
    assert_eq!(runtime.cache().get_or_load(key, policy, load).await, Ok(6));
}

async fn next(monitor: &mut Monitor) -> crate::Stats {
    monitor.next().await.expect("it goes on")
}

#[tokio::test(start_paused = true)]
async fn the_first_comes_at_once_and_the_others_at_the_interval() {
    let clock = ManualClock::new();
    let runtime = Runtime::builder().clock(&clock).build().await.unwrap();
    let mut monitor = runtime.monitor(10 * SECOND);
    let began = Instant::now();
    assert_eq!(next(&mut monitor).await.interval, None);
    assert_eq!(began.elapsed(), Duration::ZERO);
    clock.advance(7 * SECOND);
    // By the clock of the cache, which a test moves as it likes.
    assert_eq!(next(&mut monitor).await.interval, Some(7 * SECOND));
    assert!(began.elapsed() >= 10 * SECOND && began.elapsed() < 11 * SECOND);
    assert_eq!(next(&mut monitor).await.interval, Some(Duration::ZERO));
    assert!(began.elapsed() >= 20 * SECOND && began.elapsed() < 21 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_is_late_gets_the_present_figures_and_no_burst() {
    let runtime = Runtime::embedded();
    let mut monitor = runtime.monitor(SECOND);
    next(&mut monitor).await;
    advance(60 * SECOND).await;
    read(&runtime, "key").await;
    let began = Instant::now();
    let stats = next(&mut monitor).await;
    assert_eq!(stats.cache.recent.unwrap().total().reads(), 1);
    assert_eq!(began.elapsed(), Duration::ZERO, "it was due long ago");
    next(&mut monitor).await;
    assert!(began.elapsed() >= SECOND, "the one after waits as ever");
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_gives_up_waiting_loses_nothing() {
    let runtime = Runtime::embedded();
    let mut monitor = runtime.monitor(10 * SECOND);
    next(&mut monitor).await;
    let began = Instant::now();
    for _ in 0..9 {
        assert!(timeout(SECOND, monitor.next()).await.is_err());
    }
    next(&mut monitor).await;
    assert!(
        began.elapsed() < 11 * SECOND,
        "the time that was waited counts"
    );
}

#[tokio::test]
async fn it_is_a_stream() {
    let mut monitor = Runtime::embedded().monitor(Duration::ZERO);
    for _ in 0..3 {
        let stats = poll_fn(|context| Pin::new(&mut monitor).poll_next(context)).await;
        assert!(stats.expect("it goes on").is_available());
    }
    monitor.stop();
    assert!(
        poll_fn(|context| Pin::new(&mut monitor).poll_next(context))
            .await
            .is_none()
    );
}

#[tokio::test]
async fn a_shutdown_ends_those_that_are_there() {
    let runtime = Runtime::embedded();
    let mut monitor = runtime.monitor(3600 * SECOND);
    next(&mut monitor).await;
    let waits = tokio::spawn(async move { monitor.next().await.is_none() });
    tokio::task::yield_now().await;
    runtime.shutdown(SECOND).await;
    let ended = timeout(30 * SECOND, waits).await;
    assert!(ended.expect("it ends at once").expect("it does not panic"));
    // The embedded store stays usable, and so do those that begin afterwards.
    next(&mut runtime.monitor(SECOND)).await;
}

#[tokio::test(start_paused = true)]
async fn the_longest_interval_is_no_panic() {
    let mut monitor = Runtime::embedded().monitor(Duration::MAX);
    next(&mut monitor).await;
    assert!(timeout(3600 * SECOND, monitor.next()).await.is_err());
}

/// Nothing here may block or panic where there is no Tokio.
#[test]
fn outside_of_tokio_it_ends() {
    let mut monitor = Runtime::embedded().monitor(SECOND);
    let mut polled = None;
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    for _ in 0..2 {
        polled = Some(Pin::new(&mut monitor).poll_next(&mut context));
    }
    assert!(matches!(polled, Some(Poll::Ready(None))));
    drop(monitor);
}
