use cacheable_runtime::cacheable;

struct Numbers;

impl Numbers {
    #[cacheable(ttl = 60, key_prefix = "number", key = "{tenant}")]
    async fn all(&self) -> u64 {
        2
    }
}

fn main() {}
