//! Free functions: public, private, in modules, without arguments.

#![deny(warnings)]

use std::sync::atomic::{AtomicU64, Ordering};

use cacheable_runtime::{IntoKey, Runtime, cacheable};

static LOADS: AtomicU64 = AtomicU64::new(0);

fn load() -> u64 {
    LOADS.fetch_add(1, Ordering::Relaxed)
}

#[cacheable(ttl = 60, key_prefix = "free")]
async fn private(number: u64) -> u64 {
    number * 100 + load()
}

#[cacheable(ttl = 60, key_prefix = "free")]
async fn no_arguments() -> Vec<u64> {
    vec![load(), 7]
}

mod inner {
    #[cacheable_runtime::cacheable(ttl = 60, key_prefix = "inner")]
    pub(super) async fn private(number: u64) -> u64 {
        number * 100 + super::load()
    }

    pub(crate) mod deeper {
        #[cacheable_runtime::cacheable(ttl = 60, key_prefix = "deeper")]
        pub(in crate::inner) async fn shown(text: &str) -> String {
            text.to_uppercase()
        }

        pub(crate) async fn both() -> (String, String) {
            let key = cacheable_runtime::IntoKey::into_key(shown_key("a")).unwrap();
            (shown("a").await, key.to_string())
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Runtime::embedded().install().unwrap();
    assert_eq!(private(1).await, 100);
    assert_eq!(private(1).await, 100);
    // The same name elsewhere is another entry.
    assert_eq!(inner::private(1).await, 101);
    assert_eq!(inner::private(1).await, 101);
    assert_eq!(no_arguments().await, [2, 7]);
    assert_eq!(no_arguments().await, [2, 7]);
    let key = inner::private_key(1).into_key().unwrap();
    assert_eq!(key.as_str(), "cache:inner:private:1");
    assert_eq!(
        inner::deeper::both().await,
        ("A".to_owned(), "cache:deeper:shown:a".to_owned())
    );
}
