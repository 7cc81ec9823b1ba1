use cacheable_runtime::cacheable;

#[cacheable(ttl = 60, key_prefix = "a", timeout_error = "late".to_owned())]
async fn double(number: u64) -> Result<u64, String> {
    Ok(number * 2)
}

fn main() {}
