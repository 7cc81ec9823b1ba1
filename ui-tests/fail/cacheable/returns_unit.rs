use cacheable_runtime::cacheable;

#[cacheable(ttl = 60, key_prefix = "number")]
async fn log(number: u64) -> () {
    println!("{number}");
}

fn main() {}
