use cacheable_runtime::cacheable;

#[cacheable("number", ttl = 60)]
async fn double(number: u64) -> u64 {
    number * 2
}

fn main() {}
