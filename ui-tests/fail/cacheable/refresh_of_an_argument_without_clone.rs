use cacheable_runtime::cacheable;

#[derive(Clone)]
struct Service;

struct Finder;

impl Service {
    #[cacheable(ttl = 60, key_prefix = "a", beta = 1.0, refresh = "background", skip(by))]
    async fn find(&self, id: &str, by: Finder) -> String {
        let _ = by;
        id.to_owned()
    }
}

fn main() {}
