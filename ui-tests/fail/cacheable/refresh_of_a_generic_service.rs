use std::sync::Arc;

use cacheable_runtime::cacheable;

struct Service<T>(T);

impl<T: AsRef<str> + Send + Sync> Service<T> {
    #[cacheable(ttl = 60, key_prefix = "a", stale_while_revalidate = "10m")]
    async fn find(self: Arc<Self>, id: String) -> String {
        format!("{}{id}", self.0.as_ref())
    }
}

fn main() {}
