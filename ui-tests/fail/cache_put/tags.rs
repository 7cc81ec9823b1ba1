use cacheable_runtime::cache_put;

#[cache_put(method(project(id)), tags = ["id:{id}"])]
async fn save(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}
