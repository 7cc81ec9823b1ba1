use cacheable_runtime::cacheable;

#[cacheable(ttl = 60, key_prefix = "number", none_ttl = "0s")]
async fn find(number: u64) -> Option<u64> {
    Some(number)
}

fn main() {}
