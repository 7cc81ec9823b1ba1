use cacheable_runtime::{cache_put, cacheable};

#[cacheable(ttl = 60, key_prefix = "project")]
pub async fn project(id: u64) -> u64 {
    id
}

#[cache_put(method(project(id)))]
pub async fn save(id: u64) -> Result<String, String> {
    Ok(id.to_string())
}

fn main() {}
