//! Generic functions and generic `impl`s: calls for two types share no value.

#![deny(warnings)]

use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use cacheable_runtime::{IntoKey, Runtime, cacheable};
use serde::Serialize;
use serde::de::DeserializeOwned;

static LOADS: AtomicU64 = AtomicU64::new(0);

fn load() {
    LOADS.fetch_add(1, Ordering::Relaxed);
}

pub trait Entity {
    const TABLE: &'static str;
}

#[derive(Clone, Debug, PartialEq, Serialize, serde::Deserialize)]
struct User;
impl Entity for User {
    const TABLE: &'static str = "users";
}

#[derive(Clone, Debug, PartialEq, Serialize, serde::Deserialize)]
struct Order;
impl Entity for Order {
    const TABLE: &'static str = "orders";
}

#[cacheable(ttl = 60, key_prefix = "table")]
pub async fn table<T: Entity>(id: u64) -> String {
    load();
    format!("{}/{id}", T::TABLE)
}

#[cacheable(ttl = 60, key_prefix = "table", key = "{T::TABLE}:{id}", none_ttl = 1)]
async fn by_table<T>(id: u64) -> Option<T>
where
    T: Entity + Default2 + Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    load();
    (id > 0).then(T::default2)
}

trait Default2 {
    fn default2() -> Self;
}
impl Default2 for User {
    fn default2() -> Self {
        Self
    }
}
impl Default2 for Order {
    fn default2() -> Self {
        Self
    }
}

#[cacheable(ttl = 60, key_prefix = "array")]
pub async fn filled<const N: usize>(value: u8) -> Vec<u8> {
    load();
    vec![value; N]
}

#[cacheable(ttl = 60, key_prefix = "skipped", skip(T, shown))]
pub async fn shared_by_all<T: Debug>(id: u64, shown: T) -> u64 {
    load();
    let _ = format!("{shown:?}");
    id
}

struct Store<T> {
    entity: PhantomData<T>,
}

impl<T: Entity> Store<T> {
    const NEW: Self = Self {
        entity: PhantomData,
    };

    // One attribute serves every `T`; without `{Self}` two of them displace each other.
    #[cacheable(ttl = 60, key_prefix = "store")]
    pub async fn count(&self) -> String {
        load();
        T::TABLE.to_owned()
    }

    #[cacheable(ttl = 60, key_prefix = "store", key = "{Self}:{id}")]
    pub async fn placed(&self, id: u64) -> String {
        load();
        format!("{} {id}", T::TABLE)
    }

    #[cacheable(ttl = 60, key_prefix = "store")]
    pub async fn of<U: Entity, const N: usize>(&self, id: u64) -> String {
        load();
        format!("{} {} {N} {id}", T::TABLE, U::TABLE)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Runtime::embedded().install().unwrap();
    for _ in 0..2 {
        assert_eq!(table::<User>(1).await, "users/1");
        assert_eq!(table::<Order>(1).await, "orders/1");
        assert_eq!(by_table::<User>(1).await, Some(User));
        assert_eq!(by_table::<Order>(1).await, Some(Order));
        assert_eq!(filled::<2>(7).await, [7; 2]);
        assert_eq!(filled::<3>(7).await, [7; 3]);
        assert_eq!(Store::<User>::NEW.count().await, "users");
        assert_eq!(Store::<Order>::NEW.count().await, "orders");
        assert_eq!(Store::<User>::NEW.placed(1).await, "users 1");
        assert_eq!(Store::<Order>::NEW.placed(1).await, "orders 1");
        assert_eq!(Store::<User>::NEW.of::<User, 1>(1).await, "users users 1 1");
        assert_eq!(Store::<User>::NEW.of::<Order, 1>(1).await, "users orders 1 1");
        assert_eq!(Store::<User>::NEW.of::<Order, 2>(1).await, "users orders 2 1");
        assert_eq!(shared_by_all(1, "text").await, 1);
        assert_eq!(shared_by_all(1, 5).await, 1);
    }
    // Displaced in the store; at level 1 each has its own.
    assert_eq!(LOADS.load(Ordering::Relaxed), 14);

    let text = |key: Result<cacheable_runtime::Key, _>| key.unwrap().to_string();
    assert_eq!(text(shared_by_all_key(1).into_key()), "cache:skipped:shared_by_all:1");
    assert_eq!(text(filled_key::<2>(7).into_key()), "cache:array:filled:2:7");
    assert_eq!(text(Store::<User>::count_key().into_key()), "cache:store:count");
    let key = text(Store::<User>::placed_key(9).into_key());
    assert!(key.starts_with("cache:store:placed:<") && key.contains("User"), "{key}");
    let key = text(Store::<User>::of_key::<Order, 2>(9).into_key());
    assert!(key.ends_with(":2:9") && key.contains("Order"), "{key}");
}
