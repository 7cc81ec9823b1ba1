use cacheable_runtime::cacheable;

const LIFE: u64 = 60;

#[cacheable(ttl = LIFE, key_prefix = "number")]
async fn double(number: u64) -> u64 {
    number * 2
}

fn main() {}
