use cacheable_runtime::cacheable;

#[cacheable(ttl = 60, key_prefix = "a", load_timeout = 2, timeout_error = "late")]
async fn double(number: u64) -> Result<u64, String> {
    Ok(number * 2)
}

fn main() {}
