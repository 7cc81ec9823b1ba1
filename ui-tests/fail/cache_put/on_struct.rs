use cacheable_runtime::cache_put;

#[cache_put(method(project(id)))]
struct Project;

fn main() {
    let _ = Project;
}
