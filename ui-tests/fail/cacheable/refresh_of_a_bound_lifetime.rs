use cacheable_runtime::cacheable;

#[derive(Clone)]
struct Service;

impl Service {
    #[cacheable(ttl = 60, key_prefix = "a", beta = 1.0, refresh = "background")]
    async fn find<'a, T: AsRef<str> + serde::Serialize + Sync + 'a>(&self, id: &'a T) -> String {
        id.as_ref().to_owned()
    }
}

fn main() {}
