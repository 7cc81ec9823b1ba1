use cacheable_runtime::cacheable;

#[cacheable(ttl = 60, key_prefix = "a", tags = ["pair:{left}-{right}"])]
async fn add(left: u64, right: u64) -> u64 {
    left + right
}

fn main() {}
