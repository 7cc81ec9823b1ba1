use cacheable_runtime::cacheable;

struct Service<T>(T);

impl<T> Service<T> {
    #[cacheable(ttl = 60, key_prefix = "a", beta = 1.0, refresh = "background")]
    async fn find(&self, id: &str) -> String {
        id.to_owned()
    }
}

fn main() {}
