use cacheable_runtime::cache_put;

#[cache_put(method(project(id)), when = true, when = false)]
async fn save(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}
