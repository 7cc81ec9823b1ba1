use cacheable_runtime::cache_invalidate;

#[cache_invalidate("cache:project:*")]
async fn save(id: u64) -> impl Iterator<Item = u64> {
    0..id
}

fn main() {}
