use cacheable_runtime::cache_invalidate;

#[cache_invalidate("cache:project:*")]
struct Project;

fn main() {
    let _ = Project;
}
