//! What is exported.

use std::time::Duration;

use crate::{Policy, Runtime};

/// One load and two hits of the handle.
async fn three_calls(runtime: &Runtime) {
    let cache = runtime.cache();
    for _ in 0..3 {
        let policy = Policy::new(Duration::from_secs(60));
        let load = async || Ok::<_, ()>(6);
        assert_eq!(cache.get_or_load("six", policy, load).await, Ok(6));
    }
}

fn block_on(future: impl Future<Output = ()>) {
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    tokio.expect("a runtime can be built").block_on(future);
}

#[test]
fn counters_and_load_times_are_exported() {
    use metrics_util::debugging::{DebugValue, DebuggingRecorder};

    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    metrics::with_local_recorder(&recorder, || {
        block_on(async { three_calls(&Runtime::embedded()).await });
    });
    let mut seen = Vec::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let labels: Vec<_> = key
            .key()
            .labels()
            .map(|l| (l.key().to_owned(), l.value().to_owned()))
            .collect();
        // Static ones alone: no key, no argument.
        assert_eq!(labels, [("method".to_owned(), "cache".to_owned())]);
        match value {
            DebugValue::Counter(0) => {}
            DebugValue::Counter(count) => seen.push(format!("{} {count}", key.key().name())),
            DebugValue::Histogram(times) => {
                seen.push(format!("{} {}", key.key().name(), times.len()));
            }
            DebugValue::Gauge(_) => panic!("there are no gauges"),
        }
    }
    seen.sort();
    assert_eq!(
        seen,
        [
            "cacheable_hits_local_total 2",
            "cacheable_load_seconds 1",
            "cacheable_loads_total 1",
            "cacheable_misses_total 1",
        ]
    );
}
