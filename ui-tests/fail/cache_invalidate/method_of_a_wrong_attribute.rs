use cacheable_runtime::{cache_invalidate, cacheable};

// What is wrong is the life; that the function's entry is named below is no mistake.
#[cacheable(ttl = 0, key_prefix = "project")]
pub async fn project(id: u64) -> u64 {
    id
}

#[cache_invalidate(method(project(id)))]
pub async fn save(id: u64) -> u64 {
    id
}

fn main() {}
