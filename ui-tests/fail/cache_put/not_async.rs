use cacheable_runtime::cache_put;

#[cache_put(method(project(id)))]
fn save(id: u64) -> u64 {
    id
}

fn main() {}
