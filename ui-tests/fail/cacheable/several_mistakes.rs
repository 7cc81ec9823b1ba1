use cacheable_runtime::cacheable;

#[cacheable(ttl = 0, key_prefix = "a b", key = "{numbr}", jiter = 0.1, codec = "yaml")]
async fn double(number: u64) -> u64 {
    number * 2
}

fn main() {
    // The function is still there for those who call it.
    drop(double(2));
}
