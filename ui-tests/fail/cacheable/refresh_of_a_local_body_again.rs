use std::rc::Rc;

use cacheable_runtime::cacheable;

#[cacheable(ttl = 60, key_prefix = "a", stale_while_revalidate = "10m", refresh = "background")]
async fn find(id: &str) -> String {
    let kept = Rc::new(id.to_owned());
    tokio::task::yield_now().await;
    kept.to_string()
}

fn main() {}
