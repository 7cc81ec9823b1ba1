use cacheable_runtime::cacheable;

use async_trait::async_trait;

#[async_trait]
trait Double {
    async fn double(&self, number: u64) -> u64;
}

struct Numbers;

#[async_trait]
impl Double for Numbers {
    #[cacheable(ttl = 60, key_prefix = "number", key_fn)]
    async fn double(&self, number: u64) -> u64 {
        number * 2
    }
}

fn main() {}
