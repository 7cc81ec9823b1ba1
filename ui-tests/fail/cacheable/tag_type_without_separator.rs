use cacheable_runtime::cacheable;

#[cacheable(ttl = 60, key_prefix = "a", tags = ["{T}:{number}:x"])]
async fn double<T>(number: u64) -> u64 {
    number * 2
}

fn main() {}
