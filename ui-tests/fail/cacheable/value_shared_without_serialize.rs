use cacheable_runtime::cacheable;

use std::sync::Arc;

struct Number(u64);

#[cacheable(ttl = 60, key_prefix = "number")]
async fn double(number: u64) -> Arc<Number> {
    Arc::new(Number(number * 2))
}

fn main() {}
