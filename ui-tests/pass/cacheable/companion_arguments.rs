//! A companion takes what the key and a computed life are made of, and nothing else.

#![deny(warnings, single_use_lifetimes, unused_lifetimes)]

use std::time::Duration;

use cacheable_runtime::{IntoKey, Key, Runtime, cache_invalidate, cache_put, cacheable};
use serde::Serialize;

pub struct Db;

impl Db {
    async fn read(&self, id: u64) -> u64 {
        id
    }
}

#[cacheable(ttl = 60, key_prefix = "free", skip(db))]
pub async fn free(db: &Db, id: u64) -> u64 {
    db.read(id).await
}

#[cacheable(ttl = 60, key_prefix = "free", skip(load))]
pub async fn by_closure(id: u64, load: impl AsyncFn(u64) -> u64, last: bool) -> u64 {
    if last { load(id).await } else { 0 }
}

#[cacheable(ttl = 60, key_prefix = "free", skip(load))]
pub async fn by_generic_closure<'a, K, F>(db: &'a Db, load: F, key: &K) -> u64
where
    K: Serialize + Clone,
    F: AsyncFn(&'a Db, K) -> u64,
{
    load(db, key.clone()).await
}

impl Serialize for Db {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("db")
    }
}

#[cacheable(ttl = 60, key_prefix = "free", skip(shown, T, N, count))]
pub async fn by_generic<'s, 't: 's, T: AsRef<[U]> + 't, U: Copy + Into<u64>, const N: usize>(
    text: &'s str,
    shown: &'t T,
    count: [u8; N],
) -> u64
where
    Vec<T>: Sized,
    't: 't,
{
    shown.as_ref().iter().map(|one| (*one).into()).sum::<u64>() + text.len() as u64 + N as u64 + u64::from(count[0])
}

// The element is told by the list, so it stays with the list.
#[cacheable(ttl = 60, key_prefix = "free", skip(E))]
pub async fn elements<L: IntoIterator<Item = E> + Serialize, E: Into<u64>>(list: L) -> u64 {
    list.into_iter().map(Into::into).sum()
}

#[cacheable(ttl = 60, key_prefix = "free", skip(left, third))]
pub async fn taken_apart(
    (left, right): (u64, u64),
    (third, _): (u64, Db),
    _: Db,
    _unread: u64,
) -> u64 {
    left + right + third
}

#[cacheable(ttl = Duration::from_secs(settings.len() as u64 + u64::from(short)), key_prefix = "free", skip(settings, short, db))]
pub async fn lives(settings: &str, db: &Db, short: bool, id: u64) -> u64 {
    let _ = (settings, short);
    db.read(id).await
}

#[cacheable(ttl = parsed(&format!("{text}{}", { 1 })), key_prefix = "free", key = "{id}")]
pub async fn formatted(id: u64, text: &str, other: &str) -> usize {
    text.len() + other.len() + usize::from(id > 0)
}

fn parsed(text: &str) -> Duration {
    Duration::from_secs(text.len() as u64)
}

pub struct Service {
    tenant: String,
    id: u64,
}

impl Service {
    #[cacheable(ttl = 60, key_prefix = "method", skip(db))]
    pub async fn page(&self, db: &Db, id: u64) -> u64 {
        db.read(id + self.id).await
    }

    // The field `id` is not the argument `id`.
    #[cacheable(ttl = 60, key_prefix = "method", key = "{self.tenant}:{self.id}:{page}")]
    pub async fn of_tenant(&self, id: u64, page: u32, db: &Db) -> u64 {
        db.read(id).await + u64::from(page)
    }

    #[cacheable(ttl = 60, key_prefix = "method", key = "all")]
    pub async fn fixed<T: Into<u64> + Send>(&self, add: [T; 2]) -> u64 {
        add.into_iter().map(Into::into).sum()
    }

    #[cacheable(ttl = 60, key_prefix = "method", skip(hidden))]
    pub async fn under_cfg(&self, #[cfg(all())] hidden: u64, id: u64) -> u64 {
        hidden + id
    }

    #[cache_invalidate(
        method(Self::page(id)),
        method(self.page(id)),
        method(self.of_tenant(page)),
        method(self.under_cfg(id)),
        method(free(id)),
        method(by_closure(id, true)),
        method(by_generic::<u8>(name)),
        method(taken_apart((0, id), 4)),
    )]
    pub async fn forget(&self, id: u64, page: u32, name: &str) -> u64 {
        id + u64::from(page) + name.len() as u64
    }

    #[cache_put(method(self.of_tenant(page)))]
    pub async fn set(&self, page: u32, value: u64) -> u64 {
        let _ = page;
        value
    }
}

fn text(key: impl IntoKey) -> String {
    key.into_key().as_ref().map(Key::to_string).unwrap()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Runtime::embedded().install().unwrap();
    let cache = Runtime::global().unwrap().cache();
    let service = Service { tenant: "a".to_owned(), id: 0 };
    let added = 7;

    assert_eq!(free(&Db, 1).await, 1);
    assert!(cache.remove(free_key(1)).await.unwrap());
    assert_eq!(by_closure(1, async |id| id + added, true).await, 8);
    assert!(cache.remove(by_closure_key(1, true)).await.unwrap());
    assert_eq!(by_generic_closure(&Db, async |db: &Db, id| db.read(id).await + added, &2).await, 9);
    assert!(cache.remove(by_generic_closure_key(&Db, &2_u64)).await.unwrap());
    assert_eq!(by_generic("abc", &[1_u8], [5]).await, 10);
    assert!(cache.remove(by_generic_key::<u8>("abc")).await.unwrap());
    assert_eq!(elements(vec![1_u8, 2]).await, 3);
    assert!(cache.remove(elements_key(vec![1_u8, 2])).await.unwrap());
    assert_eq!(taken_apart((1, 2), (3, Db), Db, 4).await, 6);
    assert!(cache.remove(taken_apart_key((9, 2), 4)).await.unwrap());
    assert_eq!(lives("60", &Db, true, 3).await, 3);
    assert!(cache.remove(lives_key("60", false, 3)).await.unwrap());
    assert_eq!(formatted(1, "60", "").await, 3);
    assert!(cache.remove(formatted_key(1, "")).await.unwrap());

    assert_eq!(service.page(&Db, 1).await, 1);
    assert_eq!(service.of_tenant(4, 2, &Db).await, 6);
    assert_eq!(service.under_cfg(5, 1).await, 6);
    assert_eq!(service.forget(1, 2, "abc").await, 6);
    assert_eq!(cache.clear("cache:method:*").await.unwrap(), 0);
    assert_eq!(service.set(2, 8).await, 8);
    assert_eq!(service.of_tenant(4, 2, &Db).await, 8);
    assert_eq!(text(service.of_tenant_key(2)), "cache:method:of_tenant:a:0:2");
    assert_eq!(service.fixed([1_u8, 2]).await, 3);
    assert!(cache.remove(Service::fixed_key::<u8>()).await.unwrap());
}
