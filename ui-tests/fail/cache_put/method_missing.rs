use cacheable_runtime::cache_put;

#[cache_put()]
async fn save(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}
