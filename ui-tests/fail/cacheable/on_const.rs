use cacheable_runtime::cacheable;

#[cacheable(ttl = 60, key_prefix = "number")]
const NUMBER: u64 = 1;

fn main() {
    println!("{NUMBER}");
}
