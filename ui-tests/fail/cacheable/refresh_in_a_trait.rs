use cacheable_runtime::cacheable;

trait Find {
    fn find(&self, id: &str) -> impl Future<Output = String> + Send;
}

#[derive(Clone)]
struct Service;

impl Find for Service {
    #[cacheable(ttl = 60, key_prefix = "a", beta = 1.0, refresh = "background")]
    async fn find(&self, id: &str) -> String {
        id.to_owned()
    }
}

fn main() {}
