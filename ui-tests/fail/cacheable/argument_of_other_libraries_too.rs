use cacheable_runtime::cacheable;

#[cacheable(ttl = 60, key_prefix = "a", swr = 60, grace = 60, timeout = 2, tag = "numbers", early_refresh = 0.8, xfetch = 1.0)]
async fn double(number: u64) -> u64 {
    number * 2
}

fn main() {}
