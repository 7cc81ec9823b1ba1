//! M9: what is exported has a label for each method, and none for a key.

use std::time::Duration;

use metrics_util::debugging::DebuggingRecorder;

use crate::Runtime;

const KEYS: usize = 100_000;

#[test]
fn a_hundred_thousand_keys_make_no_series_of_their_own() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let life = Duration::from_secs(60);
    let series = metrics::with_local_recorder(&recorder, || {
        tokio.block_on(async {
            let runtime = Runtime::embedded();
            let cache = runtime.cache();
            let mut seen = Vec::new();
            for key in 0..KEYS {
                // A key that is set, one that is not there, and one that goes.
                let name = format!("user:{key}:channel:{key}");
                cache.set(&name, &key, life).await.expect("it can be kept");
                let read = cache.get::<usize>(&name).await;
                assert_eq!(read.expect("it can be read"), Some(key));
                if key == 100 || key + 1 == KEYS {
                    runtime.stats().await.expect("there is no server");
                    seen.push(snapshotter.snapshot().into_vec().len());
                }
            }
            seen
        })
    });
    assert!(series[0] > 0, "something is exported");
    assert_eq!(series[0], series[1], "the number of series stays");
}
