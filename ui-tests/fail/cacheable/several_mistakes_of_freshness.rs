use cacheable_runtime::cacheable;

#[cacheable(ttl = 60, key_prefix = "a", refresh_ahead = 2, beta = 0, refresh = "late", retry_after = 0, tags = ["{id}", "x:{nubmer}"], timeout_error = 1)]
async fn double(number: u64) -> u64 {
    number * 2
}

fn main() {}
