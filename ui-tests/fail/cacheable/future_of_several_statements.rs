use cacheable_runtime::cacheable;

use std::future::Future;

#[cacheable(ttl = 60, key_prefix = "number")]
fn double(number: u64) -> impl Future<Output = u64> {
    let twice = number * 2;
    async move { twice }
}

fn main() {}
