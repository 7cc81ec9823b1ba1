use cacheable_runtime::cacheable;

#[cacheable(ttl = 60, key_prefix = "a", load_timeout = 0.5)]
async fn double(number: u64) -> Option<u64> {
    Some(number * 2)
}

fn main() {}
