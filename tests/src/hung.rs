//! A load that does not end.

use std::time::Duration;

use cacheable_runtime::{Cache, Policy};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A call whose body has begun, and does not end.
pub async fn hung_load(cache: &Cache, key: impl Into<String>) -> JoinHandle<Result<u64, ()>> {
    let (cache, key) = (cache.clone(), key.into());
    let (begun, has_begun) = oneshot::channel();
    let call = tokio::spawn(async move {
        let load = async move || {
            begun.send(()).expect("it is waited for");
            std::future::pending().await
        };
        let policy = Policy::new(Duration::from_secs(600));
        cache.get_or_load(key, policy, load).await
    });
    has_begun.await.expect("the body is run");
    call
}
