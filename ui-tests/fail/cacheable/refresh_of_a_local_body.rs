use std::rc::Rc;

use cacheable_runtime::cacheable;

#[cacheable(ttl = 60, key_prefix = "a", stale_while_revalidate = "10m")]
async fn find(id: String) -> String {
    let kept = Rc::new(id);
    tokio::task::yield_now().await;
    kept.to_string()
}

fn main() {}
