use cacheable_runtime::cache_invalidate;

#[cache_invalidate(tags = ["ids", "ids"])]
async fn save(id: u64) -> Result<(), String> {
    println!("{id}");
    Ok(())
}

fn main() {}
