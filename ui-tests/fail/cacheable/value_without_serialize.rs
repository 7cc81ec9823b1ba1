use cacheable_runtime::cacheable;

#[derive(Clone, serde::Deserialize)]
struct Number(u64);

#[cacheable(ttl = 60, key_prefix = "number")]
async fn double(number: u64) -> Number {
    Number(number * 2)
}

fn main() {}
