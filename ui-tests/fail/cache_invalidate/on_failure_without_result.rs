use cacheable_runtime::cache_invalidate;

#[cache_invalidate("cache:project:*", on_failure = "error")]
async fn save(id: u64) -> Option<u64> {
    Some(id)
}

fn main() {}
