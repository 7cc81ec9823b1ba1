use cacheable_runtime::cacheable;

struct Service;

impl Service {
    #[cacheable(ttl = 60, key_prefix = "a", beta = 1.0, refresh = "background")]
    async fn find(id: &str) -> String {
        id.to_owned()
    }
}

fn main() {}
