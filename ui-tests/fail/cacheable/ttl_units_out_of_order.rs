use cacheable_runtime::cacheable;

#[cacheable(ttl = "30m 1h", key_prefix = "number")]
async fn double(number: u64) -> u64 {
    number * 2
}

fn main() {}
