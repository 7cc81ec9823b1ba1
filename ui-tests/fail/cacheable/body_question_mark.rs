use cacheable_runtime::cacheable;

struct Failure;

#[cacheable(ttl = 60, key_prefix = "number")]
async fn parse(number: &str) -> Result<u64, Failure> {
    Ok(number.parse::<u64>()?)
}

fn main() {}
