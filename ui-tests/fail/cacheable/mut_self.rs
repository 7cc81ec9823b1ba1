use cacheable_runtime::cacheable;

struct Numbers;

impl Numbers {
    #[cacheable(ttl = 60, key_prefix = "number")]
    async fn double(&mut self, number: u64) -> u64 {
        number * 2
    }
}

fn main() {}
