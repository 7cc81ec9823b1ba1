use cacheable_runtime::cache_invalidate;

#[cache_invalidate("cache:project:*", on_failure = "panic")]
async fn save(id: u64) -> Result<(), String> {
    println!("{id}");
    Ok(())
}

fn main() {}
