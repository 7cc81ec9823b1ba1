use cacheable_runtime::cacheable;

use std::cell::Cell;

#[derive(Clone)]
struct Service {
    _count: Cell<u64>,
}

impl Service {
    #[cacheable(ttl = 60, key_prefix = "a", beta = 1.0, refresh = "background")]
    async fn find(&self, id: &str) -> String {
        id.to_owned()
    }
}

fn main() {}
