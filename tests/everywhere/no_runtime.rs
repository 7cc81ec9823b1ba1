//! Annotated methods in a process that installs its runtime late.

use std::sync::atomic::{AtomicU64, Ordering};

use cacheable_runtime::{ErrorKind, Runtime, cache_invalidate, cache_put, cacheable};
use cacheable_tests::Log;

static LOADS: AtomicU64 = AtomicU64::new(0);

#[cacheable(ttl = 60, key_prefix = "number", key_fn)]
async fn number(id: u64) -> Result<u64, String> {
    LOADS.fetch_add(1, Ordering::SeqCst);
    if id == 0 {
        Err("none".to_owned())
    } else {
        Ok(id)
    }
}

#[cache_invalidate("cache:number:*", method(number(id)))]
async fn change(id: u64) -> Option<u64> {
    Some(id)
}

#[cache_put(method(number(id)))]
async fn put(id: u64) -> Result<u64, String> {
    Ok(id + 1)
}

// One test: what is installed stays so until the process ends.
#[tokio::test]
async fn methods_run_uncached_until_a_runtime_is_installed() {
    let (log, taking) = Log::of_this_thread();
    assert!(Runtime::global().is_none());
    for loads in 1..=5 {
        assert_eq!(number(7).await, Ok(7));
        assert_eq!(LOADS.load(Ordering::SeqCst), loads, "it was cached");
    }
    assert!(number(0).await.is_err());
    assert_eq!(change(7).await, Some(7));
    assert_eq!(put(7).await, Ok(8));
    let said = log.text();
    let warnings: Vec<_> = said.lines().collect();
    assert_eq!(warnings.len(), 1, "it is said once: {said}");
    assert!(warnings[0].contains("WARN"), "{said}");
    assert!(
        warnings[0].contains("Runtime::from_env().await?.install()?"),
        "{said}"
    );
    drop(taking);

    let runtime = Runtime::embedded();
    runtime.install().unwrap();
    let loads = LOADS.load(Ordering::SeqCst);
    for _ in 0..5 {
        assert_eq!(number(7).await, Ok(7));
    }
    assert_eq!(LOADS.load(Ordering::SeqCst), loads + 1);
    assert_eq!(runtime.observe().method("number.number").loads, 1);

    // A second one changes nothing.
    for late in [Runtime::embedded(), runtime] {
        let error = late.install().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyInstalled);
        assert!(error.to_string().contains("`runtime = …`"), "{error}");
    }
    let global = Runtime::global().unwrap();
    assert_eq!(global.observe().method("number.number").hits_local, 4);
    assert_eq!(change(7).await, Some(7));
    assert_eq!(number(7).await, Ok(7));
    assert_eq!(LOADS.load(Ordering::SeqCst), loads + 2);
    assert_eq!(put(7).await, Ok(8));
    assert_eq!(number(7).await, Ok(8));
    assert_eq!(LOADS.load(Ordering::SeqCst), loads + 2);
}
