//! The shapes that `#[cache_invalidate]` shares with `#[cacheable]`, and `&mut`.

#![deny(warnings)]

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};

use cacheable_runtime::{Runtime, cache_invalidate, cacheable};

static LOADS: AtomicU64 = AtomicU64::new(0);

use async_trait::async_trait;

#[cacheable(ttl = 60, key_prefix = "s")]
pub async fn shape(id: u64) -> u64 {
    LOADS.fetch_add(1, Ordering::Relaxed);
    id
}

#[async_trait]
trait Save {
    async fn save(&mut self, pair: (u64, u64)) -> Result<u64, String>;

    #[cache_invalidate("cache:s:shape:{id}")]
    async fn touch(&self, id: u64) {
        let _ = id;
    }
}

trait Native {
    async fn native(&self, ids: &[u64]) -> Option<&u64>;
    fn returned(&self, id: u64) -> impl Future<Output = u64> + Send;
}

struct Store {
    saved: u64,
}

#[async_trait]
impl Save for Store {
    #[cache_invalidate("cache:s:shape:{left}", method(shape(right)))]
    async fn save(&mut self, (left, right): (u64, u64)) -> Result<u64, String> {
        self.saved += left + right;
        Ok(self.saved)
    }
}

impl Native for Store {
    #[cache_invalidate("cache:s:shape:*", when = !ids.is_empty())]
    async fn native(&self, ids: &[u64]) -> Option<&u64> {
        ids.first().map(|_| &self.saved)
    }

    #[cache_invalidate("cache:s:shape:{id}")]
    fn returned(&self, id: u64) -> impl Future<Output = u64> + Send {
        async move { id }
    }
}

impl Store {
    #[cache_invalidate("cache:s:shape:{T::ID}")]
    async fn generic<'a, T: Id>(&'a mut self, counted: &mut u64, _: T) -> &'a mut u64
    where
        T: 'a,
    {
        *counted += 1;
        &mut self.saved
    }
}

macro_rules! forgetting {
    ($name:ident, $pattern:literal, $call:expr) => {
        #[cache_invalidate($pattern, method($call))]
        async fn $name() {}
    };
}

forgetting!(forget, "cache:s:shape:[01]", shape(2));

trait Id {
    const ID: u64;
}
struct Three;
impl Id for Three {
    const ID: u64 = 3;
}

fn is_send<T: Send>(value: T) -> T {
    value
}

/// Which of the first four had gone.
async fn gone() -> Vec<u64> {
    let mut gone = Vec::new();
    for id in 0..4 {
        let before = LOADS.load(Ordering::Relaxed);
        shape(id).await;
        if LOADS.load(Ordering::Relaxed) > before {
            gone.push(id);
        }
    }
    gone
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Runtime::embedded().install().unwrap();
    let mut store = Store { saved: 0 };
    assert_eq!(gone().await, [0, 1, 2, 3]);
    assert_eq!(is_send(store.save((1, 2))).await, Ok(3));
    assert_eq!(gone().await, [1, 2]);
    store.touch(3).await;
    assert_eq!(gone().await, [3]);
    assert_eq!(store.native(&[]).await, None);
    assert_eq!(gone().await, [0; 0]);
    assert_eq!(store.native(&[1]).await, Some(&3));
    assert_eq!(gone().await, [0, 1, 2, 3]);
    assert_eq!(is_send(store.returned(2)).await, 2);
    assert_eq!(gone().await, [2]);
    let mut counted = 0;
    *store.generic(&mut counted, Three).await += 1;
    assert_eq!((counted, store.saved), (1, 4));
    assert_eq!(gone().await, [3]);
    forget().await;
    assert_eq!(gone().await, [0, 1, 2]);
}
