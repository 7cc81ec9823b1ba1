use std::sync::Arc;

use cacheable_runtime::cacheable;

#[cacheable(ttl = 60, key_prefix = "number", skip(skipped))]
async fn several<F, G: Fn(u64) -> u64>(
    direct: impl AsyncFn(u64) -> u64,
    of_clause: &F,
    shared: Arc<dyn Fn(u64) -> u64 + Send + Sync>,
    pointer: fn(u64) -> u64,
    skipped: G,
    number: u64,
) -> u64
where
    F: for<'a> Fn(&'a u64) -> u64,
{
    direct(of_clause(&shared(pointer(skipped(number))))).await
}

fn main() {}
