//! Who loads a value again: the body by itself, a function beside the method, a caller.

#![deny(warnings)]

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use async_trait::async_trait;
use cacheable_runtime::{Runtime, cacheable};

type Values = Result<Vec<u8>, String>;

// A function whose signature borrows nothing: the body outlives its caller.

#[cacheable(ttl = 60, key_prefix = "refresh", stale_while_revalidate = "10m")]
async fn owned(id: u64, name: String) -> String {
    tokio::task::yield_now().await;
    format!("{id}{name}")
}

#[cacheable(
    ttl = 60,
    key_prefix = "refresh",
    refresh_ahead = 0.5,
    unless = |name| name.len() as u64 > limit,
    tags = ["name:{value}", "limit:{limit}"],
    load_timeout = 1,
    timeout_error = Late(limit),
)]
pub async fn everything(
    limit: u64,
    _unused: &'static str,
    maybe: Option<String>,
) -> Result<Arc<String>, Late> {
    Ok(Arc::new(maybe.unwrap_or_default()))
}

#[derive(Debug)]
pub struct Late(pub u64);

#[cacheable(ttl = 60, key_prefix = "refresh", beta = 1.0, unless = Vec::is_empty)]
fn returned(id: u8) -> impl Future<Output = Vec<u8>> + Send {
    async move { vec![id] }
}

#[cacheable(ttl = 60, key_prefix = "refresh", beta = 1.0, skip(_object))]
async fn constant<const N: usize>(id: u64, _object: Box<dyn Fn() + Send + 'static>) -> usize {
    N + id as usize
}

/// What does not show that it can wait elsewhere need not.
#[cacheable(ttl = 60, key_prefix = "refresh", stale_while_revalidate = 5, skip(object))]
async fn object(object: Box<dyn Fn() -> u8>) -> u8 {
    object()
}

#[cacheable(ttl = 60, key_prefix = "refresh", stale_while_revalidate = 5, refresh = "inline")]
async fn local(id: u64) -> u64 {
    let kept = Rc::new(Cell::new(id));
    tokio::task::yield_now().await;
    kept.get()
}

#[cacheable(ttl = 60, key_prefix = "refresh", stale_while_revalidate = 5)]
async fn generic<T: AsRef<str> + serde::Serialize>(name: T) -> String {
    let kept = Rc::new(name);
    tokio::task::yield_now().await;
    (*kept).as_ref().to_owned()
}

// Where it is asked for.

#[cacheable(ttl = 60, key_prefix = "refresh", stale_while_revalidate = 5, refresh = "background")]
async fn generic_owned<T: serde::Serialize + ToString + Send + 'static>(id: T) -> String {
    tokio::task::yield_now().await;
    id.to_string()
}

#[cacheable(ttl = 60, key_prefix = "refresh", stale_while_revalidate = 5, refresh = "background")]
async fn hidden(name: impl Into<String> + serde::Serialize + Send + 'static) -> String {
    name.into()
}

#[must_use]
#[cacheable(ttl = 60, key_prefix = "refresh", stale_while_revalidate = 5, refresh = "background")]
pub async fn borrowed<'a>(mut _id: &'a str, list: &[u8], r#type: &'a Vec<u8>, n: u64) -> Values {
    tokio::task::yield_now().await;
    _id = "b";
    Ok([list, r#type, _id.as_bytes(), &[n as u8]].concat())
}

mod inner {
    pub(super) async fn within(id: &str) -> String {
        #[super::cacheable(
            ttl = 60,
            key_prefix = "refresh",
            stale_while_revalidate = 5,
            refresh = "background"
        )]
        async fn nested<T: Default + Send + 'static, const N: usize>(id: &str) -> String {
            drop(T::default());
            format!("{id}{N}")
        }
        nested::<u8, 3>(id).await
    }
}

#[derive(Clone)]
pub struct Service {
    tenant: String,
}

impl Service {
    #[cacheable(ttl = 60, key_prefix = "refresh", refresh_ahead = 0.8)]
    pub async fn shared(self: Arc<Self>, id: u64) -> String {
        format!("{}{id}", self.tenant)
    }

    #[cacheable(
        ttl = 60,
        key_prefix = "refresh",
        key = "{self.tenant}:{id}",
        refresh_ahead = 0.8,
        refresh = "background",
    )]
    pub async fn by_value(mut self, id: u64) -> String {
        self.tenant.push_str(&id.to_string());
        self.tenant
    }

    #[cacheable(ttl = 60, key_prefix = "refresh", refresh_ahead = 0.8, refresh = "background")]
    pub async fn by_reference(&self, id: &str, version: Option<u64>) -> Result<String, String> {
        tokio::task::yield_now().await;
        Ok(format!("{}{id}{version:?}", self.tenant))
    }

    #[cacheable(
        ttl = 60,
        key_prefix = "refresh",
        beta = 1,
        refresh = "background",
        when = !id.is_empty(),
        unless = |value| value.is_none(),
        none_ttl = 5,
        load_timeout = 1,
        tags = ["id:{id}", "value:{value}"],
    )]
    async fn everything(&self, id: &str) -> Option<Flag> {
        Some(Flag(id.len()))
    }

    #[cacheable(ttl = 60, key_prefix = "refresh", beta = 1, refresh = "background")]
    async fn by_borrowed_arc(self: &Arc<Self>, id: &str) -> String {
        format!("{}{id}", self.tenant)
    }

    #[cacheable(ttl = 60, key_prefix = "refresh", beta = 1, refresh = "background")]
    async fn by_arc(self: Arc<Self>, id: &str) -> String {
        format!("{}{id}", self.tenant)
    }

    #[cacheable(ttl = 60, key_prefix = "refresh", beta = 1, refresh = "background")]
    pub async fn associated(id: &str) -> String {
        Self::longer(id)
    }

    fn longer(id: &str) -> String {
        format!("{id}+")
    }

    #[deprecated]
    #[cacheable(ttl = 60, key_prefix = "refresh", beta = 1, refresh = "background")]
    fn returned(&self, id: &str) -> impl Future<Output = String> + Send {
        async move { format!("{}{id}", self.tenant) }
    }
}

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Flag(usize);

