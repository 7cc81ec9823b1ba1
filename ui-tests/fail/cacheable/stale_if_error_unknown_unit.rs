use cacheable_runtime::cacheable;

#[cacheable(ttl = 60, key_prefix = "a", stale_if_error = "2 fortnights")]
async fn double(number: u64) -> u64 {
    number * 2
}

fn main() {}
