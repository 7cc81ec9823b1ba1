use cacheable_runtime::cacheable;

#[cacheable(ttl = 60, key_prefix = "a", tags("number:{number}"))]
async fn double(number: u64) -> u64 {
    number * 2
}

fn main() {}
