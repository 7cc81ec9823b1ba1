use cacheable_runtime::cache_put;

#[cache_put(method(project(id)))]
async fn save(id: u64) {
    println!("{id}");
}

fn main() {}
