use cacheable_runtime::cache_invalidate;

#[cache_invalidate(tags = ["owner:{value.owner}"])]
async fn save(id: u64) -> Result<(), String> {
    println!("{id}");
    Ok(())
}

fn main() {}