impl Flag {
    fn is_none(&self) -> bool {
        self.0 == 0
    }
}

#[derive(Clone)]
struct Generic<T>(T);

impl<T: Clone + ToString + Send + Sync + 'static> Generic<T> {
    #[cacheable(ttl = 60, key_prefix = "refresh", beta = 1, refresh = "background", key = "{Self}:{id}")]
    async fn get(&self, id: &T) -> String
    where
        T: serde::Serialize,
    {
        format!("{}{}", self.0.to_string(), id.to_string())
    }

    #[cacheable(ttl = 60, key_prefix = "refresh", beta = 1)]
    async fn shared(self: Arc<Self>) -> String {
        self.0.to_string()
    }
}

trait Find {
    fn find(self: Arc<Self>, id: u64) -> impl Future<Output = u64> + Send;
    fn look(&self, id: &str) -> impl Future<Output = String> + Send;
}

impl Find for Service {
    #[cacheable(ttl = 60, key_prefix = "refresh", beta = 1)]
    async fn find(self: Arc<Self>, id: u64) -> u64 {
        id + self.tenant.len() as u64
    }

    #[cacheable(ttl = 60, key_prefix = "refresh", beta = 1, refresh = "inline")]
    async fn look(&self, id: &str) -> String {
        format!("{}{id}", self.tenant)
    }
}

#[async_trait]
trait Load {
    async fn load(&self, id: &str) -> String;
    async fn owned(self: Arc<Self>, pair: (u64, u64)) -> u64;
    async fn asked(self: Arc<Self>, pair: (u64, u64)) -> u64;
}

#[async_trait]
impl Load for Service {
    #[cacheable(ttl = 60, key_prefix = "refresh", stale_while_revalidate = "1h")]
    async fn load(&self, id: &str) -> String {
        format!("{}{id}", self.tenant)
    }

    #[cacheable(ttl = 60, key_prefix = "refresh", stale_while_revalidate = "1h")]
    async fn owned(self: Arc<Self>, (left, right): (u64, u64)) -> u64 {
        left + right + self.tenant.len() as u64
    }

    #[cacheable(
        ttl = 60,
        key_prefix = "refresh",
        stale_while_revalidate = "1h",
        refresh = "background",
    )]
    async fn asked(self: Arc<Self>, (left, right): (u64, u64)) -> u64 {
        left + right + self.tenant.len() as u64
    }
}

fn is_send<T: Send>(future: T) -> T {
    future
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Runtime::embedded().install().unwrap();
    let service = Arc::new(Service {
        tenant: "t".to_owned(),
    });
    let arc = || Arc::clone(&service);
    for _ in 0..2 {
        assert_eq!(is_send(owned(1, "a".to_owned())).await, "1a");
        let everything = everything(5, "", Some("a".to_owned()));
        assert_eq!(*is_send(everything).await.unwrap(), "a");
        assert_eq!(is_send(returned(1)).await, [1]);
        assert_eq!(constant::<3>(1, Box::new(|| {})).await, 4);
        assert_eq!(object(Box::new(|| 1)).await, 1);
        assert_eq!(local(1).await, 1);
        assert_eq!(generic("a").await, "a");
        assert_eq!(is_send(generic_owned(5_u8)).await, "5");
        assert_eq!(is_send(hidden("a")).await, "a");
        let list = vec![2];
        assert_eq!(is_send(borrowed("a", &[1], &list, 3)).await, Ok(vec![1, 2, b'b', 3]));
        assert_eq!(is_send(inner::within("a")).await, "a3");
        assert_eq!(is_send(arc().shared(1)).await, "t1");
        assert_eq!(is_send(Service::clone(&service).by_value(1)).await, "t1");
        let version = is_send(service.by_reference("a", Some(1)));
        assert_eq!(version.await.unwrap(), "taSome(1)");
        assert_eq!(service.everything("a").await, Some(Flag(1)));
        assert_eq!(service.by_borrowed_arc("a").await, "ta");
        assert_eq!(arc().by_arc("a").await, "ta");
        assert_eq!(Service::associated("a").await, "a+");
        #[allow(deprecated)]
        let returned = service.returned("a");
        assert_eq!(is_send(returned).await, "ta");
        assert_eq!(is_send(Generic(1_u8).get(&2)).await, "12");
        assert_eq!(is_send(Arc::new(Generic(1_u8)).shared()).await, "1");
        assert_eq!(is_send(arc().find(1)).await, 2);
        assert_eq!(is_send(service.look("a")).await, "ta");
        assert_eq!(is_send(service.load("a")).await, "ta");
        assert_eq!(is_send(arc().owned((1, 2))).await, 4);
        assert_eq!(is_send(arc().asked((1, 2))).await, 4);
    }
}
