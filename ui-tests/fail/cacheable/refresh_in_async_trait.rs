use async_trait::async_trait;
use cacheable_runtime::cacheable;

#[async_trait]
trait Find {
    async fn find(&self, id: &str) -> String;
}

#[derive(Clone)]
struct Service;

#[async_trait]
impl Find for Service {
    #[cacheable(ttl = 60, key_prefix = "a", beta = 1.0, refresh = "background")]
    async fn find(&self, id: &str) -> String {
        id.to_owned()
    }
}

fn main() {}
