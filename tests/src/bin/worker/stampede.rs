//! Many callers of one cold key.

use std::collections::BTreeSet;
use std::error::Error;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cacheable_runtime::{Policy, Runtime};
use cacheable_tests::monotonic;

/// Answers with how many loads there were here, when the first caller asked
/// and the last one was answered, and what they were told.
pub(crate) async fn run(
    runtime: &Runtime,
    key: &str,
    callers: u64,
    pause: u64,
) -> Result<String, Box<dyn Error>> {
    let loads = Arc::new(AtomicU64::new(0));
    let began = monotonic();
    let calls: Vec<_> = (0..callers)
        .map(|_| {
            let (cache, loads) = (runtime.cache(), Arc::clone(&loads));
            let key = key.to_owned();
            tokio::spawn(async move {
                let load = async || {
                    let load = loads.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                    Ok::<_, ()>(format!("{}.{load}", process::id()))
                };
                let policy = Policy::new(Duration::from_secs(600));
                cache.get_or_load(key, policy, load).await
            })
        })
        .collect();
    let mut values = BTreeSet::new();
    for call in calls {
        values.insert(call.await?.map_err(|()| "a load failed")?);
    }
    let (loads, ended) = (loads.load(Ordering::SeqCst), monotonic());
    let values = values.into_iter().collect::<Vec<_>>().join(",");
    Ok(format!(
        "loads={loads} began={} ended={} values={values}",
        began.as_micros(),
        ended.as_micros(),
    ))
}
