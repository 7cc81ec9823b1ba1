use cacheable_runtime::cacheable;

trait Double {
    #[cacheable(ttl = 60, key_prefix = "number")]
    async fn double(&self, number: u64) -> u64;
}

fn main() {}
