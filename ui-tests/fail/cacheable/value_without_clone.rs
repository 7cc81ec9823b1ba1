use cacheable_runtime::cacheable;

#[derive(serde::Serialize, serde::Deserialize)]
struct Number(u64);

#[cacheable(ttl = 60, key_prefix = "number")]
async fn double(number: u64) -> Result<Number, String> {
    Ok(Number(number * 2))
}

fn main() {}
