//! How old a value may get and how long a load may take, literal and computed, in every
//! shape of function; a refresh is `inline` here.

#![deny(warnings)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use cacheable_runtime::{Runtime, cacheable};

const WINDOW: Duration = Duration::from_secs(600);

#[derive(Clone, Debug, PartialEq)]
enum Failure {
    Late(String),
}

type ApiResult<T> = Result<T, Failure>;

#[cacheable(
    ttl = 60,
    key_prefix = "fresh",
    stale_while_revalidate = "10m",
    stale_if_error = 60 * 60,
    retry_after = "500ms",
    refresh_ahead = 0.8,
    refresh = "inline",
    load_timeout = 2,
    timeout_error = Failure::Late(name.to_owned()),
)]
async fn literal(name: &str) -> Result<String, Failure> {
    Ok(name.to_owned())
}

#[cacheable(
    ttl = WINDOW,
    key_prefix = "fresh",
    stale_while_revalidate = window(id),
    stale_if_error = WINDOW,
    retry_after = if id > 1 { WINDOW } else { window(id) },
    load_timeout = WINDOW,
    beta = 1,
    refresh = "inline",
    unless = |value| value.is_empty(),
    tags = ["value:{value}"],
)]
pub async fn computed(id: u64, name: String) -> Option<String> {
    (id > 0).then_some(name)
}

const fn window(id: u64) -> Duration {
    Duration::from_millis(id)
}

/// `Result` under another name, and the error made of what is copied.
#[cacheable(ttl = 60, key_prefix = "fresh", load_timeout = "1s", timeout_error = late(id))]
async fn alias(id: u64, name: String) -> ApiResult<Option<Arc<String>>> {
    Ok((id > 0).then(|| Arc::new(name)))
}

fn late(id: u64) -> Failure {
    Failure::Late(id.to_string())
}

#[cacheable(ttl = 60, key_prefix = "fresh", load_timeout = "1s", when = id > 0)]
async fn shared<T: Default + Send>(id: u64) -> Option<Arc<u64>> {
    drop(T::default());
    Some(Arc::new(id))
}

#[cacheable(ttl = 60, key_prefix = "fresh", stale_if_error = "1h", retry_after = 5)]
async fn plain(id: u64) -> u64 {
    id
}

struct Service {
    window: Duration,
}

impl Service {
    #[cacheable(
        ttl = self.window,
        key_prefix = "fresh",
        stale_if_error = self.window,
        beta = 0.5,
        load_timeout = self.window,
        timeout_error = Failure::Late(format!("{:?}", self.window)),
    )]
    pub async fn by_reference(&self, name: &str) -> Result<String, Failure> {
        Ok(name.to_owned())
    }
}

#[async_trait]
trait Load {
    async fn load(&self, name: &str) -> Result<String, Failure>;
}

#[async_trait]
impl Load for Service {
    #[cacheable(
        ttl = 60,
        key_prefix = "fresh",
        stale_while_revalidate = self.window,
        refresh_ahead = 0.5,
        load_timeout = "1s",
        timeout_error = Failure::Late(name.to_owned()),
    )]
    async fn load(&self, name: &str) -> Result<String, Failure> {
        Ok(name.to_owned())
    }
}

trait Find {
    fn find(&self, id: u64) -> impl Future<Output = Option<u64>> + Send;
}

impl Find for Service {
    #[cacheable(
        ttl = 60,
        key_prefix = "fresh",
        stale_while_revalidate = 5,
        load_timeout = 1
    )]
    async fn find(&self, id: u64) -> Option<u64> {
        Some(id)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Runtime::embedded().install().unwrap();
    let service = Service { window: WINDOW };
    let name = || "a".to_owned();
    for _ in 0..2 {
        assert_eq!(literal("a").await, Ok(name()));
        assert_eq!(computed(1, name()).await, Some(name()));
        assert_eq!(alias(1, name()).await, Ok(Some(Arc::new(name()))));
        assert_eq!(shared::<u8>(1).await, Some(Arc::new(1)));
        assert_eq!(plain(1).await, 1);
        assert_eq!(service.by_reference("a").await, Ok(name()));
        assert_eq!(service.load("a").await, Ok(name()));
        assert_eq!(service.find(1).await, Some(1));
    }
    let _ = (computed_key(1, name()), service.by_reference_key("a"));
}
