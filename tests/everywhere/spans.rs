//! The spans of a call, in a binary of their own: a call on a thread that has no
//! subscriber can make tracing forget the span for a thread that has one.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cacheable_runtime::{Builder, Policy, Runtime};
use tracing::Instrument as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// One test at a time, for the same reason.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The spans of one load and two hits, in the order in which they end, up to a
/// level. The caller has a span, too, with a field that ours have.
async fn spans(builder: Builder, level: LevelFilter) -> Vec<String> {
    let _alone = ALONE.lock().await;
    let cache = builder.build().await.unwrap().cache();
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_max_level(level)
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .without_time()
        .finish();
    let taking = subscriber.set_default();
    for _ in 0..3 {
        let policy = Policy::new(Duration::from_secs(60));
        let load = async || Ok::<_, ()>(6);
        let caller = tracing::info_span!("cacheable.caller", outcome = tracing::field::Empty);
        let call = cache.get_or_load("six", policy, load).instrument(caller);
        assert_eq!(call.await, Ok(6));
    }
    drop(taking);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let spans = text.lines().filter_map(|line| {
        let (_, rest) = line.split_once("cacheable.")?;
        // Ours stand behind the caller's, after a colon.
        let rest = rest.strip_prefix("caller:cacheable.").unwrap_or(rest);
        let end = rest.find(['}', ':']).unwrap();
        Some(rest[..end].to_owned())
    });
    spans.collect()
}

#[tokio::test]
async fn a_load_is_a_look_and_a_body_and_a_local_hit_is_neither() {
    let seen = spans(Runtime::builder(), LevelFilter::DEBUG).await;
    assert_eq!(
        seen,
        [
            "find{method=\"cache\"",
            "load{method=\"cache\"",
            "caller",
            "caller",
            "caller"
        ],
        "no key and no argument is in a span"
    );
}

#[tokio::test]
async fn a_look_says_what_it_found() {
    let seen = spans(Runtime::builder().local_capacity(0), LevelFilter::DEBUG).await;
    let hit = ["find{method=\"cache\" outcome=\"hit_remote\"", "caller"];
    assert_eq!(seen[3..], [hit, hit].concat());
}

#[tokio::test]
async fn a_span_of_the_caller_is_left_alone_where_ours_is_not_wanted() {
    let seen = spans(Runtime::builder().local_capacity(0), LevelFilter::INFO).await;
    assert_eq!(seen, ["caller"; 3]);
}
