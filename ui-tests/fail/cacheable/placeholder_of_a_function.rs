use cacheable_runtime::cacheable;

#[cacheable(ttl = 60, key_prefix = "number", key = "{load}:{number}")]
async fn loaded(load: impl AsyncFn(u64) -> u64, number: u64) -> u64 {
    load(number).await
}

fn main() {}
