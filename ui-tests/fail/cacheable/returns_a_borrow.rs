use cacheable_runtime::cacheable;

#[cacheable(ttl = 60, key_prefix = "number")]
async fn title(number: &str) -> &str {
    number
}

fn main() {}
