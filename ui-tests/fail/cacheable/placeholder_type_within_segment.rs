use cacheable_runtime::cacheable;

#[cacheable(ttl = 60, key_prefix = "number", key = "v{T}")]
async fn size<T>() -> usize {
    size_of::<T>()
}

fn main() {}
