use cacheable_runtime::cache_put;

#[cache_put(method(project(id)), ttl = 60)]
async fn save(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}
