//! Key templates.

#![deny(warnings)]

use cacheable_runtime::{IntoKey, Key, Runtime, cacheable};

struct Tenant {
    name: String,
    pair: (u64, String),
}

impl Tenant {
    const REGION: &'static str = "eu west";

    fn slug(&self) -> String {
        self.name.to_lowercase()
    }

    fn inner(&self) -> &(u64, String) {
        &self.pair
    }

    #[cacheable(ttl = 60, key_prefix = "t", key = "v1:{self.name}:{self.pair.1}:{id}")]
    pub async fn fields(&self, id: u64, ignored: &Tenant) -> u64 {
        id + ignored.pair.0
    }

    #[cacheable(ttl = 60, key_prefix = "t", key = "{self.slug()}:{ self.inner().0 }:{name.len()}")]
    pub async fn methods(&self, name: &str) -> usize {
        name.len()
    }

    #[cacheable(ttl = 60, key_prefix = "t", key = "{Self::REGION}:id-{id}.x:{id}")]
    pub async fn constant(&self, id: Option<u64>) -> u64 {
        id.unwrap_or_default()
    }
}


#[cacheable(ttl = 60, key_prefix = "t", key = "{N}:{T}:{id}")]
pub async fn generic<T: Default, const N: usize>(id: u64) -> u64 {
    let _ = T::default();
    id + N as u64
}

#[cacheable(ttl = 60, key_prefix = "t", key = "all")]
pub async fn fixed(verbose: bool) -> bool {
    verbose
}

fn text(key: impl IntoKey) -> String {
    key.into_key().as_ref().map(Key::to_string).unwrap()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Runtime::embedded().install().unwrap();
    let tenant = Tenant {
        name: "A:*".to_owned(),
        pair: (7, "b".to_owned()),
    };
    assert_eq!(text(tenant.fields_key(1)), "cache:t:fields:v1:A%3A%2A:b:1");
    assert_eq!(text(tenant.methods_key("abc")), "cache:t:methods:a%3A%2A:7:3");
    assert_eq!(
        text(Tenant::constant_key(Some(1))),
        "cache:t:constant:eu%20west:id-~1.x:~1"
    );
    assert_eq!(text(generic_key::<u8, 3>(5)), "cache:t:generic:3:<u8>:5");
    assert_eq!(text(fixed_key()), "cache:t:fixed:all");
    assert_eq!(tenant.fields(1, &tenant).await, 8);
    assert_eq!(tenant.methods("abc").await, 3);
    assert_eq!(tenant.constant(None).await, 0);
    assert_eq!(generic::<u8, 3>(5).await, 8);
    assert!(fixed(true).await);
    assert!(fixed(false).await);
    // What an entry is called is also where it is.
    let cache = Runtime::global().unwrap().cache();
    assert!(cache.remove(tenant.fields_key(1)).await.unwrap());
    assert!(!cache.remove(tenant.fields_key(1)).await.unwrap());
}
