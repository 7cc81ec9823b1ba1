use cacheable_runtime::cacheable;

#[cacheable(ttl = 60, key_prefix = "number")]
async fn all(number: u64) -> impl Iterator<Item = u64> {
    0..number
}

fn main() {}
