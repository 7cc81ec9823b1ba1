//! Nothing in the expansion can be seen from the body, and nothing of the user's is
//! taken for the expansion's.

#![deny(warnings)]

use cacheable_runtime::{Runtime, cacheable};

// What an expansion could trip over if it named things carelessly.
#[allow(dead_code)]
mod shadows {
    pub struct Result;
    pub struct Option;
    pub struct Some;
    pub struct None;
    pub struct Box;
    pub struct Clone;
    pub mod core {}
    pub mod std {}
    pub mod cacheable_runtime {}
    pub fn drop() {}
}

mod shadowed {
    #[allow(unused_imports)]
    use super::shadows::*;

    #[::cacheable_runtime::cacheable(ttl = 60, key_prefix = "shadowed", when = id != 0)]
    pub(super) async fn plain(id: u64) -> u64 {
        id + 1
    }
}

static SITE: u8 = 2;

#[allow(clippy::too_many_arguments)]
#[cacheable(ttl = 60, key_prefix = "names", unless = |value| value.is_empty())]
pub async fn named(
    key: u8,
    cache: u8,
    result: u8,
    args: u8,
    call: u8,
    body: u8,
    site: u8,
    value: u8,
    returned: u8,
    runtime: u8,
    r#type: u8,
) -> Vec<u8> {
    vec![key, cache, result, args, call, body, site, value, returned, runtime, r#type]
}

#[cacheable(ttl = 60, key_prefix = "names", key = "{type}:{r#match}:{key}")]
pub async fn r#loop(r#type: u8, r#match: u8, key: u8) -> u8 {
    let call = r#type;
    let body = call + r#match;
    body + key + SITE
}

macro_rules! cached {
    ($name:ident, $life:expr, $prefix:literal, $argument:ident: $ty:ty => $body:expr) => {
        #[cacheable(ttl = $life, key_prefix = $prefix, key = "{hidden}")]
        pub async fn $name($argument: $ty, hidden: u64) -> u64 {
            let __cacheable_body = 1;
            hidden + $body + __cacheable_body
        }
    };
}

cached!(made, "1m", "made", key: u64 => key * 2);
cached!(made_too, 60, "made", key: u64 => key * 2);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    Runtime::embedded().install().unwrap();
    let expected: Vec<u8> = (1..=11).collect();
    for _ in 0..2 {
        assert_eq!(named(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11).await, expected);
        assert_eq!(r#loop(1, 2, 3).await, 8);
        assert_eq!(shadowed::plain(1).await, 2);
    }
    assert_eq!(made(4, 1).await, 10);
    assert_eq!(made(9, 1).await, 10);
    assert_eq!(made_too(9, 1).await, 20);
    let key = cacheable_runtime::IntoKey::into_key(loop_key(1, 2, 3)).unwrap();
    assert_eq!(key.as_str(), "cache:names:loop:1:2:3");
}
